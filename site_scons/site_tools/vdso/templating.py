# SPDX-License-Identifier: MIT
"""Fills in `templates/`. All text that is generated for people and compilers stands there, and none in Python."""

from __future__ import annotations

from functools import cache
from typing import Any

from .paths import TEMPLATES


def render(name: str, **values: Any) -> str:
    """Return the template `name` filled in. Jinja2 raises if the template uses a value that is not given: a bug.

    In HTML every value is escaped. Names in a base may be anything: the filter `plain` escapes their control characters.
    """
    return str(_environment().get_template(name).render(**values))


@cache
def _environment() -> Any:
    import jinja2

    loader = jinja2.FileSystemLoader(str(TEMPLATES))
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
    )
    environment.filters["hex"] = lambda number: f"{number:#x}"
    environment.filters["plain"] = _plain
    return environment


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

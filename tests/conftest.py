# SPDX-License-Identifier: MIT
"""The options for full lengths and for one architecture, and which tests one process runs."""

from __future__ import annotations

import re

import pytest
from vdso.arch import ARCHES


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the proofs at full length (minutes to hours)")
    parser.addoption("--arch", choices=tuple(ARCHES), help="leave out the tests of other architectures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the tests of a file, which share what they build, in one process. Those in QEMU are a group of their own.

    A test of another architecture lies in the folder of that name, or has the name in a parameter.
    """
    if only := config.getoption("--arch"):
        others = re.compile(rf"(?<![a-z0-9])({'|'.join(name for name in ARCHES if name != only)})(?![a-z0-9])")
        config.hook.pytest_deselected(items=[item for item in items if others.search(item.nodeid)])
        items[:] = [item for item in items if not others.search(item.nodeid)]
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Tell whether full lengths are asked for."""
    return bool(request.config.getoption("--full"))

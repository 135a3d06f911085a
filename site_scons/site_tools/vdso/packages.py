# SPDX-License-Identifier: MIT
"""The Python packages that the tool needs beside SCons, and what is said where some are missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from .errors import VdsoError
from .paths import LOCK

PACKAGES = {
    "capstone": "capstone",
    "cyclonedx": "cyclonedx-python-lib",
    "debian": "python-debian",
    "elftools": "pyelftools",
    "jinja2": "Jinja2",
    "lief": "lief",
    "lz4": "lz4",
    "pygments": "Pygments",
    "zstandard": "zstandard",
}
"""What is imported, and what pip calls it."""


def require_packages() -> None:
    """Refuse, with VdsoError, a Python that has not all packages. It looks for them and imports none."""
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        todo = f"run `{sys.executable} -m pip install -r {LOCK}`, or call ./sconsw, which brings them"
        raise VdsoError(sys.executable, f"Python packages are missing that scons-vdso needs: {', '.join(missing)}", todo)

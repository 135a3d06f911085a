# SPDX-License-Identifier: MIT
"""The targets of SConstruct that print instead of making files: info, check, test, bench. Each returns an exit status."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import image, steps, templating
from .arch import ARCHES
from .errors import VdsoError
from .info import describe
from .verify import verify
from .verify.render import render

FAILED = 2


def info(sources: Sequence[str], env: Mapping[str, str]) -> int:
    """What is known of the base."""
    try:
        base = image.read(sources[0], steps.read(Path(sources[0])), ARCHES[env["ARCH"]])
    except VdsoError as error:
        return _fail(error)
    print(templating.render(steps.TEMPLATES, "info.txt.j2", **describe(base)), end="", flush=True)
    return 0


def check(_sources: Sequence[str], env: Mapping[str, str], path: str) -> int:
    """What the consumers of an image would find wrong with it."""
    try:
        if not path:
            raise VdsoError("IMAGE", "missing", "name the image, as in `check IMAGE=build/vdso.so`")
        report = verify(steps.read(Path(path)), ARCHES[env["ARCH"]], name=path)
    except VdsoError as error:
        return _fail(error)
    print(render(report, path, steps.TEMPLATES), end="", flush=True)
    return FAILED if report.findings else 0


def test(_sources: Sequence[str], env: Mapping[str, str], root: str, arguments: str) -> int:
    """pytest, as it is in the environment that runs SCons."""
    full = shlex.split(arguments)
    return subprocess.run([sys.executable, "-m", "pytest", *full], cwd=root, env=_clean(), check=False).returncode


def bench(_sources: Sequence[str], env: Mapping[str, str], root: str, out: str) -> int:
    """Build times against their floors."""
    script = Path(root, "tests", "bench", "build_times.py")
    return subprocess.run([sys.executable, str(script), root, out], env=_clean(), check=False).returncode


def _clean() -> dict[str, str]:
    """The caller's environment, less what would make the SCons of a test behave like this one."""
    return {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"}


def _fail(error: VdsoError) -> int:
    print(f"scons: *** {error}", file=sys.stderr, flush=True)
    return FAILED

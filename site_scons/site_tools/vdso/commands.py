# SPDX-License-Identifier: MIT
"""The targets of SConstruct that print instead of making files: info, check, demo, test, bench. Each returns an exit status."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import image_reader, policy, steps, templating
from .arch import ARCHES
from .errors import VdsoError
from .info import describe
from .inputs import TEMPLATES
from .verify import verify
from .verify.render import render

FAILED = 2


def info(sources: Sequence[str], arch: str, overrides: str) -> int:
    """What is known of the base, and what becomes of it with these `overrides` of the policy."""
    base = image_reader.read(sources[0], steps.read(Path(sources[0])), ARCHES[arch])
    told = describe(base, policy.parse(overrides), coloured=_takes_colours())
    print(templating.render(TEMPLATES, "info.txt.j2", **told), end="", flush=True)
    return 0


def _takes_colours() -> bool:
    """A terminal that has some, of a user who did not decline (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def check(_sources: Sequence[str], arch: str, path: str) -> int:
    """What the consumers of an image would find wrong with it."""
    if not path:
        raise VdsoError("IMAGE", "missing", "name the image, as in `check IMAGE=build/vdso.so`")
    report = verify(steps.read(Path(path)), ARCHES[arch], name=path)
    print(render(report, path, TEMPLATES), end="", flush=True)
    return FAILED if report.findings else 0


def test(_sources: Sequence[str], root: str, arguments: str) -> int:
    """pytest, as it is in the environment that runs SCons."""
    return _python(root, "-m", "pytest", "-n", "auto", "--dist", "loadgroup", *shlex.split(arguments))


def demo(_sources: Sequence[str], root: str, out: str) -> int:
    """The example kernels under QEMU, with and without the vDSO that lies in `out`."""
    return _python(root, str(Path(root, "examples", "demo.py")), out)


def bench(_sources: Sequence[str], root: str, out: str) -> int:
    """Instructions a call and build times, with the library and what the tests share in reach."""
    places = [Path(root, "tests"), Path(root, "site_scons", "site_tools")]
    return _python(root, "-m", "bench", root, out, PYTHONPATH=os.pathsep.join(map(str, places)))


def _python(root: str, *words: str, **environ: str) -> int:
    """Run Python in the caller's environment, less what would make the SCons of a test behave like this one."""
    clean = {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"} | environ
    return subprocess.run([sys.executable, *words], cwd=root, env=clean, check=False).returncode

# SPDX-License-Identifier: MIT
"""The targets of SConstruct that print instead of making files: info, check, demo, test, bench. Each returns an exit status."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from .. import templating
from ..arch import ARCHES
from ..errors import VdsoError
from ..image.reader import read_vdso
from ..policy.decide import parse_policy
from ..show.info import describe
from ..variables import pages_beside
from ..verify import Beside, verify
from ..verify.findings import report_text
from .files import read_file

FAILED = 2


def info(path: str, arch: str, overrides: str) -> int:
    """Print what the base at `path` has in it, and what becomes of its exports with these `overrides` of the policy."""
    base = read_vdso(path, read_file(Path(path)), ARCHES[arch])
    values = describe(base, parse_policy(overrides, base.arch), coloured=_takes_colours())
    print(templating.render("info.txt.j2", **values), end="", flush=True)
    return 0


def _takes_colours() -> bool:
    """Tell whether the output is a terminal with colours, whose user did not decline them (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def check(path: str, arch: str, data: str) -> int:
    """Print the findings of all consumers of the image at `path`, beside which the pages `data` of the kernel lie."""
    if not path:
        raise VdsoError("IMAGE", "missing", "name the image, as in `check IMAGE=build/vdso.so`")
    pages = pages_beside(data)
    report = verify(read_file(Path(path)), ARCHES[arch], None if pages is None else Beside(*pages), name=path)
    print(report_text(report, path), end="", flush=True)
    return FAILED if report.findings else 0


def test(root: str, arguments: str, only: str) -> int:
    """Run pytest, as it is in the environment that runs SCons.

    only    the architecture whose tests run, and those that name none; "": all run

    A process that dies is not started anew: the run would never end, as pytest-xdist gives nobody the rest of its group.
    """
    words = ("-n", "auto", "--dist", "loadgroup", "--max-worker-restart", "0")
    limit = [f"--arch={only}"] if only else []
    return _python(root, "-m", "pytest", *words, *limit, *shlex.split(arguments))


def demo(root: str, out: str, settings: list[str]) -> int:
    """Run the example kernels under QEMU, with and without the vDSO that lies in `out` and was made with these settings."""
    return _python(root, str(Path(root, "examples", "demo.py")), out, *settings)


def bench(root: str, out: str) -> int:
    """Count instructions a call and measure build times. Python finds there the library, and what tests and demo share."""
    places = [Path(root, *words) for words in (("tests",), ("tests", "support"), ("examples",), ("site_scons", "site_tools"))]
    return _python(root, "-m", "bench", root, out, PYTHONPATH=os.pathsep.join(map(str, places)))


def _python(root: str, *words: str, **environ: str) -> int:
    """Run Python in the caller's environment without SCONSFLAGS, which would change the SCons of a test."""
    clean = {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"} | environ
    return subprocess.run([sys.executable, *words], cwd=root, env=clean, check=False).returncode

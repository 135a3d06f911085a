# SPDX-License-Identifier: MIT
"""The vDSO of the very Linux that the tests run on, whose architecture is one of ours, as a process has it."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from repository import ROOT
from scons_build import build
from vdso.arch import ARCHES
from vdso.verify import verify

DUMP = ROOT / "site_scons" / "site_tools" / "vdso" / "extract" / "dump_vdso.py"


def test_an_image_is_made_of_it(tmp_path: Path) -> None:
    arch = ARCHES[platform.machine()]
    subprocess.run([sys.executable, DUMP, tmp_path], check=True, capture_output=True)
    image = (build(tmp_path / "out", f"ARCH={arch.name}", f"BASE={tmp_path / 'vdso.so'}") / "vdso.so").read_bytes()
    assert verify(image, arch).findings == ()

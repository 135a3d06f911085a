# SPDX-License-Identifier: MIT
"""The sabotages of test_verify on an image that the whole way through the house made: it is no friendlier than ours()."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from image_builder import Patch
from repository import ROOT
from vdso.arch.riscv64.facts import RISCV64
from vdso.verify import verify
from verify.sabotages import SABOTAGES, Sabotage

# Stubs have unwind information, and the section table ends the file: here these break more than one rule, or can't be made.
ELSEWHERE = {"__vdso_gettimeofday from 0x10000", "__vdso_clock_gettime ends at", "the file has 0xfff bytes"}
CHANGES = [s for s in SABOTAGES if s.change is not None and s.text not in ELSEWHERE]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("finished")
    environment = {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"}
    command = [sys.executable, "-m", "SCons", "-Q", "-C", str(ROOT), "BASE=minimal", f"OUT={out}"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return Path(out, "vdso.so").read_bytes()


def test_nothing_is_found(finished: bytes) -> None:
    assert verify(finished, RISCV64).findings == ()


@pytest.mark.parametrize("sabotage", CHANGES, ids=lambda s: f"{s.rule}: {s.text}")
def test_a_sabotage_breaks_one_rule_and_only_it(finished: bytes, sabotage: Sabotage) -> None:
    patch = Patch(finished)
    assert sabotage.change is not None
    sabotage.change(patch)
    assert patch.image != finished
    assert verify(patch.image, RISCV64).broken == (sabotage.rule,)

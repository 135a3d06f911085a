# SPDX-License-Identifier: MIT
"""What demo and bench measure on this very machine: the figures that they print, and which images they measure."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import Any

import native
import pytest
from kernel_builds import build_vdso
from machines import MACHINES
from native import Native, NativeError, Turn, why_not

HERE = MACHINES[platform.machine()]
FACTS: dict[str, Any] = {"counter_offset": 0, "data_offset": 4096}
TURNS = (Turn(20.0, 25.0, 100.0), Turn(30.0, 60.0, 120.0), Turn(24.0, 24.0, 240.0))


def test_of_the_ratios_of_all_turns_the_one_in_the_middle_counts() -> None:
    found = Native(TURNS, 2_500_000_000, "tsc")
    assert (found.of_linux, found.ratio) == (0.8, 5.0)
    assert str(found).splitlines() == [
        "native vdso=ours ns_per_call=20.0 ticks_per_call=50.0",
        "native vdso=linux ns_per_call=24.0 ticks_per_call=60.0",
        "native vdso=off ns_per_call=100.0 ticks_per_call=250.0",
        "native ratio=5.0 of_linux=0.80 from=0.50 to=1.00 turns=3 clocksource=tsc",
    ]
    assert found.report()["turns"][1] == {"ours": 30.0, "linux": 60.0, "syscall": 120.0}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (FACTS, None),
        (FACTS | {"counter_offset": 8}, "its counter is in a page of a device"),
        (FACTS | {"data_offset": None}, "it has no data page, and this machine"),
    ],
)
def test_which_images_can_be_measured(facts: dict[str, Any], reason: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = why_not(facts, HERE)
    assert found is None if reason is None else found is not None and found.startswith(reason)
    monkeypatch.setattr(platform, "machine", lambda: "another")
    assert why_not(facts, HERE) == ""


@pytest.fixture(scope="module")
def vdso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_vdso(tmp_path_factory.mktemp("native") / "vdso", arch=HERE.arch)


def test_this_machine_runs_the_image(vdso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a call takes is nothing that a test may ask for."""
    monkeypatch.setattr(native, "TURNS", 2)
    found = native.measure(vdso, HERE, native.build(HERE, tmp_path / "program"))
    assert len(found.turns) == 2
    assert all(min(turn.ours, turn.linux, turn.syscall) > 0 for turn in found.turns)
    assert 10_000 < found.hz < 10**11
    assert re.search(r"\bturns=2 clocksource=\w", str(found))


def test_an_image_that_does_not_run_is_an_error(vdso: Path, tmp_path: Path) -> None:
    (tmp_path / "vdso.so").write_bytes((vdso / "vdso.so").read_bytes()[:-1])
    (tmp_path / "vdso.json").write_text(json.dumps(FACTS))
    with pytest.raises(NativeError, match=r"status 127: launcher: .*vdso\.so: not an image"):
        native.measure(tmp_path, HERE, native.build(HERE, tmp_path / "program"))

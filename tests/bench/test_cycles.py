# SPDX-License-Identifier: MIT
"""Cycles of a call on models of cores: the bar against Linux's own, and what the table says where a model is missing."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from arch.riscv64 import scheduled

from bench import cycles
from bench.architectures import MEASURED
from bench.limits import CYCLES_LIMIT
from bench.linux_bases import compared
from bench.modes import MODES, Mode, make
from bench.subject import Subject, ours, theirs

RISCV64 = MEASURED["riscv64"]
MISSED = {"SiFive P670": 0.91, "XiangShan Nanhu": 0.96}
"""Where one call alone misses the bar: it has two multiplications in a row, Linux's one. docs/performance.md tells it."""


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """Return ours with a data page and without one, and Linux's own."""
    base = compared(tmp_path_factory.mktemp("base"))
    made = make(tmp_path_factory.mktemp("blobs"), base, [MODES[0], Mode("none", 10**7)])
    linux = theirs(base, RISCV64)
    assert linux
    return [*(ours(one, RISCV64) for one in made), linux]


def test_a_call_takes_less_than_that_of_linux(subjects: list[Subject], tmp_path: Path) -> None:
    found, missing = cycles.rows(subjects, tmp_path)
    if missing:
        assert found
    linux = subjects[-1].name
    for row in found:
        following, alone = cycles.ratios(row, "after", linux)
        assert following <= CYCLES_LIMIT, row
        assert alone <= MISSED.get(row["core"], CYCLES_LIMIT), row
        without, _ = cycles.ratios(row, "none 10 MHz", linux)
        assert without <= CYCLES_LIMIT, row
    assert {row["core"] for row in found} >= MISSED.keys() - {name for line in missing for name in MISSED if name in line}


def test_the_table_compares_ours_with_linux() -> None:
    row = {"model": "rvsim", "core": "a core", "cycles": {"after": (10.0, 12), "Linux 7.2.13": (20.0, 48)}}
    shown = cycles.text([row], ["no cycles of llvm-mca"]).splitlines()
    assert shown[2].split() == ["after", "Linux", "7.2.13", "after", ":", "Linux", "7.2.13"]
    assert shown[3].split() == ["rvsim", "a", "core", "10.0", "/", "12", "20.0", "/", "48", "0.50", "/", "0.25"]
    assert shown[-1] == "no cycles of llvm-mca"


def test_without_models_the_table_says_so_in_a_line_each(
    subjects: list[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(cycles, "version", absent)
    monkeypatch.setenv("PATH", str(tmp_path))
    found, missing = cycles.rows(subjects, tmp_path)
    assert found == []
    assert missing == [
        "no cycles of rvsim: it is not installed; ./sconsw bench does that",
        "no cycles of llvm-mca: not found; install llvm (Debian: apt-get install llvm)",
    ]
    assert cycles.text(found, missing).splitlines()[2:] == missing


def test_an_llvm_without_a_model_is_told(subjects: list[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(cycles, "version", absent)
    monkeypatch.setattr(scheduled, "newest", lambda: "llvm-mca-13")
    monkeypatch.setattr(scheduled, "models", lambda _tool: frozenset({"rocket-rv64"}))
    monkeypatch.setattr(scheduled, "cycles", lambda *_: 100)
    found, (_, line) = cycles.rows(subjects, tmp_path)
    assert [row["core"] for row in found] == ["Rocket"]
    assert line.startswith("llvm-mca-13 has no model of SiFive U74, SiFive P450,")


def test_a_wrong_time_is_not_counted(subjects: list[Subject], tmp_path: Path) -> None:
    first = subjects[0]
    assert first.start is not None
    with pytest.raises(AssertionError, match="after"):
        cycles.rows([replace(first, start=replace(first.start, monotonic=1))], tmp_path)


def test_a_longer_chain_takes_longer() -> None:
    tool = scheduled.newest()
    assert tool
    block = "mulhu a0, a0, a1\n"
    for core in scheduled.CORES.values():
        if core in scheduled.models(tool):
            assert scheduled.cycles(tool, core, block * 3, 1) > scheduled.cycles(tool, core, block * 2, 1) + 1, core

# SPDX-License-Identifier: MIT
"""Every compiler that Debian has makes an image that holds, about as fast as gcc 12's (docs/performance.md), and takes vdso.h.

Tests that run only if this file is named: gigabytes are downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from arch.riscv64.code_shape import faults
from debian_compilers import COMPILERS, Packages, Programs, unpacked
from emit.strict import C_STANDARDS, STRICT, accepted, clean, every_call
from repository import ROOT
from scons_build import build

from bench.architectures import MEASURED
from bench.calls import CLOCKS
from bench.counting import counts
from bench.modes import Made, Mode, make
from bench.subject import ours

DOCUMENT = ROOT / "docs" / "performance.md"
HEAD = "| compiler | linker | clock_gettime | gettimeofday | clock_getres | no page | bytes |"
GNU_LD = "riscv64-linux-gnu-ld"
MOST = {"clock_gettime": 30 + 2, "gettimeofday": 32 + 2}
MOST_WITHOUT_PAGE = 23 + 2
"""Instructions: the budgets of gcc 12, and two for another compiler. Who takes more is named in the document."""


@dataclass(frozen=True)
class By(Mode):
    """A mode whose blob these programs make."""

    cc: str = ""
    ld: str = ""

    @property
    def settings(self) -> dict[str, str]:
        return super().settings | {"VDSO_CC": self.cc, "VDSO_LD": self.ld}


@pytest.fixture(scope="module", params=COMPILERS, ids=lambda compiler: compiler.name.replace(" ", "-"))
def compiler(request: pytest.FixtureRequest) -> Iterator[tuple[Packages, Programs]]:
    with unpacked(request.param) as programs:
        yield request.param, programs


def row(compiler: str, linkers: str, page: Made, none: Made) -> str:
    """Return the line of the document."""
    counted = [
        {(call.export, call.case): n.instructions for call, n in counts(ours(made, MEASURED["riscv64"])).items()}
        for made in (page, none)
    ]
    served = {counted[0]["clock_gettime", clock] for clock in CLOCKS}
    sizes = {export["name"].removeprefix("__vdso_"): export["size"] for export in page.facts["exports"]}
    numbers = (
        max(n or 99 for n in served),
        counted[0]["gettimeofday", ""],
        counted[0]["clock_getres", "MONOTONIC"],
        counted[1]["clock_gettime", "MONOTONIC"],
        " ".join(str(sizes[export]) for export in ("clock_gettime", "gettimeofday", "clock_getres")),
    )
    return f"| {compiler} | {linkers} | {' | '.join(map(str, numbers))} |"


def test_it_makes_what_the_document_says(compiler: tuple[Packages, Programs], tmp_path: Path) -> None:
    """With clang by its own lld, and by GNU ld."""
    packages, programs = compiler
    linkers = {"lld": str(programs.ld), "GNU ld": GNU_LD} if packages.family == "clang" else {"GNU ld": str(programs.ld)}
    rows = set()
    for name, ld in linkers.items():
        modes = [By(page, hz, str(programs.cc), ld) for page, hz in (("after", None), ("none", 10_000_000))]
        page, none = make(tmp_path / name, "minimal", modes)
        for made in (page, none):
            for export in made.facts["exports"]:
                if export["policy"] in ("replace", "syscall"):
                    assert faults(made.image, export["address"], export["size"]) == [], (made.mode, export["name"])
        rows.add(row(packages.name, ", ".join(linkers), page, none))
    (found,) = rows
    assert found in DOCUMENT.read_text(), programs.version


def test_the_header_is_clean(compiler: tuple[Packages, Programs], tmp_path: Path) -> None:
    _, programs = compiler
    for setting, words in {"page": (), "none": ("DATA_PAGE=none", "TIMEBASE_HZ=5800000000")}.items():
        header = build(tmp_path / setting, "BASE=minimal", *words) / "vdso.h"
        common = (*STRICT, f'-DKERNEL_HEADER="{header}"', every_call(setting))
        for standard, pedantic in C_STANDARDS.items():
            accepted(tmp_path, programs.cc, f"-std={standard}", *pedantic, "-fsyntax-only", *common)
        for level in ("-O0", "-O2"):
            clean(tmp_path, programs.cc, level, *common)


def table() -> list[list[str]]:
    """Return the cells of the document's rows."""
    lines = DOCUMENT.read_text().split(HEAD + "\n", 1)[1].splitlines()[1:]
    rows = [line for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("|"))]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]


def test_the_document_has_every_compiler_and_names_what_is_slower() -> None:
    rows = table()
    assert [cells[0] for cells in rows] == [compiler.name for compiler in COMPILERS]
    slower = [name for name, _, clock, day, *_ in rows if int(clock) > MOST["clock_gettime"] or int(day) > MOST["gettimeofday"]]
    without = [name for name, *_, bare, _ in rows if int(bare) > MOST_WITHOUT_PAGE]
    text = DOCUMENT.read_text().split(HEAD, 1)[1]
    for said, names in (("more than two above the budget", slower), ("more than two above the budget of 23", without)):
        told = re.search(rf"{said}: (.*?)\.", text, re.S)
        assert (re.split(r",\s+", told[1]) if told else []) == names, said

# SPDX-License-Identifier: MIT
"""docs/your-kernel.md: its numbers are those of QEMU and of the sources, and the names in it are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from kernels.selftest_report import ADDRESS, COUNTER, RESTARTED
from kernels.selftest_report import COST as TRAPS
from repository import ROOT, SOURCES
from scons_build import build
from syscall_numbers import numbers

PAGE = (ROOT / "docs" / "your-kernel.md").read_text()


def rows(head: str) -> list[list[str]]:
    """Return the cells of the table whose first line begins so."""
    lines = PAGE[PAGE.index(f"\n| {head} |") + 1 :].splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:end]]


@pytest.mark.parametrize("machine", ["virt", "spike", "sifive_u"])
def test_the_frequency_of_a_machine_of_qemu(machine: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree.dtb"
    dump = ["qemu-system-riscv64", "-M", f"{machine},dumpdtb={tree}", "-nographic"]
    done = subprocess.run(dump, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read = subprocess.run(
        ["fdtget", "-t", "u", tree, "/cpus", "timebase-frequency"], capture_output=True, text=True, check=True
    )
    (told,) = (row[1] for row in rows("machine") if f"`{machine}`" in row[0])
    assert told == read.stdout.strip()


def test_every_board_has_a_frequency_that_the_page_takes_and_a_source() -> None:
    header = (SOURCES / "vdso_data.h").read_text()
    least, most = (int(re.findall(rf"#define VDSO_HZ_{end} (\d+)u", header)[0]) for end in ("MIN", "MAX"))
    boards = rows("machine")
    assert len(boards) > 8
    for machine, told, source in boards:
        assert all(least <= int(hz) <= most for hz in told.split(", ")), machine
        assert source == "the same" or re.search(r"QEMU \d|arch/riscv/boot/dts/\w+$", source), machine


def test_the_numbers_of_system_calls_are_those_that_the_stubs_make() -> None:
    names = {number: name.lower() for name, number in numbers("riscv64").items()}
    made = set(re.findall(r"VDSO_NR_(\w+)", "\n".join(path.read_text() for path in SOURCES.glob("*.c"))))
    made |= set(re.findall(r"VDSO_NR_(\w+)", (SOURCES / "riscv64" / "own_syscalls.c").read_text())) | {"RT_SIGRETURN"}
    table = {int(number): name.strip("`") for number, name, _ in rows("number")}
    assert {name.removeprefix("riscv_") for name in table.values()} == {name.lower().removeprefix("riscv_") for name in made}
    assert all(names[number].removeprefix("riscv_") == name.removeprefix("riscv_") for number, name in table.items())


def test_its_names_are_there(tmp_path: Path) -> None:
    page, none = (build(tmp_path / name, "BASE=minimal", *words) for name, words in
                  {"page": (), "none": ("DATA_PAGE=none", "TIMEBASE_HZ=1000000")}.items())  # fmt: skip
    headers = (page / "vdso.h").read_text() + (none / "vdso.h").read_text()
    names = set(
        re.findall(r"\b(?:vdso_(?!data_page\b)\w+|VDSO_\w*[A-Z0-9])\b", re.sub(r"SCONS_VDSO_|`VDSO_`|`vdso_`", "", PAGE))
    )
    assert len(names) > 15
    assert {name for name in names if not re.search(rf"\b{name}\b", headers)} == set()
    modules = (page / "vdso.rs").read_text() + (none / "vdso.rs").read_text()
    assert {name for name in re.findall(r"vdso::(\w+)", PAGE) if f"pub fn {name}" not in modules} == set()


def test_what_it_says_of_the_selftest_are_tests_of_it() -> None:
    quoted = re.findall(r"vdso-selftest: \*(.+?)\*", " ".join(PAGE.split()))
    assert len(quoted) >= 3
    assert set(quoted) <= {ADDRESS, COUNTER, RESTARTED, TRAPS}

# SPDX-License-Identifier: MIT
"""vdso-selftest on kernels that are none of ours or examples: right ones, and each wrong arrangement, which it must tell."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from debian_packages import kernel_image
from kernel_builds import KERNELS, build_kernel, kernel, minimal
from kernels import linux_guest
from kernels.program_builds import launcher, static
from kernels.selftest_report import (  # fmt: skip
    CLOCKS,
    CONTENT,
    COST,
    DATA,
    ENTRY,
    FAULTS,
    SECOND,
    THREADS,
    Report,
    read_tap,
    selftest,
)
from qemu import boot

SECONDS = 90

# Where QEMU in user mode is the kernel, its clocks are not those of the page, and its mprotect() is the host's.
HOSTS_OWN = re.compile(r"mprotect|clock_gettime\(|gettimeofday|clock_getres|MONOTONIC")


# ---- With QEMU in user mode as the kernel: fast, but only what does not depend on its clocks.


def launched(*options: str) -> Report:
    """Run the launcher with options. Return the report without the lines that the host answers in place of the kernel."""
    out = minimal()
    offset = json.loads((out / "vdso.json").read_text())["data_offset"]
    command = ["qemu-riscv64", launcher(), *options, out / "vdso.so", str(offset), selftest()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    found = read_tap(done.stdout)
    assert done.returncode == bool(found.failures), found.text
    return replace(found, failures={name: why for name, why in found.failures.items() if not HOSTS_OWN.match(name)})


def test_the_right_arrangement() -> None:
    found = launched()
    assert not found.failures, found.text
    assert not found.skips, found.text
    assert "# it is one of scons-vdso, and wants its data page at 0x300001000\n" in found.notes
    assert re.search(r"^# clock_gettime\(MONOTONIC\): vDSO \d+ ns, system call \d+ ns$", found.text, re.M)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--auxv=no", ENTRY),
        ("--image=write", "the image can't be written"),
        ("--page=write", "the data page can't be written"),
        ("--page=zero", CONTENT),
        ("--page=none", DATA),
    ],
)
def test_a_wrong_arrangement(option: str, name: str) -> None:
    found = launched(option)
    assert set(found.failures) == {name}, found.text


def test_qemu_itself_gives_no_vdso() -> None:
    done = subprocess.run(["qemu-riscv64", selftest()], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 1
    assert set(read_tap(done.stdout).failures) == {ENTRY}


# ---- On the example kernels, and on Linux.

# What is replaced in the file of each kernel that a reader copies. None: nothing, and `vdso=off` says it to the kernel.
Text = tuple[str, str]
C_DATA, RUST_DATA = "const unsigned data_access = READ;", "const DATA_ACCESS: usize = READ;"
C_IMAGE, RUST_IMAGE = "const unsigned image_access = READ | EXEC;", "const IMAGE_ACCESS: usize = READ | EXECUTE;"
C_PAGE = "mm_map_kernel(VDSO_LOAD_ADDR + VDSO_DATA_OFFSET, &page, data_access);"
RUST_PAGE = "let data = &raw const DATA as usize;"
C_READ, RUST_READ = "vdso_data_read(&page.data, clock, vdso_counter(),", "DATA.0.read(clock, counter())"
WRONG: dict[str, tuple[dict[str, Text | None], dict[str, str]]] = {
    "no auxv entry": ({"c": None, "rust": None}, {ENTRY: "put AT_SYSINFO_EHDR (33)"}),
    "image writable": (
        {
            "c": (C_IMAGE, C_IMAGE.replace("READ", "READ | WRITE")),
            "rust": (RUST_IMAGE, RUST_IMAGE.replace("READ", "READ | crate::memory::WRITE")),
        },
        {"the image can't be written": "map the image R-X for the user, without W"},
    ),
    "page writable": (
        {
            "c": (C_DATA, C_DATA.replace("READ", "READ | WRITE")),
            "rust": (RUST_DATA, RUST_DATA.replace("READ", "READ | crate::memory::WRITE")),
        },
        {"the data page can't be written": "map the data page R-- for the user, without W"},
    ),
    "page executable": (
        {
            "c": (C_DATA, C_DATA.replace("READ", "READ | EXEC")),
            "rust": (RUST_DATA, RUST_DATA.replace("READ", "READ | EXECUTE")),
        },
        {"the data page can't be executed": "map the data page R-- for the user, without X"},
    ),
    "counter bit clear": (
        {
            "c": ("csr_set(scounteren, 1 << 1 /* TM */);", "csr_clear(scounteren, 1 << 1);"),
            "rust": ('csr!("csrs", "scounteren", COUNTEREN_TM);', 'csr!("csrc", "scounteren", COUNTEREN_TM);'),
        },
        {COST: "scounteren.TM"},
    ),
    "page of another": (
        {
            "c": (C_PAGE, "static union vdso_data_page other;" + C_PAGE.replace("&page", "&other")),
            "rust": (RUST_PAGE, "static OTHER: VdsoDataPage = VdsoDataPage::new(); let data = &raw const OTHER as usize;"),
        },
        {CONTENT: "or map the page that you called it on"},
    ),
    "a clock of its own": (
        {
            "c": (C_READ, C_READ.replace("counter()", "counter() - 100000")),
            "rust": (RUST_READ, RUST_READ.replace("counter()", "counter() - 100000")),
        },
        dict.fromkeys(CLOCKS | {"gettimeofday", SECOND, THREADS}, ""),
    ),
}
FILES = {"c": "vdso_kernel.c", "rust": "src/vdso_kernel.rs"}
on_qemu = pytest.mark.xdist_group("qemu")


def booted(elf: Path, folder: Path, vdso: str = "on") -> Report:
    run = boot(elf, selftest(), [f"vdso={vdso}"], harts=2, seconds=SECONDS, log=folder / "guest.txt")
    found = read_tap(run.text)
    assert run.exit == bool(found.failures), found.text
    return found


@on_qemu
@pytest.mark.parametrize("name", KERNELS)
def test_an_example_kernel(name: str, tmp_path: Path) -> None:
    found = booted(kernel(name), tmp_path)
    assert not found.failures, found.text
    assert not found.skips, found.text
    assert "# faults are caught by a signal handler\n" in found.notes


@on_qemu
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", KERNELS)
def test_a_wrong_example_kernel(name: str, wrong: str, tmp_path: Path) -> None:
    texts, failures = WRONG[wrong]
    text = texts[name]
    elf = build_kernel(name, tmp_path, {FILES[name]: text}) if text else kernel(name)
    found = booted(elf, tmp_path, "on" if text else "off")
    assert set(found.failures) == set(failures), found.text
    for test, words in failures.items():
        assert words in found.failures[test]


@on_qemu
def test_on_linux(tmp_path: Path) -> None:
    programs = {"init": static("init", "glibc"), "vdso-selftest": selftest()}
    guest = linux_guest.boot(tmp_path, kernel_image(), programs, [["vdso-selftest"]])
    found = read_tap("\n".join(guest.lines["vdso-selftest"]) + "\n")
    assert guest.status["vdso-selftest"] == 0, found.text
    assert "# it is none of scons-vdso\n" in found.notes
    unknown = {DATA, CONTENT, *FAULTS - {"the image can't be written"}}
    assert set(found.skips) - {"DT_HASH leads to every export"} == unknown | {"the other exports"}, found.text

# SPDX-License-Identifier: MIT
"""vdso-selftest on kernels that are none of ours or examples: right ones, and each wrong arrangement, which it must tell."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
from debian_packages import kernel_image
from kernel_builds import ALL_KERNELS, Replace, build_kernel, build_vdso, kernel, minimal
from kernels.linux_guest import Linux
from kernels.program_builds import launcher
from kernels.selftest_report import (  # fmt: skip
    CLOCKS,
    CONTENT,
    COST,
    COUNTER,
    DATA,
    DATA_COPYOUT,
    ENTRY,
    FAULTS,
    HANDLER,
    IMAGE,
    IMAGE_COPYOUT,
    RESTARTED,
    SECOND,
    THREADS,
    Report,
    copyout_into_image,
    read_tap,
    selftest,
)
from machines import MACHINES, machine_of
from qemu import boot
from vdso.arch import ARCHES
from vdso.arch.riscv64.facts import RISCV64

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


def test_on_what_qemu_itself_gives() -> None:
    """QEMU 7.2 gives programs no vDSO, and QEMU 10 one of its own, which is right."""
    done = subprocess.run(["qemu-riscv64", selftest()], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (done.returncode, set(read_tap(done.stdout).failures)) in ((1, {ENTRY}), (0, set())), done.stdout


# ---- On the example kernels, and on Linux.

# What is replaced, in the file of each kernel that a reader copies if no other is named. None: nothing, and `vdso=off` says
# it to the kernel.
FILES = {"c": "vdso_kernel.c", "rust": "src/vdso_kernel.rs"}
C_DATA, RUST_DATA = "const uint64_t data_access = READ;", "const DATA_ACCESS: usize = READ;"
C_IMAGE, RUST_IMAGE = "const uint64_t image_access = READ | EXEC;", "const IMAGE_ACCESS: usize = READ | EXECUTE;"
C_PAGE = "mm_map_kernel(VDSO_LOAD_ADDR + VDSO_DATA_OFFSET, &page, data_access);"
RUST_PAGE = "let data = &raw const DATA as usize;"
C_READ, RUST_READ = "vdso_data_read(&page.data, clock, counter(),", "DATA.0.read(clock, counter())"
C_SET, RUST_SET = "clock_set_realtime(counter(), (int64_t)", "update.set_realtime(now, (ns"
C_COPY = "return copy(to, (void *)(uintptr_t)from, size, WRITE, 1);"
RUST_COPY = "self.parts(address, from.len(), machine::WRITE, |part, at|"
INTO_PAGE, DATA_FREE = "INTO_PAGE", 0xDE0  # stands for an address, and where in the page that is
INTO_IMAGE = "INTO_IMAGE"  # stands for what the report says of the image, which nobody knows before that is made
AHEAD = "AHEAD"  # stands for the first two digits of what 100 s of the counter are
WALL = {f"clock_gettime({name})" for name in ("REALTIME", "REALTIME_COARSE", "TAI")} | {"gettimeofday"}


@dataclass(frozen=True)
class Wrong:
    """A wrong kernel: what is replaced in the C and in the Rust one, and what the selftest says of it."""

    c: tuple[str, str] | None
    rust: tuple[str, str] | None
    failures: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=lambda: FILES)

    def replaces(self, name: str) -> Replace:
        language = ALL_KERNELS[name].language
        text = {"c": self.c, "rust": self.rust}[language]
        return {self.files[language]: text} if text else {}


def replaced(c: str, c_old: str, c_new: str, rust: str, rust_old: str, rust_new: str, failures: Mapping[str, str]) -> Wrong:
    return Wrong((c, c.replace(c_old, c_new)), (rust, rust.replace(rust_old, rust_new)), failures)


WRONG = {
    "no auxv entry": Wrong(None, None, {ENTRY: "put AT_SYSINFO_EHDR (33)"}),
    "image writable": replaced(
        C_IMAGE, "READ", "READ | WRITE", RUST_IMAGE, "READ", "READ | machine::WRITE",
        {"the image can't be written": "map the image R-X for the user, without W"},
    ),
    "page writable": replaced(
        C_DATA, "READ", "READ | WRITE", RUST_DATA, "READ", "READ | machine::WRITE",
        {"the data page can't be written": "map the data page R-- for the user, without W"},
    ),
    "page executable": replaced(
        C_DATA, "READ", "READ | EXEC", RUST_DATA, "READ", "READ | EXECUTE",
        {"the data page can't be executed": "map the data page R-- for the user, without X"},
    ),
    "copyout looks for reading": Wrong(
        (C_COPY, C_COPY.replace("WRITE", "READ")),
        (RUST_COPY, RUST_COPY.replace("WRITE", "READ")),
        {
            IMAGE_COPYOUT: f"clock_gettime, {INTO_IMAGE}",
            DATA_COPYOUT: f"clock_gettime, asked to write at {INTO_PAGE}, answers 0 and has changed what lies there",
        },
        {"c": "mm.c", "rust": "src/memory.rs"},
    ),
    "counter bit clear": Wrong(
        ("counter_allow(1);", "counter_allow(0);"),
        ("machine::allow_counter(true);", "machine::allow_counter(false);"),
        {COST: "scounteren.TM"},
    ),
    "page of another": Wrong(
        (C_PAGE, "static union vdso_data_page other;" + C_PAGE.replace("&page", "&other")),
        (RUST_PAGE, "static OTHER: VdsoDataPage = VdsoDataPage::new(); let data = &raw const OTHER as usize;"),
        {CONTENT: "or map the page that you called it on"},
    ),
    "a clock of its own": replaced(
        C_READ, "counter()", "counter() - 100000", RUST_READ, "counter()", "counter() - 100000",
        dict.fromkeys(CLOCKS | {"gettimeofday", SECOND, THREADS}, ""),
    ),
    "REALTIME never set": Wrong(
        ("clock_set_realtime(counter(),", "if (0)\n\t\tclock_set_realtime(counter(),"),
        (
            "update(set).expect(",
            "let _ = set; Some(()).expect(",
        ),
        dict.fromkeys(WALL, "vdso_data_set_realtime(), with 0 s where nobody knows the time"),
    ),
    "a counter that started anew": replaced(
        C_SET, "counter()", "counter() + 100 * timebase_hz", RUST_SET, "now", "now + 100 * timebase_hz",
        {RESTARTED: f"clock 0 starts when the counter is {AHEAD}"},
    ),
}  # fmt: skip
on_qemu = pytest.mark.xdist_group("qemu")
OTHERWISE: dict[tuple[str, str], Mapping[str, str]] = {
    ("aarch64", "counter bit clear"): {COUNTER: "cntvct_el0 raises signal 4: set CNTKCTL_EL1.EL0VCTEN (the kernel's)"},
    ("x86_64", "counter bit clear"): {COUNTER: "rdtsc raises signal 11: set CR4.TSD, which must be 0 (the kernel's)"},
}
"""Architecture and fault, to what the selftest says of it there: where there is no firmware that could answer a read."""
PASSED_ON = {("riscv64", "counter bit clear"): {COUNTER: "rdtime raises signal 4: set scounteren.TM (the kernel's)"}}
"""The same where firmware passes the read on to the kernel, as the OpenSBI of QEMU 10 does: that of QEMU 7.2 answers it."""
MUST_NOT_EXECUTE = "the data page can't be executed"


@cache
def always_fails(arch: str) -> frozenset[str]:
    """Return the tests that fail on every kernel of the architecture, by a fault of this machine's QEMU.

    QEMU 7.2's `ldpte` of LoongArch drops the bits 48 to 63 of an entry, and with them NX (target/loongarch/tlb_helper.c).
    """
    version = subprocess.run([MACHINES[arch].qemu[0], "--version"], capture_output=True, text=True, check=True).stdout
    return frozenset({MUST_NOT_EXECUTE} if arch == "loongarch64" and "version 7.2." in version else ())


def boots(arch: str, wrong: str) -> bool:
    """Tell whether a kernel with that fault comes as far as the program: QEMU's CSR.MISC of LoongArch can't be written."""
    return (arch, wrong) != ("loongarch64", "counter bit clear")


def never_tried(arch: str) -> frozenset[str]:
    """Return the tests for which there is nothing on the architecture: an image for aarch64 has the clock's exports alone."""
    return frozenset({"the other exports"} if arch == "aarch64" else ())


def booted(elf: Path, folder: Path, *words: str, cpus: int = 2) -> Report:
    arch = machine_of(elf).arch
    run = boot(elf, selftest(arch), words, cpus=cpus, seconds=SECONDS, log=folder / "guest.txt")
    found = read_tap(run.text)
    assert run.exit == bool(found.failures), found.text
    return found


@on_qemu
@pytest.mark.parametrize("name", ALL_KERNELS)
def test_an_example_kernel(name: str, tmp_path: Path) -> None:
    found = booted(kernel(name), tmp_path, "vdso=on")
    assert set(found.failures) == always_fails(ALL_KERNELS[name].arch), found.text
    assert set(found.skips) == never_tried(ALL_KERNELS[name].arch), found.text
    assert "# faults are caught by a signal handler\n" in found.notes


@on_qemu
@pytest.mark.parametrize(
    ("name", "wrong"), [(name, wrong) for name in ALL_KERNELS for wrong in WRONG if boots(ALL_KERNELS[name].arch, wrong)]
)
def test_a_wrong_example_kernel(name: str, wrong: str, tmp_path: Path) -> None:
    arch = ALL_KERNELS[name].arch
    facts = json.loads((minimal(arch) / "vdso.json").read_text())
    place = f"{facts['load_addr'] + facts['data_offset'] + DATA_FREE:#x}"
    replace = WRONG[wrong].replaces(name)
    elf = build_kernel(name, tmp_path, replace) if replace else kernel(name)
    found = booted(elf, tmp_path, f"vdso={'on' if replace else 'off'}")
    failures = OTHERWISE.get((arch, wrong), WRONG[wrong].failures)
    if COUNTER in found.failures:
        failures = PASSED_ON.get((arch, wrong), failures)
    # without an image there is no data page to look at
    always = always_fails(arch) if MUST_NOT_EXECUTE not in found.skips else frozenset()
    assert set(found.failures) == set(failures) | always, found.text
    for test, words in failures.items():
        said = words.replace(INTO_IMAGE, copyout_into_image(minimal(arch))).replace(INTO_PAGE, place)
        hz = MACHINES[arch].hz
        said = said.replace(AHEAD, str(100 * hz)[:2] if hz else "")
        assert said in found.failures[test]


ONE_PAGE = {
    "c": ("at < VDSO_IMAGE_SIZE; at += PAGE", "at < PAGE; at += PAGE"),
    "rust": ("(0..IMAGE_PAGES).map", "(0..IMAGE_PAGES.min(1)).map"),
}


@on_qemu
@pytest.mark.parametrize("name", ALL_KERNELS)
def test_an_example_kernel_that_maps_one_page_of_two(name: str, tmp_path: Path) -> None:
    source = tmp_path / "large.c"
    arch, language = ALL_KERNELS[name].arch, ALL_KERNELS[name].language
    page_size = MACHINES[arch].page_size
    nops = page_size // ARCHES[arch].code_unit - 100
    large = f"{ARCHES[arch].export_prefix}large"
    source.write_text(f'int {large}(void)\n{{\n\t__asm__ volatile(".rept {nops}\\n nop\\n .endr");\n\treturn 0;\n}}\n')
    blob = build_vdso(tmp_path / "vdso", f"EXTRA_SRC={source}", arch=arch)
    right = booted(build_kernel(name, tmp_path / "right", vdso=blob), tmp_path, "vdso=on")
    assert f"# image of {2 * page_size:#x} bytes at 0x300000000\n" in right.notes
    assert set(right.failures) == always_fails(arch), right.text
    elf = build_kernel(name, tmp_path / "wrong", {FILES[language]: ONE_PAGE[language]}, vdso=blob)
    wrong = booted(elf, tmp_path, "vdso=on")
    assert set(wrong.failures) == {IMAGE}, wrong.text
    first, count = page_size // SMALLEST_PAGE, 2 * page_size // SMALLEST_PAGE
    assert f"page {first} of the image's {count}, raises signal 11" in wrong.failures[IMAGE]


SMALLEST_PAGE = 4096  # in which the selftest counts


NO_SIGNALS = FAULTS | {HANDLER}


@on_qemu
@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("name", ["c", "c-loongarch64", "c-aarch64", "c-x86_64"])
@pytest.mark.parametrize(
    ("switches", "skipped"),
    [
        ("preempt=off", set()),
        ("signals=off", NO_SIGNALS),
        ("clone=off", {THREADS}),
        ("preempt=off signals=off clone=off", NO_SIGNALS | {THREADS}),
    ],
)
def test_a_kernel_that_goes_without(name: str, switches: str, skipped: set[str], cpus: int, tmp_path: Path) -> None:
    found = booted(kernel(name), tmp_path, "vdso=on", *switches.split(), cpus=cpus)
    arch = ALL_KERNELS[name].arch
    assert set(found.failures) == always_fails(arch) - skipped, found.text
    assert set(found.skips) == skipped | never_tried(arch)
    why = {name: "rt_sigaction answers -38" for name in NO_SIGNALS} | {THREADS: "no threads (clone answers -38)"}
    assert all(why[name] in found.skips[name] for name in skipped)


@on_qemu
def test_on_linux(tmp_path: Path) -> None:
    guest = Linux(RISCV64).boot(tmp_path, kernel_image(), {"vdso-selftest": selftest()}, [["vdso-selftest"]])
    found = read_tap("\n".join(guest.lines["vdso-selftest"]) + "\n")
    assert guest.status["vdso-selftest"] == 0, found.text
    assert "# it is none of scons-vdso\n" in found.notes
    unknown = {DATA, CONTENT, *FAULTS - {"the image can't be written"}}
    unknown |= {DATA_COPYOUT, RESTARTED, "the other exports"}
    assert set(found.skips) - {"DT_HASH leads to every export"} == unknown, found.text
    assert IMAGE_COPYOUT in found.passed

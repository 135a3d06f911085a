# SPDX-License-Identifier: MIT
"""vdso-selftest: what file it is, and that it tells each wrong arrangement from the right one, on every kernel at hand."""

from __future__ import annotations

import ctypes
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import kernel_side
import linux_guest
import pytest
from conftest import ROOT, bases
from debian_packages import kernel_image
from elftools.elf.elffile import ELFFile
from kernel_builds import KERNELS, build_kernel, kernel, minimal, session_folder
from kernel_side import PAGE, DataPage
from program_builds import launcher, static
from qemu import boot
from scons_build import build, scons
from small_kernel import EXECUTE, HZ, READ, WRITE, Kernel, Manners
from vdso import mark

SIZE_LIMIT = 16 * 1024
SECONDS = 90

# Where QEMU in user mode is the kernel, its clocks are not those of the page, and its mprotect() is the host's.
HOSTS_OWN = re.compile(r"mprotect|clock_gettime\(|gettimeofday|clock_getres")


@dataclass(frozen=True)
class Report:
    """What a run printed, read as TAP. `failures`: description to the reason below it; `skips`: to the reason in the line."""

    text: str
    plan: int
    passed: tuple[str, ...]
    failures: Mapping[str, str]
    skips: Mapping[str, str]

    @property
    def notes(self) -> str:
        return "".join(re.findall(r"^# .*\n", self.text, re.M))


def read_tap(text: str) -> Report:
    """The report in `text`, which may have other lines before it and behind."""
    start = text.index("TAP version 13\n1..")
    text = text[start:]
    plan = int(text.split("\n")[1].removeprefix("1.."))
    found = re.findall(r"^(not ok|ok) (\d+) - ([^#\n]*?)(?: # SKIP (.*))?\n((?:#   .*\n)*)", text, re.M)
    assert [int(number) for _, number, *_ in found] == list(range(1, plan + 1)), text
    failures = {name: reason for verdict, _, name, _, reason in found if verdict == "not ok"}
    skips = {name: why for verdict, _, name, why, _ in found if why}
    passed = tuple(name for verdict, _, name, why, _ in found if verdict == "ok" and not why)
    assert all(reason for reason in failures.values()), "a failure without a word on what to do"
    return Report(text, plan, passed, failures, skips)


@cache
def selftest() -> Path:
    out = session_folder() / "selftest"
    done = scons("selftest", f"OUT={out}")
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "vdso-selftest"


# ---- The file.


def test_it_is_made_alone_and_once(tmp_path: Path) -> None:
    made = scons("selftest", f"OUT={tmp_path}")
    assert made.returncode == 0, made.stdout + made.stderr
    assert not (tmp_path / "base.so").exists()
    assert scons("selftest", f"OUT={tmp_path}").stdout == "scons: `selftest' is up to date.\n"
    touched = scons("selftest", f"OUT={tmp_path}", "DATA_PAGE=none", "TIMEBASE_HZ=1000000")
    assert touched.stdout == "scons: `selftest' is up to date.\n", "the program does not depend on how the image is made"


def test_the_file_asks_little_of_a_loader() -> None:
    data = selftest().read_bytes()
    assert len(data) <= SIZE_LIMIT
    elf = ELFFile(io.BytesIO(data))
    assert (elf["e_type"], elf["e_machine"]) == ("ET_EXEC", "EM_RISCV")
    assert elf["e_flags"] & 0x6 == 0, "no floating point"
    segments = list(elf.iter_segments())
    assert {segment["p_type"] for segment in segments} == {"PT_LOAD", "PT_GNU_STACK"}
    loads = [segment for segment in segments if segment["p_type"] == "PT_LOAD"]
    assert [load["p_flags"] for load in loads] == [5, 6], "R-X and RW-"
    assert all(load["p_vaddr"] % 4096 == load["p_offset"] % 4096 for load in loads)
    assert elf.get_section_by_name(".symtab") is None
    assert elf.get_section_by_name(".dynsym") is None


def test_two_checkouts_make_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "a longer name of a folder"):
        root = tmp_path / name
        for part in ("site_scons", "vdso_src", "templates"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "SConstruct", root)
        command = [sys.executable, "-m", "SCons", "-Q", "selftest", "OUT=out"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        made.append((root / "out" / "vdso-selftest").read_bytes())
    assert made[0] == made[1] == selftest().read_bytes()


def test_its_mark_is_that_of_the_images() -> None:
    header = (ROOT / "vdso_src" / "selftest" / "mark.h").read_text()
    stated = dict(re.findall(r"#define MARK_(\w+) (\S+)", header))
    assert stated["OWNER"] == f'"{mark.OWNER.rstrip(bytes(1)).decode()}"'
    assert (int(stated["TYPE"], 0), int(stated["LAYOUT"])) == (mark.TYPE, mark.LAYOUT)


# ---- On a kernel in Python, which can be wrong in every way and lack everything.


@cache
def library() -> ctypes.CDLL:
    return kernel_side.build(session_folder())


def clock() -> DataPage:
    return DataPage(library()).init(HZ).set_realtime(0, 1_700_000_000, 0)


def report(manners: Manners, status: int, *arguments: str, out: Path | None = None) -> Report:
    """What it prints on a kernel with those manners; it must end with that status."""
    out = out or minimal()
    offset = json.loads((out / "vdso.json").read_text())["data_offset"]
    small = Kernel(selftest().read_bytes(), (out / "vdso.so").read_bytes(), offset or 0, clock(), manners)
    found = small.run(*arguments)
    assert found == status, small.output.decode()
    return read_tap(small.output.decode())


THREADS = "MONOTONIC does not go back between threads"
WRITES = {"the image can't be written", "the data page can't be written", "mprotect() can't make the data page writable"}
FAULTS = WRITES | {"the data page can't be executed"}
HANDLER = "signal handlers return as Linux's do"
OTHERS_LACK = frozenset(range(400)) - {64, 94}
SERVED = ("REALTIME", "MONOTONIC", "MONOTONIC_RAW", "REALTIME_COARSE", "MONOTONIC_COARSE", "BOOTTIME", "TAI")
CLOCKS = {f"clock_gettime({name})" for name in SERVED}
NOT_CLOCKS = {f"clock_gettime({name})" for name in (2, 3, 99, -1)}
TIMES = {"gettimeofday", "clock_getres"}


@pytest.mark.parametrize(
    ("manners", "note"),
    [
        (Manners(), "faults are caught by a signal handler"),
        (Manners(missing=frozenset({220})), "faults are caught by a signal handler"),
        (Manners(frame=False), "faults are caught by a signal handler"),
        (Manners(faults=False), "faults are made in child processes"),
        (Manners(sigreturn=None), "signal handlers return to 0x60000000, not to __vdso_rt_sigreturn"),
    ],
    ids=["right", "no children", "its own signal frame", "faults kill", "its own trampoline"],
)
def test_a_right_kernel(manners: Manners, note: str) -> None:
    found = report(manners, 0)
    assert set(found.skips) == {THREADS}, found.text
    assert f"# {note}" in found.notes


@pytest.mark.parametrize("place", ["before", "none"])
def test_other_places_of_the_data_page(place: str, tmp_path: Path) -> None:
    hz = [f"TIMEBASE_HZ={HZ}"] if place == "none" else []
    out = build(tmp_path, "BASE=minimal", f"DATA_PAGE={place}", *hz)
    found = report(Manners(), 0, out=out)
    if place == "none":
        assert "# it is one of scons-vdso, made with DATA_PAGE=none\n" in found.notes
        assert all("DATA_PAGE=none" in why for name, why in found.skips.items() if name != THREADS)
        assert "the data page can be read" in found.skips
    else:
        assert set(found.skips) == {THREADS}


@pytest.mark.parametrize(
    ("manners", "skipped", "why"),
    [
        (Manners(missing=frozenset({134})), {HANDLER}, "no signal handler is called"),
        (Manners(missing=frozenset({134, 220})), FAULTS | {HANDLER}, ""),
        (Manners(missing=OTHERS_LACK), FAULTS | {HANDLER} | CLOCKS | NOT_CLOCKS | TIMES, ""),
        (Manners(missing=frozenset({113})), CLOCKS | NOT_CLOCKS, "your kernel has no such system call"),
    ],
    ids=["no handlers", "no handlers, no children", "nothing", "no clock_gettime"],
)
def test_what_the_kernel_lacks_is_not_tried(manners: Manners, skipped: set[str], why: str) -> None:
    found = report(manners, 0)
    assert set(found.skips) - {THREADS} == skipped, found.text
    assert all(why in found.skips[name] for name in skipped)


def test_a_kernel_that_answers_0_to_everything() -> None:
    found = report(Manners(missing=OTHERS_LACK, unknown=0), 1)
    assert set(found.failures) == CLOCKS | NOT_CLOCKS | TIMES
    assert "answers 0 and gives no time" in found.failures["clock_gettime(2)"]
    assert {THREADS, *FAULTS} < set(found.skips)


def test_without_faults() -> None:
    found = report(Manners(faults=False, missing=frozenset({220})), 0, "nofaults")
    assert set(found.skips) - {THREADS} == FAULTS | {HANDLER}


@pytest.mark.parametrize(
    ("manners", "last"),
    [
        (Manners(sigreturn=0x800000), "a signal handler was called and could not return"),
        (Manners(faults=False), "SIGILL does not reach its handler; run me with `nofaults`"),
        (Manners(missing=frozenset({134}), load=0x40_0000, auxv=0x50_0000), "the image can't be read, or not all of it"),
        (Manners(missing=frozenset({134}), data=None), "the data page can't be read"),
        (Manners(missing=frozenset({134}), rdtime=None), "user mode can't read the counter"),
        (Manners(missing=frozenset({134}), image=READ), "functions of the vDSO can't be called"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_nothing_catches_a_fault_the_last_line_says_what_it_was(manners: Manners, last: str) -> None:
    manners = replace(manners, missing=manners.missing | {220})
    small = Kernel(selftest().read_bytes(), (minimal() / "vdso.so").read_bytes(), PAGE, clock(), manners)
    assert small.run() >= 128
    assert small.output.decode().splitlines()[-1] == f"# if the output ends here: {last}"


ZERO, OTHER = bytes(PAGE), b"\x13" * PAGE
ENTRY, ADDRESS = "AT_SYSINFO_EHDR is in the auxiliary vector", "AT_SYSINFO_EHDR is the address of a page"
IMAGE, DATA, CONTENT = "the image can be read, all of it", "the data page can be read", "the data page is initialised"
CALL, COUNTER, COST = "a call of the vDSO comes back", "user mode can read the counter", "reading the counter does not trap"
SECOND = "MONOTONIC does not go back in a second"


@pytest.mark.parametrize("by", ["handler", "child"])
@pytest.mark.parametrize(
    ("manners", "failures"),
    [
        (Manners(auxv=0), {ENTRY: "put AT_SYSINFO_EHDR (33) with the address of the image into it"}),
        (Manners(auxv=0x3_0000_0800), {ADDRESS: "the start of a page", IMAGE: "there is no ELF shared object of this machine"}),
        (Manners(auxv=0x3_0123_4000), {IMAGE: "reading there (0x301234000) faults, signal 11: map the image"}),
        (Manners(image=READ | WRITE | EXECUTE), {"the image can't be written": "map the image R-X for the user, without W"}),
        (Manners(image=READ), {CALL: "ends in signal 11: map the image R-X"}),
        (Manners(data=READ | WRITE), {"the data page can't be written": "map the data page R-- for the user, without W"}),
        (Manners(data=READ | EXECUTE), {"the data page can't be executed": "map the data page R-- for the user, without X"}),
        (Manners(data=None), {DATA: "reading at 0x300001000 faults, signal 11: map the data page R--"}),
        (Manners(page=ZERO), {CONTENT: "call vdso_data_init() on it"}),
        (Manners(page=OTHER), {CONTENT: "it is no data page, or overwritten"}),
        (Manners(rdtime=None), {COUNTER: "set scounteren.TM"}),
        (Manners(rdtime=30), {COST: "each rdtime costs about as much as a system call"}),
        (Manners(mprotect=True), {"mprotect() can't make the data page writable": "let mprotect() refuse this page"}),
        (Manners(late=50), dict.fromkeys(CLOCKS | {"gettimeofday", SECOND}, "b")),
        (Manners(late=-50), dict.fromkeys(CLOCKS | {"gettimeofday", SECOND}, "a")),
        (Manners(late=20 * HZ), dict.fromkeys(CLOCKS | {"gettimeofday", SECOND}, "b")),
    ],
    ids=[
        "no auxv entry", "auxv beside", "auxv elsewhere", "image writable", "image not executable", "page writable",
        "page executable", "no page", "page zero", "page other", "counter illegal", "counter traps", "mprotect",
        "late", "early", "very late",
    ],
)  # fmt: skip
def test_a_wrong_kernel(manners: Manners, failures: Mapping[str, str], by: str) -> None:
    found = report(replace(manners, faults=by == "handler"), 1)
    assert set(found.failures) == set(failures), found.text
    for name, words in failures.items():
        assert words in found.failures[name]


def test_a_clock_of_its_own_is_explained_once() -> None:
    found = report(Manners(late=20 * HZ), 1)
    reasons = [found.failures[f"clock_gettime({name})"] for name in SERVED]
    assert all("is 19 s behind the vDSO" in reason for reason in reasons)
    assert ["vdso_data_read()" in reason for reason in reasons] == [True] + [False] * 6


def test_a_handler_that_returns_nowhere() -> None:
    found = report(Manners(sigreturn=0x800000), 1)
    assert set(found.failures) == {HANDLER}
    assert "let it return to __vdso_rt_sigreturn" in found.failures[HANDLER]


@pytest.mark.parametrize("base", bases("riscv64-linux-*.so"), ids=lambda path: path.stem)
def test_images_of_linux_are_read_too(base: Path) -> None:
    """Not one of ours: what its data page holds is not there, so its functions fault, and nothing else is wrong."""
    image = base.read_bytes().ljust(-(-base.stat().st_size // PAGE) * PAGE, b"\0")
    small = Kernel(selftest().read_bytes(), image, 0, clock(), Manners())
    small.run()
    found = read_tap(small.output.decode())
    assert set(found.failures) <= {CALL}, found.text
    assert "it is none of scons-vdso" in found.notes
    assert {"DT_GNU_HASH leads to every export", "every export has its version"} <= set(found.passed)
    assert ("DT_HASH leads to every export" in found.skips) == ("7.2" in base.name)


# ---- With QEMU's user mode as the kernel: fast, but only what does not depend on its clocks.


def launched(*options: str) -> Report:
    """With options of the launcher, and without what the host answers in the place of the kernel."""
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
C_PAGE, RUST_PAGE = "VDSO_DATA_OFFSET, &page, data_access", "let data = &raw const DATA as usize;"
C_READ, RUST_READ = "vdso_data_read(&page.data, clock, rdtime(),", "DATA.0.read(clock, counter())"
RUST_ALL = "READ | crate::memory::WRITE | EXECUTE;"
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
        {COST: "set scounteren.TM"},
    ),
    "page of another": (
        {
            "c": (C_PAGE, "VDSO_DATA_OFFSET, &(static union vdso_data_page){0}, data_access"),
            "rust": (RUST_PAGE, "static OTHER: VdsoDataPage = VdsoDataPage::new(); let data = &raw const OTHER as usize;"),
        },
        {CONTENT: "or map the page that you called it on"},
    ),
    "a clock of its own": (
        {
            "c": (C_READ, C_READ.replace("rdtime()", "rdtime() - 100000")),
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

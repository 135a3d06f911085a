# SPDX-License-Identifier: MIT
"""vdso-selftest: what file it is, and what it tells on a kernel in Python, which can be wrong in every way and lack all."""

from __future__ import annotations

import ctypes
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import kernel_side
import pytest
from bases import bases
from debian_packages import kernel_vdso
from elftools.elf.elffile import ELFFile
from kernel_builds import minimal, session_folder
from kernel_side import PAGE, DataPage
from kernels.selftest_report import (  # fmt: skip
    ADDRESS,
    CALL,
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
    NOT_CLOCKS,
    RESTARTED,
    SECOND,
    SERVED,
    THREADS,
    TIMES,
    Report,
    copyout_into_image,
    read_tap,
    selftest,
)
from kernels.small_kernel import EXECUTE, HZ, READ, WRITE, Kernel, Manners
from repository import ROOT
from scons_build import build, scons
from vdso.elf import our_note

SIZE_LIMIT = 32 * 1024
OTHERS_LACK = frozenset(range(400)) - {64, 94}
ZERO, OTHER = bytes(PAGE), b"\x13" * PAGE


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
    assert all(load["p_vaddr"] % PAGE == load["p_offset"] % PAGE == 0 for load in loads), "loaders that map whole pages"
    assert all(load["p_filesz"] > 0 for load in loads), "loaders that pass over a segment without bytes in the file"
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
    stated = dict(re.findall(r'#define MARK_(\w+) ("[^"]*"|\S+)', header))
    assert stated["NAME"] == f'"{our_note.IMAGE.decode()}"'
    assert (int(stated["TYPE"], 0), int(stated["LAYOUT"])) == (our_note.TYPE, our_note.LAYOUT)


@cache
def library() -> ctypes.CDLL:
    return kernel_side.build(session_folder())


def clock() -> DataPage:
    return DataPage(library()).init(HZ).set_realtime(0, 1_700_000_000, 0)


def report(manners: Manners, status: int, *arguments: str, out: Path | None = None, page: DataPage | None = None) -> Report:
    """Return the report of the selftest on a kernel with those manners; the program must end with that status."""
    out = out or minimal()
    facts = json.loads((out / "vdso.json").read_text())
    image, offsets = (out / "vdso.so").read_bytes(), (facts["data_offset"], facts["counter_offset"])
    small = Kernel(selftest().read_bytes(), image, offsets[0], page or clock(), manners, offsets[1])
    found = small.run(*arguments)
    assert found == status, small.output.decode()
    return read_tap(small.output.decode())


@pytest.mark.parametrize(
    ("manners", "note"),
    [
        (Manners(), "faults are caught by a signal handler"),
        (Manners(missing=frozenset({220})), "faults are caught by a signal handler"),
        (Manners(frame=False), "faults are caught by a signal handler"),
        (Manners(faults=False), "faults are made in child processes"),
        (Manners(sigreturn=None), "signal handlers return to 0x60000000, not to __vdso_rt_sigreturn"),
        (Manners(nodefer=False), "faults are caught by a signal handler"),
        (Manners(nodefer=False, frame=False), "faults are caught by a signal handler"),
        (Manners(faults=False, stray=2), "faults are made in child processes"),
    ],
    ids=[
        "right", "no children", "its own signal frame", "faults kill", "its own trampoline", "no SA_NODEFER",
        "no SA_NODEFER, its own frame", "wait4 tells of others first",
    ],
)  # fmt: skip
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
        (Manners(missing=frozenset({134})), {HANDLER}, "rt_sigaction answers -38"),
        (Manners(missing=frozenset({129})), {HANDLER}, "kill answers -38"),
        (Manners(missing=frozenset({134, 220})), FAULTS | {HANDLER}, "rt_sigaction answers -38"),
        (Manners(missing=frozenset({134, 172})), FAULTS | {HANDLER}, "rt_sigaction answers -38"),
        (Manners(missing=frozenset({134, 260})), FAULTS | {HANDLER}, "rt_sigaction answers -38"),
        (Manners(handlers=False), {HANDLER}, "kill calls no handler, and its process ends: signal or wait status 23"),
        (Manners(missing=OTHERS_LACK), FAULTS | {HANDLER, IMAGE_COPYOUT, DATA_COPYOUT} | CLOCKS | NOT_CLOCKS | TIMES, ""),
        (Manners(missing=frozenset({113})), CLOCKS | NOT_CLOCKS, "your kernel has no such system call"),
    ],
    ids=[
        "no handlers", "no kill", "no handlers, no children", "no getpid", "no wait4", "handlers are never called", "nothing",
        "no clock_gettime",
    ],
)  # fmt: skip
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
    assert set(found.skips) - {THREADS} == FAULTS | {HANDLER, IMAGE_COPYOUT, DATA_COPYOUT}
    assert all("as you said" in found.skips[name] for name in FAULTS | {HANDLER, IMAGE_COPYOUT, DATA_COPYOUT})


@pytest.mark.parametrize(
    ("missing", "why"),
    [(220, "clone answers -38"), (172, "getpid answers -38"), (260, "wait4 answers -38")],
    ids=["clone", "getpid", "wait4"],
)
def test_why_no_fault_could_be_made_is_said_with_what_the_kernel_answered(missing: int, why: str) -> None:
    found = report(Manners(missing=frozenset({134, missing})), 0)
    assert all("(rt_sigaction answers -38)" in found.skips[name] and f"({why})" in found.skips[name] for name in FAULTS)


def test_a_child_that_does_not_end_is_ended() -> None:
    found = report(Manners(faults=False, endless=True), 0)
    assert set(found.skips) == {THREADS, "the data page can't be executed"}


@pytest.mark.parametrize(
    ("manners", "last"),
    [
        (Manners(sigreturn=0x800000), "it could not return"),
        (Manners(handlers=False), "it could not return"),
        (Manners(faults=False), "no\n# handler catches it; run me with `nofaults`"),
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
    assert re.search(rf"if the output ends here[:,] {last}\n$", small.output.decode()), small.output.decode()


@pytest.mark.parametrize("by", ["handler", "child"])
@pytest.mark.parametrize(
    ("manners", "failures"),
    [
        (Manners(auxv=0), {ENTRY: "put AT_SYSINFO_EHDR (33) with the address of the image into it"}),
        (Manners(auxv=0x3_0000_0800), {ADDRESS: "the start of a page", IMAGE: "there is no ELF shared object of this machine"}),
        (Manners(auxv=0x3_0123_4000), {IMAGE: "reading at 0x301234000, page 0 of the image's 1, raises signal 11: map"}),
        (Manners(image=READ | WRITE | EXECUTE), {"the image can't be written": "map the image R-X for the user, without W"}),
        (Manners(image=READ), {CALL: "raises signal 11: map the image R-X", HANDLER: "it raises signal 11"}),
        (Manners(data=READ | WRITE), {"the data page can't be written": "map the data page R-- for the user, without W"}),
        (Manners(data=READ | EXECUTE), {"the data page can't be executed": "map the data page R-- for the user, without X"}),
        (Manners(data=None), {DATA: "reading at 0x300001000 raises signal 11: map the data page R--"}),
        (Manners(page=ZERO), {CONTENT: "call vdso_data_init() on it"}),
        (Manners(page=OTHER), {CONTENT: "is no data page, or overwritten"}),
        (Manners(rdtime=None), {COUNTER: "rdtime raises signal 4: set scounteren.TM"}),
        (Manners(rdtime=150), {COST: "each traps, and firmware answers it"}),
        (Manners(left_blocked=1 << 10), {HANDLER: "the signal mask is 0x400, before the signal it was 0x0"}),
        (Manners(mprotect=True), {"mprotect() can't make the data page writable": "let mprotect() refuse this page"}),
        (Manners(late=250), dict.fromkeys(CLOCKS | {"gettimeofday", SECOND}, "b")),
        (Manners(late=-250), dict.fromkeys(CLOCKS | {"gettimeofday", SECOND}, "a")),
        (Manners(late=20 * HZ), dict.fromkeys(CLOCKS | {"gettimeofday", SECOND}, "b")),
    ],
    ids=[
        "no auxv entry", "auxv beside", "auxv elsewhere", "image writable", "image not executable", "page writable",
        "page executable", "no page", "page zero", "page other", "counter illegal", "counter traps", "mask",
        "mprotect", "late", "early", "very late",
    ],
)  # fmt: skip
def test_a_wrong_kernel(manners: Manners, failures: Mapping[str, str], by: str) -> None:
    found = report(replace(manners, faults=by == "handler"), 1)
    assert set(found.failures) == set(failures), found.text
    for name, words in failures.items():
        assert words in found.failures[name]


@pytest.mark.parametrize("by", ["handler", "child"])
@pytest.mark.parametrize("where", [("image",), ("data page",), ("image", "data page")], ids=" and ".join)
@pytest.mark.parametrize(
    ("call", "missing"),
    [("clock_gettime", set()), ("gettimeofday", {113, 114}), ("rt_sigaction", {113, 114, 169, 168, 135})],
)
def test_a_kernel_that_writes_for_a_process_where_that_may_not(
    call: str, missing: set[int], where: tuple[str, ...], by: str
) -> None:
    found = report(Manners(copyout=frozenset(where), missing=frozenset(missing), faults=by == "handler"), 1)
    said = {
        "image": (IMAGE_COPYOUT, copyout_into_image(minimal())),
        "data page": (DATA_COPYOUT, "asked to write at 0x300001de0, answers 0 and has changed what lies there"),
    }
    assert set(found.failures) == {said[region][0] for region in where}, found.text
    for test, words in (said[region] for region in where):
        assert f"{call}, {words}" in found.failures[test]


def disabled() -> bytes:
    page = clock()
    page.disable()
    return bytes(page)


def test_a_counter_that_is_forbidden_harms_nobody_if_the_page_is_disabled() -> None:
    found = report(Manners(rdtime=None, page=disabled()), 0)
    assert "need not: the data page is disabled" in found.skips[COUNTER]
    assert set(found.skips) == {THREADS, COUNTER, COST, RESTARTED, "gettimeofday", *CLOCKS}
    assert "nobody reads the counter" in report(Manners(rdtime=150, page=disabled()), 0).skips[COST]


@pytest.fixture(scope="module")
def with_device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("device"), "BASE=minimal", "COUNTER=mmio:0xff8")


def test_a_counter_of_a_device(with_device: Path) -> None:
    assert set(report(Manners(), 0, out=with_device).skips) == {THREADS}


@pytest.mark.parametrize(
    ("manners", "failure", "words"),
    [
        (Manners(counter=None), COUNTER, "reading at 0x300002ff8 raises signal 11: map the counter's page R-- for the user"),
        (Manners(counter=READ | WRITE), COUNTER, "it can write it too, at 0x300002ff8: map the counter's page R--"),
        (Manners(rdtime=150), COST, "on this machine the vDSO saves nothing"),
    ],
    ids=["no page", "writable", "slow"],
)
def test_a_wrong_counter_of_a_device(with_device: Path, manners: Manners, failure: str, words: str) -> None:
    found = report(manners, 1, out=with_device)
    assert set(found.failures) == {failure}, found.text
    assert words in found.failures[failure]


def test_its_page_shows_what_it_prints() -> None:
    found = report(Manners(data=READ | WRITE, missing=frozenset({134})), 1)
    shown = (ROOT / "docs" / "selftest.md").read_text().split("```\n")
    (example,) = (block for block in shown if block.startswith("not ok"))
    assert all(f"{line}\n" in found.text for line in example.splitlines())
    assert f"less than {SIZE_LIMIT // 1024} KiB" in shown[2]


def test_a_clock_of_its_own_is_explained_once() -> None:
    found = report(Manners(late=20 * HZ), 1)
    reasons = [found.failures[f"clock_gettime({name})"] for name in SERVED]
    assert all("is 19 s behind the vDSO" in reason for reason in reasons)
    assert ["vdso_data_read()" in reason for reason in reasons] == [True] + [False] * 6


def test_a_wall_clock_that_was_never_set() -> None:
    """Whether the kernel then answers by itself or not at all: the vDSO only makes its system call."""
    wall = {f"clock_gettime({name})" for name in ("REALTIME", "REALTIME_COARSE", "TAI")} | {"gettimeofday"}
    never = DataPage(library()).init(HZ)
    for found, words in (
        (report(Manners(page=bytes(never)), 1), "the vDSO only makes the system call"),
        (report(Manners(), 1, page=never), "vDSO and system call answer -22, there is no such clock"),
    ):
        assert set(found.failures) == wall, found.text
        assert all(words in why and "vdso_data_set_realtime(), with 0 s" in why for why in found.failures.values())


def test_a_page_that_asks_the_kernel_on_purpose() -> None:
    page = clock()
    page.disable()
    found = report(Manners(), 0, page=page)
    assert set(found.skips) == {THREADS, COST, "gettimeofday", *CLOCKS}
    assert all("vdso_data_disable() was called" in found.skips[name] for name in CLOCKS)


def test_a_counter_that_has_started_anew() -> None:
    """REALTIME was set when the counter was far ahead of where it is now, and then stands still until it is there again."""
    page = DataPage(library()).init(HZ).set_realtime(5000 * HZ, 1_700_000_000, 0)
    found = report(Manners(), 1, page=page)
    assert set(found.failures) == {RESTARTED}, found.text
    assert re.search(r"clock 0 starts when the counter is 163840000, but that is only at 3\d{7}, ", found.failures[RESTARTED])
    page.begin()
    page.set_monotonic(5000 * HZ, 6000, 0)
    page.end()
    found = report(Manners(), 1, page=page)
    assert set(found.failures) == {RESTARTED, SECOND}, found.text
    assert "it moved on by 0 ns" in found.failures[SECOND]


def test_a_clock_that_leaps_is_no_second() -> None:
    found = report(Manners(late=-1303 * HZ), 1)
    assert "only 1 reads in 1303" in found.failures[SECOND]


@pytest.fixture(scope="module")
def two_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-pages")
    source = folder / "large.c"
    source.write_text('int __vdso_large(void)\n{\n\t__asm__ volatile(".rept 2000\\n nop\\n .endr");\n\treturn 0;\n}\n')
    out = build(folder / "out", "BASE=minimal", f"EXTRA_SRC={source}")
    assert json.loads((out / "vdso.json").read_text())["data_offset"] == 2 * PAGE
    return out


def test_one_page_of_two_mapped(two_pages: Path) -> None:
    assert set(report(Manners(), 0, out=two_pages).skips) == {THREADS}
    for faults in (True, False):
        found = report(Manners(pages=1, faults=faults), 1, out=two_pages)
        assert set(found.failures) == {IMAGE}, found.text
        assert "reading at 0x300001000, page 1 of the image's 2, raises signal 11" in found.failures[IMAGE]


def test_the_data_page_in_the_place_of_the_second_page(two_pages: Path) -> None:
    image = (two_pages / "vdso.so").read_bytes()
    small = Kernel(selftest().read_bytes(), image, PAGE, clock(), Manners(pages=1))
    assert small.run() == 1
    found = read_tap(small.output.decode())
    assert set(found.failures) == {IMAGE}
    assert "page 1 of the image's 2, at 0x300001000, is a data page" in found.failures[IMAGE]


def test_a_handler_that_returns_nowhere() -> None:
    found = report(Manners(sigreturn=0x800000), 1)
    assert set(found.failures) == {HANDLER}
    assert "let it return to __vdso_rt_sigreturn" in found.failures[HANDLER]


LINUX: dict[str, Callable[[], bytes]] = {path.stem: path.read_bytes for path in bases("riscv64-linux-*.so")}
LINUX["debian"] = kernel_vdso


@pytest.mark.parametrize("base", LINUX)
def test_images_of_linux_are_read_too(base: str) -> None:
    """Not one of ours: what its data page holds is not there, so its functions fault, and nothing else is wrong."""
    image = LINUX[base]()
    small = Kernel(selftest().read_bytes(), image.ljust(-(-len(image) // PAGE) * PAGE, b"\0"), 0, clock(), Manners())
    small.run()
    found = read_tap(small.output.decode())
    assert set(found.failures) <= {CALL}, found.text
    assert "it is none of scons-vdso" in found.notes
    assert {"DT_GNU_HASH leads to every export", "every export has its version"} <= set(found.passed)
    (dynamic,) = ELFFile(io.BytesIO(image)).iter_segments("PT_DYNAMIC")
    has_hash = any(dynamic.iter_tags("DT_HASH"))
    assert ("DT_HASH leads to every export" in found.passed) == has_hash

# SPDX-License-Identifier: MIT
"""core.py: from a core file comes the vDSO that the process had, whatever else its memory held."""

from __future__ import annotations

import platform
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from bases import bases
from core_builder import NT_AUXV, Core, build, own_vdso
from elf_builder import Spec, assemble
from elf_builder import build as build_base
from scons_build import build as scons_build
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.errors import VdsoError
from vdso.extract.find import find, search
from vdso.ranges import align_up

PLAIN = build_base(Spec())
PAGES = PLAIN.ljust(align_up(len(PLAIN), elf64.PAGE), b"\0")
OTHER = build_base(Spec(linux=0x060800)).ljust(elf64.PAGE, b"\0")
HEAP, VDSO, STACK = 0x2AAAAAA000, 0x3F_F7FF_0000, 0x3F_FFFD_E000
PROCESS = Core({HEAP: OTHER, VDSO: PAGES, STACK: b"stack" * 0x1000}, vdso=VDSO)
TODO = "give a core of a program that ran on a Linux with a vDSO, or BASE=minimal"


def error(data: bytes) -> str:
    with pytest.raises(VdsoError) as caught:
        find("input", data, RISCV64)
    text = str(caught.value)
    assert text.startswith("input: ")
    assert "\n" not in text
    assert caught.value.todo
    return text


def test_the_vdso_of_the_process_and_no_other() -> None:
    assert find("input", build(PROCESS), RISCV64) == PLAIN
    assert search("input", build(PROCESS), RISCV64).searched == (f"its vDSO's mapping at {VDSO:#x}",)


def test_a_mapping_with_more_before_it() -> None:
    assert find("input", build(Core({VDSO - 0x1000: bytes(0x1000) + PAGES}, vdso=VDSO)), RISCV64) == PLAIN


def test_pages_whose_file_went_on() -> None:
    """What memory holds of a base whose section table is not mapped."""
    built = assemble(Spec(load_size=0xFF0))
    dump = built.data[: built.load_size].ljust(0x1000, b"\0")
    assert len(built.data) > len(dump)
    assert find("input", build(Core({VDSO: dump, STACK: b"more" * 0x400}, vdso=VDSO)), RISCV64) == built.data[: built.load_size]


def test_compressed_as_systemd_does() -> None:
    assert find("input", zstandard.compress(build(PROCESS)), RISCV64) == PLAIN


def test_large_notes_and_many_segments() -> None:
    many = {0x10000 + 0x2000 * i: bytes(16) for i in range(3000)}
    core = Core({**many, VDSO: PAGES}, vdso=VDSO, before=((b"CORE", 0x46494C45, bytes(0x200001)), (b"", 7, b"")))
    assert find("input", build(core), RISCV64) == PLAIN


def test_more_notes_than_any_process_has() -> None:
    few = (b"", 7, b"")
    assert find("input", build(replace(PROCESS, before=(few,) * 1000)), RISCV64) == PLAIN
    text = error(build(replace(PROCESS, before=(few,) * (1 << 17))))
    assert text == "input: has more than 131072 notes; give a core of one process"


def test_more_segments_than_the_header_counts() -> None:
    many = {0x10000 + 0x1000 * i: b"" for i in range(70000)}
    core = build(Core({**many, VDSO: PAGES}, vdso=VDSO, extended=True))
    assert find("input", core, RISCV64) == PLAIN
    end = f"its first section header ends at {len(core):#x} and the data at {len(core) - 64 - len(PAGES):#x}"
    assert end in error(core[: -64 - len(PAGES)])


@pytest.mark.parametrize("path", bases("riscv64-*.so"), ids=lambda path: path.name)
def test_real_bases(path: Path) -> None:
    data = path.read_bytes()
    core = build(Core({HEAP: OTHER, VDSO: data.ljust(align_up(len(data), elf64.PAGE), b"\0")}, vdso=VDSO))
    if "-cfi" in path.name:
        assert f"found user-CFI vDSO (DT_AUXILIARY cf-protection=full) at 0x0 of its vDSO's mapping at {VDSO:#x}" in error(core)
    else:
        assert find("input", core, RISCV64) == data


def test_builds_from_one(tmp_path: Path) -> None:
    (tmp_path / "core").write_bytes(build(PROCESS))
    (tmp_path / "plain.so").write_bytes(PLAIN)
    made = [scons_build(tmp_path / name, f"BASE={tmp_path / file}") for name, file in (("a", "core"), ("b", "plain.so"))]
    assert (made[0] / "vdso.so").read_bytes() == (made[1] / "vdso.so").read_bytes()


@pytest.mark.parametrize(
    ("core", "what"),
    [
        (replace(PROCESS, vdso=None), f"a core of a process without vDSO (no AT_SYSINFO_EHDR, 0x21, in its NT_AUXV); {TODO}"),
        (replace(PROCESS, vdso=0), f"a core of a process without vDSO (no AT_SYSINFO_EHDR, 0x21, in its NT_AUXV); {TODO}"),
        (replace(PROCESS, vdso=0x1000), f"its vDSO at 0x1000 lies in none of its 4 segments; {TODO}"),
        (
            Core({HEAP: b"", VDSO: b""}, vdso=VDSO, missing=0x2000),
            f"its vDSO at {VDSO:#x} was not dumped: 0x0 of 0x2000 bytes of its mapping are there; take the core with gdb",
        ),
        (
            Core({VDSO - 0x1000: bytes(0x1000)}, vdso=VDSO, missing=0x2000),
            f"its vDSO at {VDSO:#x} was not dumped: 0x1000 of 0x3000 bytes",
        ),
        (Core({VDSO: bytes(0x2000)}, vdso=VDSO), f"no vDSO in its vDSO's mapping at {VDSO:#x} (0x"),
        (
            replace(PROCESS, before=((b"CORE", NT_AUXV, bytes(17)),)),
            "its NT_AUXV note at 0x120 has 0x11 bytes",
        ),
    ],
)
def test_no_vdso(core: Core, what: str) -> None:
    assert what in error(build(core))


@pytest.mark.parametrize(
    ("spec", "core", "what"),
    [
        (Spec(machine=183), Core({}, machine=183), "vDSO of another architecture (AArch64) at 0x0 of its vDSO's mapping"),
        (Spec(bits=32), Core({}, bits=32), "32-bit compat vDSO (RISC-V) at 0x0 of its vDSO's mapping"),
        (Spec(endian=">", machine=21), Core({}, endian=">", machine=21), "big-endian vDSO (PowerPC64) at 0x0"),
        (
            Spec(endian=">", bits=32, machine=8),
            Core({}, endian=">", bits=32, machine=8),
            "big-endian vDSO (MIPS R3000) at 0x0",
        ),
    ],
)
def test_cores_of_other_architectures(spec: Spec, core: Core, what: str) -> None:
    data = build(replace(core, segments={0x7000_0000: build_base(spec).ljust(0x2000, b"\0")}, vdso=0x7000_0000))
    assert f"found {what}" in error(data)


def test_truncated() -> None:
    whole = build(PROCESS)
    notes, mapping = 0x40 + 4 * 0x38, whole.index(PLAIN)
    for size in [*range(4, notes), *range(notes, mapping + len(PAGES), 0x11)]:
        text = error(whole[:size])
        assert "truncated: its " in text, size
        assert f"the data at {size:#x}" in text, size
    end = mapping + len(PAGES)
    assert f"truncated: its vDSO's mapping ends at {end:#x} and the data at {end - 1:#x}" in error(whole[: end - 1])
    # What comes after it may be gone: a core that a limit has cut off holds the vDSO all the same.
    assert find("input", whole[:end], RISCV64) == PLAIN


@pytest.mark.parametrize("at", [0x120, 0x124])
def test_damaged_notes(at: int) -> None:
    damaged = bytearray(build(PROCESS))
    struct.pack_into("<I", damaged, at, 0xFFFFFFF0)
    assert "its note at 0x120 ends at 0x1000" in error(bytes(damaged))


def test_an_auxiliary_vector_has_at_most_a_page() -> None:
    """The first of two notes counts, and one without AT_SYSINFO_EHDR names no vDSO."""
    assert "a process without vDSO" in error(build(replace(PROCESS, before=((b"CORE", NT_AUXV, bytes(0x1000)),))))
    longer = build(replace(PROCESS, before=((b"CORE", NT_AUXV, bytes(0x1010)),)))
    assert "its NT_AUXV note at 0x120 has 0x1010 bytes, no whole entries or more than 0x1000" in error(longer)


def test_a_dump_of_a_whole_machine_is_searched() -> None:
    """vmcore and QEMU's dump-guest-memory: a core without NT_AUXV."""
    memory = Core({0x80000000: bytes(0x3000) + PAGES}, auxv=False, before=((b"QEMU", 0, bytes(0x1B0)),))
    assert find("input", build(memory), RISCV64) == PLAIN
    assert "2 plain vDSOs that differ" in error(build(replace(PROCESS, auxv=False)))


@pytest.mark.parametrize("coredump_filter", ["33", "0"])
def test_what_gdb_writes(tmp_path: Path, coredump_filter: str) -> None:
    """A real core of this machine: its vDSO is found, and refused for its architecture alone."""
    core = tmp_path / "core"
    commands = [word for text in ("starti", f"generate-core-file {core}", "kill") for word in ("-ex", text)]
    # A program that gdb starts itself: an attachment needs rights that not every machine gives.
    shell = 'echo "$1" >/proc/self/coredump_filter; shift; exec gdb -nx -batch "$@"'
    command = ["sh", "-c", shell, "sh", f"0x{coredump_filter}", *commands, "--args", "sleep", "600"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert core.exists(), done.stdout + done.stderr
    data = core.read_bytes()
    machine = {"x86_64": "Advanced Micro Devices X86-64", "aarch64": "AArch64", "loongarch64": "LoongArch"}[platform.machine()]
    assert f"found vDSO of another architecture ({machine}) at 0x0 of its vDSO's mapping at 0x" in error(data)
    (found,) = search("input", data, RISCV64).found
    assert own_vdso().startswith(found.data)
    here = replace(RISCV64, name="host", machine=struct.unpack_from("<H", found.data, 18)[0])
    assert find("input", data, here) == found.data

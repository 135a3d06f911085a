# SPDX-License-Identifier: MIT
"""find.py: exactly the plain vDSO is taken, and whatever else comes in is refused with its reason."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from bases import bases
from elf_builder import FUNCTIONS, PREFIX, Function, Spec, assemble, build, landing_pad, sigreturn
from spliced import plain_code
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.elf.limits import MOST_SYMBOLS
from vdso.errors import VdsoError
from vdso.extract.find import find, search
from vdso.image.reader import read_vdso
from vdso.ranges import align_up

PLAIN = build(Spec())
CFI = build(Spec(auxiliary="cf-protection=full"))
COMPAT = build(Spec(bits=32, soname="linux-compat_vdso.so.1"))
OTHER = build(Spec(machine=183))
NOISE = bytes(range(256)) * 16
PT_NULL = 0


def error(data: bytes) -> str:
    with pytest.raises(VdsoError) as caught:
        find("input", data, RISCV64)
    text = str(caught.value)
    assert text.startswith("input: ")
    assert "\n" not in text
    assert caught.value.todo
    return text


SPECS = {
    "default": Spec(),
    "gnu hash only": Spec(hashes=("gnu",)),
    "sysv hash only": Spec(hashes=("sysv",)),
    "no sections": Spec(sections=False),
    "symtab": Spec(symtab=True),
    "two pages": Spec(load_size=0x1800),
    "undefined symbol": Spec(undefined="riscv_isa_ext_keys"),
    "no notes": Spec(linux=None, build_id=None),
    "two loads": Spec(second_load=True),
    "relocations": Spec(relocations=2),
    "patched at boot": Spec(patched=(PREFIX + "getcpu",)),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("before", [b"", NOISE[:-1]], ids=["alone", "inside"])
def test_taken_exactly(spec: Spec, before: bytes) -> None:
    base = build(spec)
    assert find("input", before + base, RISCV64) == base
    assert find("input", before + base + NOISE, RISCV64) == base


def test_offset_and_words() -> None:
    result = search("input", NOISE + PLAIN + CFI + COMPAT + OTHER, RISCV64)
    found = result.found
    at = len(NOISE)
    assert (result.truncated, result.searched) == ((), ("",))
    assert [(f.offset, f.plain) for f in found] == [
        (at, True), (at + len(PLAIN), False), (at + len(PLAIN + CFI), False), (at + len(PLAIN + CFI + COMPAT), False)
    ]  # fmt: skip
    assert str(found[0]) == f"plain riscv64 vDSO at {at:#x}"


def local(size: int) -> Function:
    """Return a local function of nops."""
    return Function("local", size, lambda _address, _all: b"\x01\0" * (size // 2), export=False)


def test_page_dump_with_zeros_where_the_file_went_on() -> None:
    built = assemble(Spec())
    dump = built.data[: built.load_size].ljust(elf64.PAGE, b"\0")
    assert find("input", dump, RISCV64) == built.data[: built.load_size]


def test_page_dump_of_a_base_whose_sections_lie_pages_behind() -> None:
    built = assemble(Spec(functions=(*FUNCTIONS, local(3000)), load_size=0x1FF0))
    assert len(built.data) > 0x2000
    dump = built.data[: built.load_size].ljust(0x2000, b"\0")
    assert find("input", dump, RISCV64) == built.data[: built.load_size]


def test_page_dump_that_holds_the_whole_table_keeps_it() -> None:
    dump = PLAIN.ljust(elf64.PAGE, b"\0")
    assert find("input", dump, RISCV64) == PLAIN


def test_page_dump_with_other_bytes_where_the_table_was() -> None:
    built = assemble(Spec())
    dump = (built.data[: built.load_size] + NOISE)[: elf64.PAGE] + NOISE
    assert find("input", dump, RISCV64) == built.data[: built.load_size]


def test_copies_are_one_and_the_shorter_is_taken() -> None:
    stripped, full = PLAIN, build(Spec(symtab=True))
    assert find("input", full + NOISE + stripped + PLAIN, RISCV64) == stripped


def test_plain_ones_that_differ() -> None:
    text = error(NOISE + PLAIN + build(Spec(linux=0x060800)))
    assert f"2 plain vDSOs that differ: plain riscv64 vDSO at {len(NOISE):#x}, " in text
    assert f"at {len(NOISE + PLAIN):#x}; cut out the one that is meant" in text


def test_plain_among_others() -> None:
    assert find("input", NOISE + CFI + COMPAT + OTHER + PLAIN, RISCV64) == PLAIN


@pytest.mark.parametrize(
    ("base", "what"),
    [
        (CFI, "user-CFI vDSO (DT_AUXILIARY cf-protection=full) at 0x0"),
        (COMPAT, "32-bit compat vDSO (RISC-V) at 0x0"),
        (build(Spec(bits=32, machine=3, soname="linux-gate.so.1")), "32-bit compat vDSO (Intel 80386) at 0x0"),
        (OTHER, "vDSO of another architecture (AArch64) at 0x0"),
        (build(Spec(machine=0x1234)), "vDSO of another architecture (machine 0x1234) at 0x0"),
        (build(Spec(endian=">")), "big-endian vDSO (RISC-V) at 0x0"),
        (build(Spec(endian=">", bits=32)), "big-endian vDSO (RISC-V) at 0x0"),
        (build(Spec(functions=tuple(map(landing_pad, FUNCTIONS)))), "user-CFI vDSO (lpad instructions) at 0x0"),
        (
            build(Spec(hashes=("gnu",), functions=(*FUNCTIONS[:5], landing_pad(FUNCTIONS[5])))),
            "user-CFI vDSO (lpad instructions) at 0x0",
        ),
    ],
)
def test_not_plain(base: bytes, what: str) -> None:
    text = error(base)
    assert f"no plain riscv64 vDSO: found {what}; give a file with a plain 64-bit vDSO of riscv64" in text


def test_each_symbol_that_there_may_be_can_show_that_the_base_is_a_cfi_one() -> None:
    """The first landing pad is at the last symbol of as many as a vDSO has."""
    count = MOST_SYMBOLS - len(read_vdso("base", build(Spec(functions=FUNCTIONS[:5])), RISCV64).symbols) - 1
    plain = tuple(plain_code(f"{PREFIX}f{i}", 12) for i in range(count))
    for hashes in (("gnu",), ("sysv",)):
        last = build(Spec(hashes=hashes, functions=(*FUNCTIONS[:5], *plain, landing_pad(FUNCTIONS[5]))))
        assert "user-CFI" in error(last)


def test_what_is_as_large_as_a_library_is_no_vdso() -> None:
    largest = build(Spec(load_size=1 << 20, sections=False))
    assert find("input", largest, RISCV64) == largest
    assert "with no vDSO inside" in error(build(Spec(load_size=(1 << 20) + 1, sections=False)))


@pytest.mark.parametrize("more", [0, 1, 2])
def test_the_first_eight_of_many_finds_are_named(more: int) -> None:
    text = error(COMPAT * (8 + more))
    assert text.count("32-bit compat vDSO") == 8
    assert f"at {7 * len(COMPAT):#x}" + (f" and {more} more;" if more else ";") in text


def test_all_that_was_found_is_named() -> None:
    text = error(NOISE + COMPAT + CFI)
    assert f"found 32-bit compat vDSO (RISC-V) at {len(NOISE):#x}, user-CFI vDSO" in text
    assert f"at {len(NOISE + COMPAT):#x};" in text


def header(**fields: int) -> bytes:
    """Return an ELF file of headers alone."""
    ehdr = elf64.Ehdr(b"\x7fELF\2\1\1" + bytes(9), 2, 243, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)._replace(**fields)
    return elf64.EHDR.pack(*ehdr)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty file, 0x0 bytes; get the whole file again"),
        (b"\x7f", "neither an ELF file nor anything that holds a vDSO (0x1 bytes)"),
        (b"\x7fEL", "neither an ELF file nor anything that holds a vDSO (0x3 bytes)"),
        (NOISE, "neither an ELF file nor anything that holds a vDSO (0x1000 bytes)"),
        (b"#!/bin/sh\n", "neither an ELF file nor anything that holds a vDSO (0xa bytes)"),
        (header(), "an ELF file of type 0x2 with no vDSO inside (0x40 bytes)"),
        (header(machine=62), "of another architecture (Advanced Micro Devices X86-64, not riscv64), no vDSO inside"),
        (b"\x7fELF\1\1\1" + struct.pack("<9xHHIIIIIHHHHHH", 3, 40, 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0),
         "a 32-bit ELF file (ARM), no vDSO inside"),
        (b"\x7fELF\2\2\1" + struct.pack(">9xHHIQQQIHHHHHH", 3, 21, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0),
         "a big-endian ELF file (PowerPC64), no vDSO inside"),
        (b"\x7fELF" + bytes(60), "neither an ELF file nor anything that holds a vDSO (0x40 bytes)"),
        (build(Spec(soname="libc.so.6")), "an ELF file of type 0x3 with no vDSO inside"),
        (build(Spec(functions=(sigreturn("other"),))), "an ELF file of type 0x3 with no vDSO inside"),
        (build(Spec(type=2)), "an ELF file of type 0x2 with no vDSO inside"),
    ],
)  # fmt: skip
def test_no_vdso(data: bytes, what: str) -> None:
    assert what in error(data)


def test_cut_sentences_carry_both_sizes() -> None:
    built = assemble(Spec())
    assert "truncated: its ELF header ends at 0x40 and the data at 0x20 (ELF file at 0x0)" in error(PLAIN[:0x20])
    assert "its program header table ends at 0x120 and the data at 0x50" in error(PLAIN[:0x50])
    load = f"its last segment ends at {built.load_size:#x} and the data at {built.load_size - 1:#x}"
    assert load in error(PLAIN[: built.load_size - 1])
    table = f"its section table ends at {len(PLAIN):#x} and the data at {len(PLAIN) - 1:#x}"
    assert table in error(PLAIN[:-1])
    assert f"(ELF file at {len(NOISE):#x})" in error(NOISE + PLAIN[:-1])


def test_cut_vmlinux() -> None:
    assert "its section table ends at 0x2040" in error(header(shoff=0x2000, shnum=1) + NOISE)


def test_cut_and_others() -> None:
    assert "found and not taken: user-CFI vDSO" in error(CFI + PLAIN[:-1])


@pytest.mark.parametrize("spec", [Spec(), Spec(sections=False), Spec(bits=32), Spec(load_size=0x1100)])
def test_truncated_at_every_byte(spec: Spec) -> None:
    whole = build(spec)
    for size in range(len(whole)):
        text = error(whole[:size])
        if size >= 4:
            assert "truncated: its " in text, size
            assert f"the data at {size:#x}" in text


def sound(data: bytes) -> None:
    """Check that the file is a vDSO, of which at least the segments are taken, or is refused in one line."""
    try:
        taken = find("input", data, RISCV64)
    except VdsoError:
        error(data)
    else:
        assert data.startswith(taken)
        assert len(taken) >= assemble(Spec(hashes=("gnu",))).load_size


@pytest.mark.parametrize("field", range(16, 64, 2))
@pytest.mark.parametrize("value", [0, 1, 0x7FFF, 0xFFFF])
def test_no_header_makes_us_stumble(field: int, value: int) -> None:
    damaged = bytearray(PLAIN)
    struct.pack_into("<H", damaged, field, value)
    sound(bytes(damaged))


@pytest.mark.parametrize("part", [".hash", ".gnu.hash", ".dynsym", ".dynstr", ".dynamic"])
@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x7f"])
def test_no_table_makes_us_stumble(part: str, filler: bytes) -> None:
    built = assemble(Spec(hashes=("sysv",) if part == ".hash" else ("gnu",)) if "hash" in part else Spec())
    at, size = built.sections[part]
    sound(built.data[:at] + filler * size + built.data[at + size :])


def test_a_vdso_inside_of_a_file_has_few_segments() -> None:
    """Others of the many ELF magics in a kernel image begin no file; a file that is a vDSO may have as many as it wants."""
    own = struct.unpack_from("<H", PLAIN, 56)[0]  # e_phnum
    most, more = (build(Spec(first=(PT_NULL,) * (count - own))) for count in (64, 65))
    assert find("input", NOISE + most, RISCV64) == most
    assert find("input", more, RISCV64) == more
    assert "neither an ELF file nor anything that holds a vDSO" in error(NOISE + more)


def test_many_magics_are_passed_over_quickly() -> None:
    assert find("input", b"\x7fELF" * 5000 + b"\x7fELF\2\1\1" * 5000 + PLAIN, RISCV64) == PLAIN


@pytest.mark.parametrize("path", bases(), ids=lambda path: path.name)
def test_bases(path: Path) -> None:
    data = path.read_bytes()
    if path.name.endswith("-compat.so"):
        assert "no plain riscv64 vDSO: found 32-bit compat vDSO" in error(data)
    elif not path.name.startswith("riscv64-"):
        assert "no plain riscv64 vDSO: found vDSO of another architecture" in error(data)
    elif path.name.endswith("-cfi.so"):
        assert "no plain riscv64 vDSO: found user-CFI vDSO (DT_AUXILIARY cf-protection=full)" in error(data)
    else:
        assert find("input", data, RISCV64) == data
        assert find("input", NOISE + data + NOISE, RISCV64) == data
        assert find("input", data.ljust(align_up(len(data), elf64.PAGE), b"\0"), RISCV64) == data


@pytest.mark.parametrize("path", bases(), ids=lambda path: path.name)
def test_bases_truncated(path: Path) -> None:
    data = path.read_bytes()
    for size in [*range(4, 0x140), *range(0x140, len(data), 61), len(data) - 1, *range(0x1000, len(data), 0x1000)]:
        assert "truncated: its " in error(data[:size]), size


def test_arch_decides() -> None:
    """What is plain is a matter of ARCH alone."""
    other = replace(RISCV64, name="aarch64", machine=183)
    assert find("input", PLAIN + OTHER, other) == OTHER

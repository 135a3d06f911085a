# SPDX-License-Identifier: MIT
"""vdso_src/riscv64/minimal: base.so and what its sources make are what their comments say, and are the same."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from bases import MINIMAL
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile
from minimal_base import relinked
from repository import ROOT
from scons_build import scons
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.extract.find import find

SOURCE = ROOT / "vdso_src" / "riscv64" / "minimal"
SHIPPED = MINIMAL.read_bytes()
NUMBERS = dict(RISCV64.syscalls)
PREFIX = "riscv64-linux-gnu-"
MADE_BY = ("(Debian 12.2.0", "(GNU Binutils for Debian) 2.40")
"""What the versions of gcc and ld say that base.so was made with; others order tables and round sizes in other ways."""


def link(folder: Path) -> bytes:
    """Link the base by the command in its source, from a copy in `folder`: the result must not depend on where that lies."""
    return relinked(RISCV64, folder, options=("--fatal-warnings",))


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return link(tmp_path_factory.mktemp("minimal"))


@pytest.fixture(scope="module", params=["shipped", "linked here"])
def base(request: pytest.FixtureRequest, linked: bytes) -> bytes:
    return SHIPPED if request.param == "shipped" else linked


def test_shipped_is_what_its_sources_make(linked: bytes) -> None:
    """To the byte with the programs that made it, and with any others as far as the tests of both go."""
    versions = [
        subprocess.run([PREFIX + name, "--version"], capture_output=True, text=True, check=True) for name in ("gcc", "ld")
    ]
    if all(word in version.stdout for word, version in zip(MADE_BY, versions, strict=True)):
        assert linked == SHIPPED
    code = [{name: data[at : at + size] for name, (at, size) in functions(ELFFile(io.BytesIO(data))).items()} for data in
            (linked, SHIPPED)]  # fmt: skip
    assert code[0] == code[1]


def test_it_needs_no_linker_that_makes_shared_objects(tmp_path: Path) -> None:
    """A bare-metal ld does not: of it the build asks only to link the stubs."""
    for name, says in (("gcc", "-shared"), ("ld", "-shared")):
        script = tmp_path / f"bare-{name}"
        script.write_text(f'#!/bin/sh\ncase " $* " in *" {says} "*) echo "{says} not supported" >&2; exit 1;; esac\n'
                          f'exec {PREFIX}{name} "$@"\n')  # fmt: skip
        script.chmod(0o755)
    done = scons("BASE=minimal", f"OUT={tmp_path / 'out'}", f"CROSS_COMPILE={tmp_path / 'bare-'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "base.so").read_bytes() == SHIPPED


@pytest.fixture(scope="module")
def parsed(base: bytes) -> ELFFile:
    return ELFFile(io.BytesIO(base))


def functions(parsed: ELFFile) -> dict[str, tuple[int, int]]:
    """Export to (address, size)."""
    symbols = parsed.get_section_by_name(".dynsym").iter_symbols()
    return {s.name: (s["st_value"], s["st_size"]) for s in symbols if s["st_info"]["type"] == "STT_FUNC"}


def test_found(base: bytes) -> None:
    assert find("minimal", base, RISCV64) == base


def test_reproducible(linked: bytes, tmp_path: Path) -> None:
    assert link(tmp_path) == linked
    assert str(tmp_path).encode() not in linked


def test_segments(base: bytes, parsed: ELFFile) -> None:
    segments = list(parsed.iter_segments())
    assert [s["p_type"] for s in segments] == ["PT_LOAD", "PT_DYNAMIC", "PT_NOTE", "PT_GNU_EH_FRAME"]
    load = segments[0]
    assert (load["p_offset"], load["p_vaddr"], load["p_filesz"]) == (0, 0, load["p_memsz"])
    assert load["p_memsz"] <= len(base) <= elf64.PAGE
    assert [s["p_flags"] for s in segments] == [elf64.PF_R | elf64.PF_X, elf64.PF_R, elf64.PF_R, elf64.PF_R]


def test_dynamic(parsed: ELFFile) -> None:
    dynamic = next(s for s in parsed.iter_segments() if s["p_type"] == "PT_DYNAMIC")
    tags = list(dynamic.iter_tags())
    names = [tag.entry.d_tag for tag in tags]
    assert tags[0].soname == "linux-vdso.so.1"
    assert {"DT_HASH", "DT_GNU_HASH", "DT_VERSYM", "DT_VERDEF"} <= set(names)
    assert not {"DT_NEEDED", "DT_TEXTREL", "DT_INIT", "DT_JMPREL"} & set(names)
    assert sum(tag.entry.d_val for tag in tags if tag.entry.d_tag in ("DT_RELA", "DT_RELASZ")) == 0
    spare = dynamic["p_filesz"] // elf64.DYN.size - names.index("DT_NULL") - 1
    assert spare == 5


def test_versions(parsed: ELFFile) -> None:
    names = [next(iter(aux)).name for _, aux in parsed.get_section_by_name(".gnu.version_d").iter_versions()]
    assert names == ["linux-vdso.so.1", RISCV64.version]
    symbols = list(parsed.get_section_by_name(".dynsym").iter_symbols())
    indexes = [entry["ndx"] for entry in parsed.get_section_by_name(".gnu.version").iter_symbols()]
    assert {s.name: index for s, index in zip(symbols, indexes, strict=True) if s["st_info"]["type"] == "STT_FUNC"} == {
        f"__vdso_{name}": 2 for name in ("rt_sigreturn", *NUMBERS)
    }


@pytest.mark.parametrize(("name", "number"), NUMBERS.items())
def test_each_is_its_system_call(base: bytes, parsed: ELFFile, name: str, number: int) -> None:
    address, size = functions(parsed)[f"__vdso_{name}"]
    code = [int.from_bytes(base[at : at + 4], "little") for at in range(address, address + size, 4)]
    assert code == [number << 20 | 0x893, 0x73, 0x8067]  # li a7, number; ecall; ret


def test_sigreturn_is_what_unwinders_match(base: bytes, parsed: ELFFile) -> None:
    address, size = functions(parsed)["__vdso_rt_sigreturn"]
    assert base[address : address + size] == RISCV64.sigreturn


def test_unwind_information(parsed: ELFFile) -> None:
    fdes = [e for e in parsed.get_dwarf_info().EH_CFI_entries() if isinstance(e, FDE)]
    frames = {e["initial_location"]: (e["address_range"], e.cie["augmentation"]) for e in fdes}
    wanted = {
        address: (size, b"zRS" if name == "__vdso_rt_sigreturn" else b"zR")
        for name, (address, size) in functions(parsed).items()
    }
    assert frames == wanted
    start = functions(parsed)["__vdso_rt_sigreturn"][0]
    assert start not in {at + size for at, (size, _) in frames.items()}


def test_readelf_is_content(base: bytes, tmp_path: Path) -> None:
    path = tmp_path / "base.so"
    path.write_bytes(base)
    shown = subprocess.run([f"{PREFIX}readelf", "-aW", str(path)], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "LINUX_4.15" in shown.stdout


def test_size_of_the_sources() -> None:
    """What the design promises: one linker script and one file of stubs, under a hundred lines together."""
    files = sorted(SOURCE.iterdir())
    assert [f.name for f in files] == ["base.so", "vdso.S", "vdso.lds"]
    files.pop(0)
    assert sum(len(f.read_text().splitlines()) for f in files) < 100

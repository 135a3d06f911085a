# SPDX-License-Identifier: MIT
"""vdso_src/riscv64/minimal: it links, is what its comments say, and find.py knows it for a plain vDSO."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile
from repository import INCLUDES, ROOT
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.extract.find import find

SOURCE = ROOT / "vdso_src" / "riscv64" / "minimal"
NUMBERS = dict(RISCV64.syscalls)
PREFIX = next((c.cc.removesuffix("gcc") for c in RISCV64.compilers if shutil.which(c.cc)), None)


def link(folder: Path) -> bytes:
    """Link the base from sources copied to `folder`: the result must not depend on where they lie."""
    assert PREFIX
    for name in ("vdso.S", "vdso.lds"):
        shutil.copy(SOURCE / name, folder)
    command = [PREFIX + "gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-mno-relax", *INCLUDES, "-nostdlib", "-shared"]
    command += [
        f"-Wl,{flag}"
        for flag in (
            "-soname,linux-vdso.so.1", "--hash-style=both", "--build-id=sha1", "--eh-frame-hdr", "--no-relax",
            "--fatal-warnings", "-s", f"-T,{folder / 'vdso.lds'}",
        )
    ]  # fmt: skip
    target = folder / "base.so"
    subprocess.run([*command, "-o", str(target), str(folder / "vdso.S")], check=True)
    return target.read_bytes()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if PREFIX is None:
        pytest.skip(f"no compiler for riscv64 (tried {', '.join(compiler.cc for compiler in RISCV64.compilers)})")
    return link(tmp_path_factory.mktemp("minimal"))


@pytest.fixture(scope="module")
def parsed(base: bytes) -> ELFFile:
    return ELFFile(io.BytesIO(base))


def functions(parsed: ELFFile) -> dict[str, tuple[int, int]]:
    """Export to (address, size)."""
    symbols = parsed.get_section_by_name(".dynsym").iter_symbols()
    return {s.name: (s["st_value"], s["st_size"]) for s in symbols if s["st_info"]["type"] == "STT_FUNC"}


def test_found(base: bytes) -> None:
    assert find("minimal", base, RISCV64) == base


def test_reproducible(base: bytes, tmp_path: Path) -> None:
    assert link(tmp_path) == base
    assert str(tmp_path).encode() not in base


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
    assert [f.name for f in files] == ["vdso.S", "vdso.lds"]
    assert sum(len(f.read_text().splitlines()) for f in files) < 100

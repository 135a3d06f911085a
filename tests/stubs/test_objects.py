# SPDX-License-Identifier: MIT
"""What is read of an object file: code and constants that are mapped, what they use, and what ties them to an address."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stub_build import CCFLAGS, PREFIX
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.stubs.objects import Object, read_object

SOURCE = """
extern const unsigned long vdso_data[];
long outer(long);
static const long table[64] = {1, 2, 3};
__attribute__((noinline)) static long inner(long at) { return table[at & 63] * 7; }
long first(long at) { return inner(at) + outer(at); }
long second(void) { return (long)vdso_data[1]; }
"""


def compiled(folder: Path, source: str, *flags: str) -> Object:
    (folder / "source.c").write_text(source)
    command = [f"{PREFIX}gcc", *CCFLAGS, *flags, "-c", folder / "source.c", "-o", folder / "made.o"]
    subprocess.run(command, check=True)
    return read_object("made.o", (folder / "made.o").read_bytes(), "source.c", True, RISCV64)


def names(file: Object) -> dict[int, str]:
    return {index: section.name for index, section in file.sections.items()}


@pytest.mark.parametrize("flags", [(), ("-g",), ("-g3", "-fasynchronous-unwind-tables"), ("-fasynchronous-unwind-tables",)])
def test_only_what_is_mapped_is_read(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Debugging and unwind information refer to code as well, and go nowhere."""
    file = compiled(tmp_path, SOURCE, *flags)
    assert sorted(names(file).values()) == [".rodata", ".text.first", ".text.inner", ".text.second"]
    assert set(file.uses) == set(file.sections)
    assert (file.name, file.source, file.users, file.writable, file.needs_loader) == ("made.o", "source.c", True, (), {})


def test_what_code_uses_is_told_by_section_and_by_outer_symbol(tmp_path: Path) -> None:
    file = compiled(tmp_path, SOURCE)
    called = {name: index for index, name in names(file).items()}
    assert file.uses[called[".text.first"]] >= {called[".text.inner"], "outer"}
    assert called[".rodata"] in file.uses[called[".text.inner"]]
    assert "vdso_data" in file.uses[called[".text.second"]]
    assert file.uses[called[".rodata"]] == frozenset()


def test_global_functions_are_told_with_section_place_and_size(tmp_path: Path) -> None:
    file = compiled(tmp_path, SOURCE)
    called = {name: index for index, name in names(file).items()}
    assert {name: section for name, (section, _, _) in file.defined.items()} == {
        "first": called[".text.first"],
        "second": called[".text.second"],
    }
    for section, offset, size in file.defined.values():
        assert (offset, size) == (0, file.sections[section].size)
        assert file.sections[section].executable
    assert not file.sections[called[".rodata"]].executable
    assert file.sections[called[".rodata"]].size == 512


@pytest.mark.parametrize(
    ("source", "section"),
    [
        ("long counter = 1; long f(void) { return counter; }", ".sdata"),
        ("long counter; long f(void) { return counter; }", ".sbss"),
    ],
)
def test_what_can_be_written_is_told(source: str, section: str, tmp_path: Path) -> None:
    [writable] = compiled(tmp_path, source).writable
    assert writable.startswith(section)


def test_a_table_of_addresses_is_tied_to_an_address(tmp_path: Path) -> None:
    source = "extern long a, b; const long *const table[] = {&a, &b, &a}; const long *f(long i) { return table[i & 1]; }"
    file = compiled(tmp_path, source)
    [(section, (offset, _))] = file.needs_loader.items()
    assert file.sections[section].name == ".rodata"
    assert offset == 0, "the first of them is named"


@pytest.mark.parametrize("data", [b"", b"no ELF", b"\x7fELF" + bytes(60)])
def test_what_is_no_object_file_is_refused(data: bytes) -> None:
    with pytest.raises(VdsoError, match=r"^a\.c: not an object file: "):
        read_object("a.o", data, "a.c", False, RISCV64)

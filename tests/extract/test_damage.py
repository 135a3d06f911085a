# SPDX-License-Identifier: MIT
"""A file that was a vDSO, and what was done to it: the error says which it is."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from elf_builder import Spec, build
from stub_build import PREFIX
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf.headers import MAGIC
from vdso.errors import VdsoError
from vdso.extract.damage import FEWEST, refuse_reduced, refuse_rewritten
from vdso.extract.find import find

# what is certainly in a vDSO, and in this made one: ends of lines, bytes from 0x80 on
WHOLE = build(Spec(symtab=True)) + b"\n\x0a\x93\xff" * 20

CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "ends of lines": (lambda d: d.replace(b"\n", b"\r\n"), "copied as text: 0x0d stands before each 0x0a"),
    "no UTF-8": (lambda d: d.decode("utf-8", "replace").encode(), "copied as text: U+FFFD stands for other bytes "),
    "as UTF-8": (lambda d: d.decode("latin-1").encode(), "copied as text: bytes from 0x80 on became two, as UTF-8"),
    "seven bits": (lambda d: bytes(byte & 0x7F for byte in d), "copied as text: no byte has its highest bit"),
    "zeros dropped": (lambda d: d.replace(b"\0", b""), "copied as text: no zero byte is left"),
    "hex": (lambda d: d.hex().encode(), "an ELF file written as text; make bytes of it: xxd -r -p"),
    "HEX": (lambda d: d.hex().upper().encode(), "an ELF file written as text; make bytes of it: xxd -r -p"),
    "base64": (base64.b64encode, "an ELF file written as text; make bytes of it: base64 -d"),
}


@pytest.mark.parametrize(("change", "what"), CHANGES.values(), ids=CHANGES)
def test_a_copy_as_text_is_told(change: Callable[[bytes], bytes], what: str) -> None:
    with pytest.raises(VdsoError) as error:
        find("base.so", change(WHOLE), RISCV64)
    assert str(error.value).startswith(f"base.so: {what}")
    assert str(error.value).count("binary mode") == what.startswith("copied")


@pytest.mark.parametrize(
    "tool", [(PREFIX + "objcopy", "--only-keep-debug"), ("llvm-objcopy", "--only-keep-debug")], ids=" ".join
)
def test_a_debug_file_is_told(tool: tuple[str, ...], tmp_path: Path) -> None:
    whole, split = tmp_path / "vdso.so.dbg", tmp_path / "vdso.debug"
    whole.write_bytes(build(Spec(symtab=True)))
    subprocess.run([*tool, whole, split], check=True)
    with pytest.raises(
        VdsoError, match=r"^vdso.debug: a debug file, whose sections have no bytes .*; give the file that it was"
    ):
        find("vdso.debug", split.read_bytes(), RISCV64)
    assert find("vdso.so.dbg", whole.read_bytes(), RISCV64) == whole.read_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"not ELF", WHOLE, WHOLE[:70], WHOLE[:20], build(Spec(sections=False)), b"\x7fELF" + b"\x80\0" * 40]
)
def test_nothing_is_told_of_what_was_not_copied_so(data: bytes) -> None:
    refuse_rewritten("base.so", data)


@pytest.mark.parametrize("mark", [b"\r\n", b"\xef\xbf\xbd"], ids=["an end of a line", "U+FFFD"])
def test_a_mark_must_be_there_a_few_times(mark: bytes) -> None:
    """Some of these bytes follow each other by chance."""
    bare = MAGIC + b"\x80\0" * 40
    refuse_rewritten("base.so", bare + mark * (FEWEST - 1))
    with pytest.raises(VdsoError, match=r"^base\.so: copied as text: "):
        refuse_rewritten("base.so", bare + mark * FEWEST)


def test_a_whole_vdso_lacks_nothing() -> None:
    for spec in (Spec(), Spec(sections=False), Spec(hashes=("sysv",), eh_frame=False)):
        refuse_reduced("base.so", build(spec))

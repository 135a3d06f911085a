# SPDX-License-Identifier: MIT
"""From a base to an image: tables, code, declared changes, and what tools say of the result."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from elftools.elf.elffile import ELFFile
from spliced import REAL, SYNTHETIC, Made, given, spliced
from stub_build import PREFIX, compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.image.analysis import analyse, outside
from vdso.image.reader import read_vdso
from vdso.splice import splice
from vdso.splice.changes import Patch, declared, padded
from vdso.verify import verify


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


@pytest.fixture(
    params=[(b, p) for b in (*SYNTHETIC, *REAL) for p in ("after", "before")],
    ids=lambda p: f"{getattr(p[0], 'name', p[0])}-{p[1]}",
)
def made(request: pytest.FixtureRequest, compiled: list[Path], tmp_path: Path) -> Made:
    which, page = request.param
    return spliced(given(which), compiled, tmp_path, page)


def test_the_changes_are_declared_to_the_byte(made: Made) -> None:
    new, old = made.image.data, padded(made.base.file, made.plan.size)
    declared = [at for change in made.image.changes for at in range(change.start, change.end)]
    assert declared == sorted(set(declared))
    assert declared == [at for at in range(len(new)) if new[at] != old[at]]
    assert all(change.what for change in made.image.changes)


def test_symbols_and_code_are_those_of_the_linked_stubs(made: Made) -> None:
    elf = ELFFile(io.BytesIO(made.elf))
    linked = {s.name: (s["st_value"], s["st_size"]) for s in elf.get_section_by_name(".symtab").iter_symbols()}
    sections = {s["sh_addr"]: s.data() for s in elf.iter_sections() if s.name.startswith(".vdso.")}
    dynsym = ELFFile(io.BytesIO(made.image.data)).get_section_by_name(".dynsym")
    shown = {s.name: (s["st_value"], s["st_size"]) for s in dynsym.iter_symbols()}
    replaced = [d for d in made.plan.decisions if d.stub]
    assert len(replaced) >= 3
    for decision in replaced:
        assert shown[decision.export] == linked[decision.stub]
        address, size = shown[decision.export]
        code = made.image.data[address : address + size]
        assert any(data[address - at :][:size] == code for at, data in sections.items() if at <= address)
    for decision in made.plan.decisions:
        if decision.policy == "keep":
            symbol = made.base.exports[decision.export]
            kept = slice(symbol.value, symbol.value + symbol.size)
            assert made.image.data[kept] == made.base.data[kept]
            assert shown[decision.export] == (symbol.value, symbol.size)
        if decision.policy == "hide":
            assert decision.export not in shown
            assert decision.export.encode() not in made.image.data


def test_nothing_of_the_replaced_functions_is_left(made: Made) -> None:
    for decision in made.plan.decisions:
        symbol = made.base.exports[decision.export]
        if decision.policy != "keep" and symbol.size >= 16:
            assert made.base.data[symbol.value : symbol.value + 16] not in made.image.data
    used = [*made.plan.kept, *(unit.span for unit in made.plan.units)]
    text = made.plan.text
    rest = [at for at in range(text.start, text.end) if not any(span.holds(at) for span in used)]
    assert all(made.image.data[at] == 0 for at in rest), "code room that is not used must trap"


def test_tools_take_it_without_a_warning(made: Made, tmp_path: Path) -> None:
    (tmp_path / "vdso.so").write_bytes(made.image.data)
    for tool in (["readelf", "-aW"], ["objdump", "-d"], ["objdump", "-x"]):
        done = subprocess.run([PREFIX + tool[0], *tool[1:], tmp_path / "vdso.so"], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "arning" not in done.stdout
        for decision in made.plan.decisions:
            assert (decision.export in done.stdout) == (decision.policy != "hide") or tool == ["objdump", "-x"]


def test_the_verifier_finds_nothing(made: Made) -> None:
    report = verify(made.image.data, RISCV64)
    assert report.findings == ()
    for export in made.image.exports:
        if export.address is not None:
            function = analyse(made.image.data, export.address, RISCV64)
            assert outside(function, made.plan.size, made.plan.data_offset) == ()
            assert function.unknown == ()


def test_the_build_id_is_that_of_the_content(made: Made, compiled: list[Path], tmp_path: Path) -> None:
    new = made.image.data
    ours = read_vdso("vdso.so", new, RISCV64)
    at = new.index(bytes.fromhex(ours.build_id))
    assert hashlib.sha1(new[:at] + bytes(20) + new[at + 20 :]).hexdigest() == ours.build_id
    assert ours.build_id != made.base.build_id
    other = "before" if made.plan.data_offset > 0 else "after"
    changed = spliced(made.base.file, compiled, tmp_path, other)
    assert read_vdso("vdso.so", changed.image.data, RISCV64).build_id != ours.build_id


def test_a_byte_that_lief_changed_by_itself_is_found(
    compiled: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = splice.write_with_lief

    def wrong(prepared: bytes, patches: object) -> bytes:
        written = bytearray(real(prepared, patches))  # type: ignore[arg-type]
        written[0x18] ^= 1
        return bytes(written)

    monkeypatch.setattr(splice, "write_with_lief", wrong)
    with pytest.raises(AssertionError, match="another byte at 0x18"):
        spliced(build_base(Spec()), compiled, tmp_path)


def test_a_change_that_no_patch_declares_is_found() -> None:
    with pytest.raises(AssertionError, match="undeclared"):
        declared(b"abcd", b"abXd", [Patch(0, b"ab", "first")])
    with pytest.raises(AssertionError, match="declared twice"):
        declared(b"abcd", b"abXd", [Patch(1, b"bX", "one"), Patch(2, b"X", "two")])

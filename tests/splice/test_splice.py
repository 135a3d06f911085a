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
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from linked_code import compile_source
from spliced import REAL, SYNTHETIC, USERS, Made, given, spliced
from stub_build import PREFIX, compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.data_page import readable
from vdso.image.analysis import analyse, outside
from vdso.image.reader import read_vdso
from vdso.ranges import Span
from vdso.splice import splice
from vdso.splice.changes import Patch, declared, padded
from vdso.tables import kinds, program_headers, section_table
from vdso.verify import verify

CLOCK, CPU = (RISCV64.export_prefix + name for name in ("clock_gettime", "getcpu"))


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


def test_each_change_is_told_by_the_name_of_what_was_there(made: Made) -> None:
    """`vdso.json` and the report show them."""
    base, plan = made.base, made.plan
    code = {f"code of {', '.join(unit.functions or ['constants'])}": [unit.span] for unit in plan.units}
    areas = {area.name: [area.span] for area in plan.areas}
    kept = {name: [base.tables[name]] for name in kinds.KEPT}
    sections = section_table.behind(plan.size, bool(base.fdes))
    table = {kinds.STRINGS: [sections.names], kinds.SECTIONS: [sections.table], "old program headers": [base.headers]}
    slots = {f"slot of {name}": [symbol.span] for name, symbol in base.exports.items()}
    old = {f"old place of {name}": [span] for name, span in base.tables.items()}
    inside = {"unreachable code, data and padding": [Span(0, len(base.data))]}
    behind = {"behind the load": [Span.between(len(base.data), plan.size)]}
    known = {**code, **areas, **kept, **table, **slots, **old, **inside, **behind}
    for change in made.image.changes:
        span = Span.between(change.start, change.end)
        if change.what in known:
            assert any(place.covers(span) for place in known[change.what]), change
        else:
            assert change.what.startswith(("e_entry, e_phoff, e_shoff", "e_phnum, ", "program header ")), change
            assert program_headers.span(bool(base.fdes)).covers(span), change
    in_a_slot = {change.what for change in made.image.changes if any(s.span.holds(change.start) for s in base.exports.values())}
    assert all(what in code or what in areas or what in table or what in slots for what in in_a_slot)


def test_what_was_freed_is_told_by_its_own_name(compiled: list[Path], tmp_path: Path) -> None:
    """The last page of a file that is longer than its load, tables that moved away, and slots that hold other code now."""
    made = spliced(build_base(Spec(symtab=True, hashes=("gnu",))), compiled, tmp_path, overrides="getcpu:hide")
    told = {change.what for change in made.image.changes}
    assert f"slot of {CPU}" in told
    assert "behind the load" in told
    assert any(what.startswith("old place of ") for what in told)
    assert all(change.start >= len(made.base.data) for change in made.image.changes if change.what == "behind the load")


def test_each_function_without_a_frame_has_unwind_information_once(made: Made) -> None:
    """It is a leaf for an unwinder from its first to its last byte; who moves a frame register needs rules that we have not."""
    fdes = [fde.span for fde in read_vdso("vdso.so", made.image.data, RISCV64).fdes]
    if not made.base.fdes:
        assert fdes == []
        return
    places = {place for unit in made.plan.units for place in unit.places}
    sigreturn = made.base.exports[f"{RISCV64.export_prefix}rt_sigreturn"].value
    leaves = {
        place
        for place in places
        if not analyse(made.image.data, place.start, RISCV64).writes & RISCV64.frame_registers and place.end != sigreturn
    }
    assert len(leaves) >= 3
    assert sorted(span for span in fdes if span in places) == sorted(leaves)
    kept = [fde.span for fde in made.base.fdes if any(span.covers(fde.span) for span in made.plan.kept)]
    assert sorted(span for span in fdes if span not in places) == sorted(span for span in kept if span.end != sigreturn)


def test_a_function_with_a_frame_has_no_unwind_information(compiled: list[Path], tmp_path: Path) -> None:
    """Rather none than a wrong one: where the caller is changes within it."""
    source = tmp_path / "frame.c"
    source.write_text("long __vdso_getcpu(void) { volatile long on_stack[4]; return on_stack[0] = 7; }\n")
    made = spliced(build_base(Spec()), [*compiled, compile_source(source, tmp_path / f"{USERS}.o")], tmp_path)
    framed = made.plan.function(CPU)
    assert RISCV64.stack_register in analyse(made.image.data, framed.start, RISCV64).writes
    fdes = [fde.span for fde in read_vdso("vdso.so", made.image.data, RISCV64).fdes]
    assert not [span for span in fdes if span.overlaps(framed)]
    assert made.plan.function(CLOCK) in fdes


def test_what_is_mapped_has_an_address_and_what_is_not_has_none(made: Made) -> None:
    """The address is the file's offset, since the image is one load from 0 on (ELF specification, sh_addr)."""
    sections = [s for s in ELFFile(io.BytesIO(made.image.data)).iter_sections() if s.name]
    assert [s.name for s in sections if not s["sh_flags"] & SH_FLAGS.SHF_ALLOC] == [".shstrtab"]
    for section in sections:
        assert section["sh_addr"] == (section["sh_offset"] if section["sh_flags"] & SH_FLAGS.SHF_ALLOC else 0), section.name


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
    for decision in (d for d in made.plan.decisions if d.policy != "add"):
        symbol = made.base.exports[decision.export]
        if decision.policy != "keep" and symbol.size >= 16:
            assert made.base.data[symbol.value : symbol.value + 16] not in made.image.data
    used = [*made.plan.kept, *(unit.span for unit in made.plan.units)]
    text = made.plan.text
    rest = [at for at in range(text.start, text.end) if not any(span.holds(at) for span in used)]
    assert all(made.image.data[at] == 0 for at in rest), "code room that is not used must trap"


def test_sections_are_as_ld_makes_them(made: Made) -> None:
    """Those of the base's names are; but for .dynamic, which ld calls writable and Linux maps as it maps the rest."""
    writable = {".dynamic": SH_FLAGS.SHF_WRITE}
    old, new = (
        {
            section.name: (section["sh_type"], section["sh_flags"] & ~writable.get(section.name, 0), section["sh_entsize"])
            for section in ELFFile(io.BytesIO(data)).iter_sections()
        }
        for data in (made.base.file, made.image.data)
    )
    for name in old.keys() & new.keys():
        assert new[name] == old[name], name


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
            assert outside(function, made.plan.size, readable(made.plan.data_offset, 0)) == ()
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

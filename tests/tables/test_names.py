# SPDX-License-Identifier: MIT
"""Which symbols an image has, and which names stand in its string table: none of what went, all of what others need."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from elf_builder import PREFIX, Spec
from elf_builder import build as build_base
from image_builder import Patch
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso
from vdso.policy.decide import Decision
from vdso.tables.names import added, make_dynstr, visible

CPU, CACHE = PREFIX + "getcpu", PREFIX + "flush_icache"
SONAME, VERSION, KERNELS = "linux-vdso.so.1", "LINUX_4.15", "riscv_isa_ext_keys"


def read(change: Callable[[Patch], object] = lambda _: None) -> Vdso:
    patch = Patch(build_base(Spec(sections=False, undefined=KERNELS)))
    change(patch)
    return read_vdso("base.so", patch.image, RISCV64)


def hidden(base: Vdso, *gone: str) -> list[Decision]:
    return [Decision(name, "hide" if name in gone else "keep") for name in base.exports]


def strings(table: bytes) -> set[str]:
    return {text.decode() for text in table.split(b"\0") if text}


def test_symbols_that_stay_are_defined_and_global() -> None:
    base = read()
    shown = [symbol.name for symbol in visible(base, hidden(base, CPU))]
    assert shown == [s.name for s in base.symbols if s.name not in ("", CPU, KERNELS)]
    assert VERSION in shown


def test_a_local_symbol_goes() -> None:
    base = read(lambda patch: patch.symbol(CPU, info=elf64.STT_FUNC))
    assert CPU not in {symbol.name for symbol in visible(base, [])}


def test_names_of_what_went_are_blank_and_all_others_in_their_place() -> None:
    base = read()
    table = make_dynstr(base, hidden(base, CPU))
    span = base.tables[".dynstr"]
    old = base.data[span.start : span.end]
    assert strings(table) == strings(old) - {CPU, KERNELS}
    for gone in (CPU, KERNELS):
        old = old.replace(gone.encode(), bytes(len(gone)))
    assert table == old


def test_the_name_of_a_version_stays_where_a_symbol_of_that_name_goes() -> None:
    """GNU ld makes a symbol of each version, which shares its name; here it is a local one, which goes."""
    base = read(lambda patch: patch.symbol(VERSION, info=elf64.STT_NOTYPE))
    assert VERSION in {symbol.name for symbol in base.symbols}
    assert VERSION not in {symbol.name for symbol in visible(base, [])}
    assert VERSION in strings(make_dynstr(base, hidden(base, CPU)))


def test_a_name_that_is_the_end_of_another_stays_with_it() -> None:
    """As linkers lay them out: `getcpu` is in `__vdso_getcpu`."""
    base = read(lambda patch: patch.symbol(KERNELS, name=patch.string(CPU) + len(PREFIX)))
    assert CPU.encode() in make_dynstr(base, hidden(base))
    gone = make_dynstr(base, hidden(base, CPU))
    assert b"getcpu" not in gone


@pytest.mark.parametrize("by", [0, 3])
@pytest.mark.parametrize("needed", [SONAME, VERSION])
def test_a_name_that_the_object_or_a_version_has_stays(needed: str, by: int) -> None:
    """A symbol that goes may share it, or a part of it."""
    base = read(lambda patch: patch.symbol(KERNELS, name=patch.string(needed) + by))
    assert needed[by:] in {symbol.name for symbol in base.symbols}
    assert needed[by:] not in {symbol.name for symbol in visible(base, hidden(base)) if by}
    assert strings(make_dynstr(base, hidden(base, CPU))) >= {SONAME, VERSION}


def test_a_symbol_that_is_named_as_one_that_stays_takes_nothing_away() -> None:
    base = read(lambda patch: patch.symbol(KERNELS, name=patch.string(CACHE)))
    assert strings(make_dynstr(base, hidden(base, CPU))) >= {CACHE, SONAME, VERSION}


def test_added_names_follow_those_of_the_base() -> None:
    base = read()
    decisions = [*hidden(base), *(Decision(PREFIX + name, "add", PREFIX + name) for name in ("one", "another"))]
    size, table = base.tables[".dynstr"].size, make_dynstr(base, decisions)
    new = added(base, decisions)
    assert [symbol.name for symbol in new] == [PREFIX + "one", PREFIX + "another"]
    for symbol in new:
        assert symbol.name_offset >= size
        assert table[symbol.name_offset :].partition(b"\0")[0].decode() == symbol.name
        assert (symbol.bind, symbol.type) == (elf64.STB_GLOBAL, elf64.STT_FUNC)
        assert symbol.version == base.exports[CPU].version == 2
    assert table[size:] == f"{PREFIX}one\0{PREFIX}another\0".encode()
    assert len(table) == size + len(PREFIX) * 2 + len("one" + "another") + 2

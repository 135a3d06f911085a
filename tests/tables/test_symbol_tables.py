# SPDX-License-Identifier: MIT
"""The tables by which a loader finds an export, looked through in the manner of loaders by another library."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import pytest
from elftools.elf.hash import ELFHashTable, GNUHashTable
from elftools.elf.structs import ELFStructs
from vdso.elf import elf64
from vdso.elf.elf64 import SYM, Sym
from vdso.image.model import Symbol
from vdso.tables.symbol_tables import Tables, gnu_hash, make_symbol_tables, sysv_hash

ONE = Symbol("", 0, elf64.STB_GLOBAL << 4 | elf64.STT_FUNC, 0, 5, 0x800, 16, 2)


def symbols(count: int) -> list[Symbol]:
    return [replace(ONE, name=f"__vdso_f{i}", name_offset=1 + 12 * i, value=0x800 + 16 * i) for i in range(count)]


class Dynsym:
    """The symbols for pyelftools' hash tables, which look up names in a section."""

    def __init__(self, tables: Tables, named: dict[int, str]) -> None:
        self.records = [Sym(*record) for record in SYM.iter_unpack(tables.dynsym)]
        self.named = named

    def get_symbol(self, index: int) -> Dynsym.Found:
        return self.Found(self.named[self.records[index].name] if index else "")

    class Found:
        def __init__(self, name: str) -> None:
            self.name = name


def structs() -> ELFStructs:
    made = ELFStructs(little_endian=True, elfclass=64)
    made.create_basic_structs()
    made.create_advanced_structs()
    return made


class File:
    """What pyelftools' hash tables read from: their table alone, at offset 0."""

    little_endian, elfclass = True, 64

    def __init__(self, table: bytes) -> None:
        self.structs, self.stream = structs(), io.BytesIO(table)


@pytest.mark.parametrize("name", ["", "a", "LINUX_4.15", "linux-vdso.so.1", "__vdso_clock_gettime", "x" * 300, "~" * 17])
def test_hashes_are_those_of_another_library(name: str) -> None:
    assert sysv_hash(name.encode()) == ELFHashTable.elf_hash(name)
    assert gnu_hash(name.encode()) == GNUHashTable.gnu_hash(name)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 15, 16, 17, 33, 36, 37, 38, 67, 68, 200])
def test_every_symbol_is_found_and_no_other(count: int) -> None:
    made = symbols(count)
    tables = make_symbol_tables(made)
    dynsym = Dynsym(tables, {s.name_offset: s.name for s in made})
    for table in (ELFHashTable(File(tables.hash), 0, len(tables.hash), dynsym), GNUHashTable(File(tables.gnu_hash), 0, dynsym)):
        assert table.get_number_of_symbols() == count + 1
        for symbol in made:
            assert table.get_symbol(symbol.name).name == symbol.name
        assert table.get_symbol("__vdso_nowhere") is None


@pytest.mark.parametrize("count", [1, 16, 17, 32, 33, 200])
def test_a_bloom_filter_has_a_word_for_sixteen_symbols_and_a_power_of_two(count: int) -> None:
    words = struct.unpack_from("<IIII", make_symbol_tables(symbols(count)).gnu_hash)[2]
    assert words & words - 1 == 0
    assert words * 16 >= count
    assert words == 1 or words * 8 < count


def test_a_bloom_filter_lets_no_name_through_that_has_neither_bit() -> None:
    made = symbols(8)
    buckets, first, words, shift = struct.unpack_from("<IIII", make_symbol_tables(made).gnu_hash)
    (bloom,) = struct.unpack_from("<Q", make_symbol_tables(made).gnu_hash, 16)
    hashes = [gnu_hash(symbol.name.encode()) for symbol in made]
    assert bloom == sum(1 << bit for bit in {h >> by & 63 for h in hashes for by in (0, shift)})
    assert (buckets, first, words, shift) == (3, 1, 1, 6)


def test_records_and_versions_are_in_the_order_of_the_hash_table() -> None:
    made = [replace(symbol, version=i + 2, size=i + 1, other=i % 2) for i, symbol in enumerate(symbols(20))]
    tables = make_symbol_tables(made)
    records = [Sym(*record) for record in SYM.iter_unpack(tables.dynsym)]
    versions = struct.unpack(f"<{len(made) + 1}H", tables.versym)
    assert (records[0], versions[0]) == (Sym(0, 0, 0, 0, 0, 0), 0)
    by_offset = {symbol.name_offset: symbol for symbol in made}
    assert len(records) == len({record.name for record in records}) == 21
    for record, version in zip(records[1:], versions[1:], strict=True):
        symbol = by_offset[record.name]
        assert record == Sym(symbol.name_offset, symbol.info, symbol.other, symbol.shndx, symbol.value, symbol.size)
        assert version == symbol.version

# SPDX-License-Identifier: MIT
"""Makes the tables by which a loader finds an export, from one list: .dynsym, .gnu.version, .hash, .gnu.hash."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..elf import elf64
from ..elf.elf64 import SYM
from ..image.model import Symbol

# As GNU ld chooses them for so few symbols (bfd/elflink.c), so that what stays the same keeps its bytes.
_BLOOM_SHIFT = 6
_BUCKETS = (67, 37, 17, 3, 1)


@dataclass(frozen=True)
class Tables:
    dynsym: bytes
    versym: bytes
    hash: bytes
    gnu_hash: bytes


def sysv_hash(name: bytes) -> int:
    """Compute the hash of DT_HASH and of version names (gABI, "Hash Table")."""
    h = 0
    for byte in name:
        h = (h << 4) + byte
        h ^= (h & 0xF0000000) >> 24
        h &= 0x0FFFFFFF
    return h


def gnu_hash(name: bytes) -> int:
    """Compute the hash of DT_GNU_HASH (glibc, elf/dl-new-hash.h)."""
    h = 5381
    for byte in name:
        h = (h * 33 + byte) & 0xFFFFFFFF
    return h


def make_symbol_tables(symbols: Sequence[Symbol]) -> Tables:
    """Return the four tables for `symbols`, which are defined and global; the null symbol is added.

    DT_GNU_HASH wants the symbols of one bucket side by side, so the order within .dynsym is made here.
    """
    buckets = next(n for n in _BUCKETS if n <= max(1, len(symbols)))
    hashes = {symbol: gnu_hash(symbol.name.encode()) for symbol in symbols}
    ordered = sorted(symbols, key=lambda symbol: hashes[symbol] % buckets)
    records = [(0, 0, 0, elf64.SHN_UNDEF, 0, 0)]
    records += [(s.name_offset, s.info, s.other, s.shndx, s.value, s.size) for s in ordered]
    return Tables(
        dynsym=b"".join(SYM.pack(*record) for record in records),
        versym=struct.pack(f"<{len(records)}H", 0, *(s.version for s in ordered)),
        hash=_sysv_table([s.name for s in ordered], buckets),
        gnu_hash=_gnu_table([hashes[s] for s in ordered], buckets),
    )


def _sysv_table(names: Sequence[str], buckets: int) -> bytes:
    heads, chains = [0] * buckets, [0] * (len(names) + 1)
    for index, name in enumerate(names, 1):
        bucket = sysv_hash(name.encode()) % buckets
        heads[bucket], chains[index] = index, heads[bucket]
    return struct.pack(f"<{2 + len(heads) + len(chains)}I", len(heads), len(chains), *heads, *chains)


def _gnu_table(hashes: Sequence[int], buckets: int) -> bytes:
    """Return DT_GNU_HASH with a bloom word for each 16 symbols, a power of two of them (glibc asserts that)."""
    words = 1
    while words * 16 < len(hashes):
        words *= 2
    bloom, heads, chains = [0] * words, [0] * buckets, []
    for index, value in enumerate(hashes):
        bloom[value // 64 % words] |= 1 << value % 64 | 1 << (value >> _BLOOM_SHIFT) % 64
        bucket = value % buckets
        heads[bucket] = heads[bucket] or index + 1
        last = index + 1 == len(hashes) or hashes[index + 1] % buckets != bucket
        chains.append(value & ~1 | last)
    head = struct.pack("<IIII", buckets, 1, words, _BLOOM_SHIFT)
    return head + struct.pack(f"<{words}Q{buckets}I{len(chains)}I", *bloom, *heads, *chains)

# SPDX-License-Identifier: MIT
"""Rules on DT_HASH and DT_GNU_HASH: the lookup of the consumers finds every symbol through each table."""

from __future__ import annotations

from collections.abc import Iterator

from elftools.elf.hash import ELFHashTable, GNUHashTable

from ...arch.arch import Arch
from ..model import NAMELESS, GnuHash, Subject, Symbol, SysvHash
from ..rule import EVERY, GLIBC, GO, MUSL, RUSTIX, SELFTESTS, rule

BLOOM_BITS = 64


def sysv_hash(name: bytes) -> int:
    """Compute the hash of DT_HASH and of version names (vd_hash), as pyelftools does: 0xae77f75 for LINUX_4.15.

    An image's tables are made with tables/symbol_tables.py. pyelftools keeps bits above the 32 that a hash has.
    """
    return ELFHashTable.elf_hash(name) & 0xFFFFFFFF


def gnu_hash(name: bytes) -> int:
    """Compute the hash of DT_GNU_HASH, as pyelftools does."""
    return int(GNUHashTable.gnu_hash(name))


def _named(s: Subject) -> tuple[Symbol, ...]:
    """Return every global symbol with a name: the exports, and the symbol that names the version."""
    candidates = (symbol for symbol in s.symbols or () if symbol.index and symbol.name)
    return tuple(symbol for symbol in candidates if symbol.type not in NAMELESS and symbol.defined)


def _sysv(s: Subject) -> SysvHash | None:
    """Return DT_HASH when its arrays lie in the file and symbols are known."""
    table = s.sysv
    if table is None or s.symbols is None or not s.inside(table.chains, 4 * len(s.symbols)):
        return None
    return table


def _chain(s: Subject, table: SysvHash, bucket: int) -> Iterator[int]:
    """Yield the symbol indices of one bucket, as far as they lie in the symbol table, each at most once."""
    index = s.word(table.buckets + 4 * bucket)
    for _step in s.symbols or ():
        if not index or index >= len(s.symbols or ()):
            return
        yield index
        index = s.word(table.chains + 4 * index)


def _without_old_clock(consumer: str, arch: Arch) -> bool:
    return consumer == MUSL and not arch.musl_knew_hash


@rule(
    "dt-hash",
    (MUSL, "up to 1.2.5 finds nothing"),
    (SELFTESTS, "up to Linux 6.12 find nothing"),
    spared=_without_old_clock,
)
def dt_hash(s: Subject) -> Iterator[str]:
    """DT_HASH is there. musl to 1.2.5 src/internal/vdso.c, Linux to 6.12 and LTP parse_vdso.c look at nothing else.

    Where musl has a clock in the vDSO from 1.2.6 on only (arch/riscv64/syscall_arch.h), it takes DT_GNU_HASH as well.
    """
    if s.dynamic is not None and s.tag("DT_HASH") is None:
        yield "no DT_HASH, and they know no other table"


@rule("dt-gnu-hash", (GLIBC, "must take the slower DT_HASH"), (GO, "must take DT_HASH"), (RUSTIX, "must take DT_HASH"))
def dt_gnu_hash(s: Subject) -> Iterator[str]:
    """DT_GNU_HASH is there. glibc elf/dl-setup_hash.c, Go vdso_linux.go and rustix vdso.rs prefer it."""
    if s.dynamic is not None and s.tag("DT_GNU_HASH") is None:
        yield "no DT_GNU_HASH"


@rule("hash-buckets", (EVERY, "divides by zero or reads beyond the image"))
def hash_buckets(s: Subject) -> Iterator[str]:
    """Each hash has buckets, and its arrays lie inside the load. gABI, "Hash Table": bucket[hash % nbucket]."""
    count = len(s.symbols or ())
    at = s.tag("DT_HASH")
    if at is not None and s.inside(at) and s.symbols is not None:
        if s.sysv is None or not s.inside(s.sysv.chains, 4 * count):
            yield f"DT_HASH at 0x{at:x}: its buckets and {count} chains do not fit before 0x{s.size:x}"
        elif s.sysv.nbucket == 0:
            yield f"DT_HASH at 0x{at:x} has no bucket"
    at = s.tag("DT_GNU_HASH")
    if at is not None and s.inside(at) and s.symbols is not None and not _bad_bloom(s.gnu):
        if s.gnu is None or not s.inside(s.gnu.chains, 4 * max(0, count - s.gnu.symoffset)):
            yield f"DT_GNU_HASH at 0x{at:x}: its tables do not fit before 0x{s.size:x}"
        elif s.gnu.nbuckets == 0:
            yield f"DT_GNU_HASH at 0x{at:x} has no bucket"


@rule("hash-nchain", (MUSL, "takes nchain for the number of symbols"), (GO, "stops at nchain"))
def hash_nchain(s: Subject) -> Iterator[str]:
    """nchain is the number of symbols. musl src/internal/vdso.c: `for (i=0; i<hashtab[1]; i++)`; gABI, "Hash Table"."""
    if s.sysv is not None and s.symbols is not None and s.sysv.nchain != len(s.symbols):
        yield f"nchain of DT_HASH is {s.sysv.nchain}, the symbol table has {len(s.symbols)} entries"


@rule("hash-lookup", (SELFTESTS, "miss a function"), (GLIBC, "misses it too where DT_GNU_HASH is absent"))
def hash_lookup(s: Subject) -> Iterator[str]:
    """Every symbol is found through DT_HASH. Linux selftests/vDSO/parse_vdso.c, vdso_sym; glibc elf/dl-lookup.c."""
    table = _sysv(s)
    if table is None or table.nbucket == 0:
        return
    for symbol in _named(s):
        bucket = sysv_hash((symbol.name or "").encode()) % table.nbucket
        if symbol.index not in _chain(s, table, bucket):
            yield f"{symbol} is not in bucket 0x{bucket:x} of DT_HASH"


@rule("hash-chain-end", (SELFTESTS, "never return from a name that isn't there"), (GLIBC, "reads beyond the table"))
def hash_chain_end(s: Subject) -> Iterator[str]:
    """Every chain of DT_HASH ends with STN_UNDEF and stays inside the symbol table. gABI, "Hash Table"."""
    table = _sysv(s)
    if table is None:
        return
    for bucket in range(table.nbucket):
        chain = list(_chain(s, table, bucket))
        last = s.word(table.chains + 4 * chain[-1]) if chain else s.word(table.buckets + 4 * bucket)
        if last:
            count = len(s.symbols or ())
            yield f"the chain of bucket 0x{bucket:x} of DT_HASH goes on to 0x{last:x} ({count} symbols)"


def _bad_bloom(table: GnuHash | None) -> bool:
    return table is not None and (table.bloom_size == 0 or table.bloom_size & table.bloom_size - 1 != 0)


def _gnu(s: Subject) -> GnuHash | None:
    """Return DT_GNU_HASH when its arrays can be located and symbols are known."""
    table = s.gnu
    if table is None or s.symbols is None or _bad_bloom(table) or table.nbuckets == 0:
        return None
    if not s.inside(table.chains, 4 * max(0, len(s.symbols) - table.symoffset)):
        return None
    return table


@rule("gnu-hash-bloom-size", (GLIBC, "fails an assertion at start"))
def gnu_hash_bloom_size(s: Subject) -> Iterator[str]:
    """The bloom filter's words are a power of two. glibc elf/dl-setup_hash.c: assert (powerof2 (bitmask_nwords))."""
    if s.gnu is not None and s.symbols is not None and s.gnu.bloom_size and _bad_bloom(s.gnu):
        yield f"DT_GNU_HASH has {s.gnu.bloom_size} bloom words, must be a power of two"


@rule("gnu-hash-bloom-empty", (GLIBC, "dies of SIGSEGV at start"))
def gnu_hash_bloom_empty(s: Subject) -> Iterator[str]:
    """The bloom filter has a word. With none the assertion on a power of two holds, and the index of a word is hash / 64.

    glibc elf/dl-setup_hash.c (l_gnu_bitmask_idxbits) and elf/dl-lookup.c, do_lookup_x.
    """
    if s.gnu is not None and s.symbols is not None and s.gnu.bloom_size == 0:
        yield "DT_GNU_HASH has no bloom word"


@rule("gnu-hash-bloom", (GLIBC, "misses a function"))
def gnu_hash_bloom(s: Subject) -> Iterator[str]:
    """The bloom filter passes every symbol. glibc elf/dl-lookup.c, do_lookup_x; Go and rustix do not look at it."""
    table = _gnu(s)
    if table is None:
        return
    if table.bloom_shift >= 32:
        yield f"the bloom filter of DT_GNU_HASH shifts hashes of 32 bits by 0x{table.bloom_shift:x}"
        return
    for symbol in _hashed(s, table):
        h = gnu_hash((symbol.name or "").encode())
        word = s.xword(table.bloom + 8 * (h // BLOOM_BITS & table.bloom_size - 1)) or 0
        if not word >> h % BLOOM_BITS & word >> (h >> table.bloom_shift) % BLOOM_BITS & 1:
            yield f"the bloom filter of DT_GNU_HASH rejects {symbol}"


def _hashed(s: Subject, table: GnuHash) -> tuple[Symbol, ...]:
    return tuple(symbol for symbol in _named(s) if symbol.index >= table.symoffset)


@rule(
    "gnu-hash-lookup",
    (GLIBC, "misses a function"),
    (GO, "misses a function"),
    (RUSTIX, "misses a function"),
)
def gnu_hash_lookup(s: Subject) -> Iterator[str]:
    """Every symbol is found through DT_GNU_HASH's buckets and chains.

    glibc elf/dl-lookup.c; Go vdso_linux.go; rustix.
    """
    table = _gnu(s)
    if table is None:
        return
    for symbol in _named(s):
        if not _leads_to(s, table, symbol):
            yield f"DT_GNU_HASH does not lead to {symbol} (symbol 0x{symbol.index:x})"


def _leads_to(s: Subject, table: GnuHash, symbol: Symbol) -> bool:
    h = gnu_hash((symbol.name or "").encode())
    index = s.word(table.buckets + 4 * (h % table.nbuckets)) or 0
    if index < table.symoffset:
        return False
    while index < len(s.symbols or ()):
        entry = s.word(table.chains + 4 * (index - table.symoffset))
        if entry is None:
            return False
        if index == symbol.index:
            return entry | 1 == h | 1
        if entry & 1:
            return False
        index += 1
    return False


@rule("gnu-hash-chain-end", (EVERY, "reads beyond the table for a name that isn't there"))
def gnu_hash_chain_end(s: Subject) -> Iterator[str]:
    """Every chain of DT_GNU_HASH ends (bit 0) at a symbol of the table. glibc elf/dl-lookup.c has no other limit."""
    table = _gnu(s)
    if table is None:
        return
    count = len(s.symbols or ())
    for bucket in range(table.nbuckets):
        index = s.word(table.buckets + 4 * bucket) or 0
        entries = (s.word(table.chains + 4 * (i - table.symoffset)) for i in range(max(index, table.symoffset), count))
        if index and not any(entry is not None and entry & 1 for entry in entries):
            where = f"bucket 0x{bucket:x} of DT_GNU_HASH, from symbol 0x{index:x}"
            yield f"the chain of {where}, has no end ({count} symbols)"

# SPDX-License-Identifier: MIT
"""The hashes that an image's tables are made with, and those that pyelftools judges them by, are the same."""

from __future__ import annotations

from elftools.elf.hash import ELFHashTable
from hypothesis import example, given
from hypothesis import strategies as st
from vdso.tables import symbol_tables
from vdso.verify.rules import hashes

CARRY = b"iiiiickz"
"""Its hash carries out of 32 bits on the way, which glibc's and musl's arithmetic drops and pyelftools' keeps."""


@example(CARRY)
@given(st.binary(max_size=40))
def test_both_opinions_on_a_hash_agree(name: bytes) -> None:
    assert symbol_tables.sysv_hash(name) == hashes.sysv_hash(name)
    assert symbol_tables.gnu_hash(name) == hashes.gnu_hash(name)


def test_the_name_with_a_carry_is_one() -> None:
    assert ELFHashTable.elf_hash(CARRY) != symbol_tables.sysv_hash(CARRY)


def test_a_hash_is_the_one_that_go_compiles_in() -> None:
    """Go runtime/vdso_linux_riscv64.go."""
    assert symbol_tables.sysv_hash(b"LINUX_4.15") == 0xAE77F75

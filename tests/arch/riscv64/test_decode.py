# SPDX-License-Identifier: MIT
"""What the decoder says of an instruction is what the ISA manual says: each expected effect is written by hand from it.

Sources: The RISC-V Instruction Set Manual, volume I, chapters RV32I, RV64I, M, A, F, D, Zicsr, Zifencei and C, and its table
of pseudoinstructions.
"""

from __future__ import annotations

import functools

import pytest
from arch.riscv64.assembled import spaced
from vdso.arch.effects import Add, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap
from vdso.arch.riscv64.decode import decode, text

DISTANCE = 0x20
"""From one instruction to the next; the targets of jumps are named by their distance."""
NOTHING = Clobber((), ())
MINUS_ONE = (1 << 64) - 1
HIGHEST = 0xFFFFFFFF_80000000
"""lui sign-extends what it makes of its 20 bits."""


def load(register: str, base: str, offset: int) -> Memory:
    return Memory(base, offset, results=(register,))


def store(register: str, base: str, offset: int) -> Memory:
    return Memory(base, offset, uses=(register,), stores=True)


SAME_ANYWHERE: dict[str, Effect] = {
    # constants
    "lui a0, 0x12345": Const("a0", 0x12345000),
    "lui a0, 0x80000": Const("a0", HIGHEST),
    "c.lui a0, 1": Const("a0", 0x1000),
    "c.lui a0, 0xfffe1": Const("a0", MINUS_ONE - 0x1EFFF),
    "c.li a0, 31": Const("a0", 31),
    "c.li a0, -1": Const("a0", MINUS_ONE),
    "addi a0, zero, 2047": Const("a0", 2047),
    "addi a7, zero, -2048": Const("a7", MINUS_ONE - 2047),
    # sums and copies
    "addi a0, a1, -8": Add("a0", "a1", -8),
    "addi a0, a0, 1000": Add("a0", "a0", 1000),
    "c.addi a0, -4": Add("a0", "a0", -4),
    "c.addi16sp sp, -64": Add("sp", "sp", -64),
    "c.addi4spn a0, sp, 16": Add("a0", "sp", 16),
    "c.mv a0, a1": Add("a0", "a1", 0, copy=True),
    ".insn i 0x13, 0, s0, s1, 0": Add("s0", "s1", 0, copy=True),
    # loads
    "ld a0, 2040(a1)": load("a0", "a1", 2040),
    "lw a0, -4(a1)": load("a0", "a1", -4),
    "lwu a0, 0(a1)": load("a0", "a1", 0),
    "lh a0, 2(a1)": load("a0", "a1", 2),
    "lhu a0, 2(a1)": load("a0", "a1", 2),
    "lb a0, 1(a1)": load("a0", "a1", 1),
    "lbu a0, 1(zero)": load("a0", "zero", 1),
    "c.ld a0, 8(a1)": load("a0", "a1", 8),
    "c.lw a0, 4(a1)": load("a0", "a1", 4),
    "c.ldsp a0, 8(sp)": load("a0", "sp", 8),
    "c.lwsp a0, 4(sp)": load("a0", "sp", 4),
    "ld sp, 0(a0)": load("sp", "a0", 0),
    "flw fa0, -4(a1)": load("fa0", "a1", -4),
    "fld fa0, -8(a1)": load("fa0", "a1", -8),
    "c.fld fa0, 8(a1)": load("fa0", "a1", 8),
    "c.fldsp fa0, 8(sp)": load("fa0", "sp", 8),
    # stores
    "sd a0, -8(a1)": store("a0", "a1", -8),
    "sw zero, 0(a1)": store("zero", "a1", 0),
    "sh a0, 2(a1)": store("a0", "a1", 2),
    "sb a0, 1(zero)": store("a0", "zero", 1),
    "c.sd a0, 8(a1)": store("a0", "a1", 8),
    "c.sw a0, 4(a1)": store("a0", "a1", 4),
    "c.sdsp ra, 8(sp)": store("ra", "sp", 8),
    "c.swsp a0, 4(sp)": store("a0", "sp", 4),
    "fsw fa0, 4(a1)": store("fa0", "a1", 4),
    "fsd fa0, -8(a1)": store("fa0", "a1", -8),
    "c.fsd fa0, 8(a1)": store("fa0", "a1", 8),
    "c.fsdsp fa0, 8(sp)": store("fa0", "sp", 8),
    # atomics read and write at once
    "lr.d a0, (a1)": load("a0", "a1", 0),
    "lr.w.aq a0, (a1)": load("a0", "a1", 0),
    "sc.d a0, a2, (a1)": Memory("a1", 0, ("a0",), ("a2",), stores=True),
    "sc.w.rl a0, a2, (a1)": Memory("a1", 0, ("a0",), ("a2",), stores=True),
    "amoadd.d a0, a2, (a1)": Memory("a1", 0, ("a0",), ("a2",), stores=True),
    "amoswap.w.aqrl a0, a2, (a1)": Memory("a1", 0, ("a0",), ("a2",), stores=True),
    "amomaxu.d a0, a2, (a1)": Memory("a1", 0, ("a0",), ("a2",), stores=True),
    # jumps to what a register holds: a return is `jalr zero, 0(ra)` and nothing else
    "c.jr ra": Return(),
    "jalr zero, 0(ra)": Return(),
    "jalr zero, 4(ra)": Jump(None, "ra", 4),
    "jalr zero, 0(t0)": Jump(None, "t0", 0),
    "c.jr a0": Jump(None, "a0", 0),
    "jalr zero, -8(a0)": Jump(None, "a0", -8),
    "c.jalr a0": Jump(None, "a0", 0, link="ra"),
    "jalr ra, 4(a0)": Jump(None, "a0", 4, link="ra"),
    "jalr ra, 0(ra)": Jump(None, "ra", 0, link="ra"),
    "c.jalr ra": Jump(None, "ra", 0, link="ra"),
    "jalr t0, 0(a0)": Jump(None, "a0", 0, link="t0"),
    "jalr t0, 4(ra)": Jump(None, "ra", 4, link="t0"),
    # the environment
    "ecall": SystemCall(),
    "c.unimp": Trap(),
    ".word 0xc0001073": Trap(),
    "ebreak": NOTHING,
    "fence r, rw": NOTHING,
    "fence.tso": NOTHING,
    "fence.i": NOTHING,
    "pause": NOTHING,
    "nop": NOTHING,
    # control and status registers: all but the counters and those of floating point are the kernel's
    "csrr sp, 0x300": KernelState(("sp",), ()),
    "rdtime a0": Clobber(("a0",), ()),
    "rdcycle a0": Clobber(("a0",), ()),
    "frcsr a0": Clobber(("a0",), ()),
    "csrrw a0, 0x300, a1": KernelState(("a0",), ("a1",)),
    "csrrs a0, 0x300, a1": KernelState(("a0",), ("a1",)),
    "csrrc a0, 0x300, a1": KernelState(("a0",), ("a1",)),
    "csrrwi a0, 0x300, 4": KernelState(("a0",), ()),
    "csrrsi a0, 0x300, 4": KernelState(("a0",), ()),
    "csrw 0x300, a0": KernelState((), ("a0",)),
    "csrs 0x300, a0": KernelState((), ("a0",)),
    "csrc 0x300, a0": KernelState((), ("a0",)),
    "csrwi 0x300, 4": KernelState((), ()),
    "csrsi 0x300, 4": KernelState((), ()),
    "fscsr a0, a1": Clobber(("a0",), ("a1",)),
    "fscsr a0": Clobber((), ("a0",)),
    "fsrm a0": Clobber((), ("a0",)),
    "fsflags a0": Clobber((), ("a0",)),
    "fsflagsi 1": NOTHING,
    # anything else: the first register gets a value that nobody follows; a compressed form reads it too
    "add a0, a1, a2": Clobber(("a0",), ("a1", "a2")),
    "c.add a0, a1": Clobber(("a0",), ("a0", "a1")),
    "c.sub a0, a1": Clobber(("a0",), ("a0", "a1")),
    "c.addw a0, a1": Clobber(("a0",), ("a0", "a1")),
    "c.addiw a0, 4": Clobber(("a0",), ("a0",)),
    "c.andi a0, 4": Clobber(("a0",), ("a0",)),
    "c.slli a0, 3": Clobber(("a0",), ("a0",)),
    "c.srai a0, 3": Clobber(("a0",), ("a0",)),
    "addiw a0, a1, 4": Clobber(("a0",), ("a1",)),
    "slli a0, a1, 3": Clobber(("a0",), ("a1",)),
    "not a0, a1": Clobber(("a0",), ("a1",)),
    "neg a0, a1": Clobber(("a0",), ("a1",)),
    "snez a0, a1": Clobber(("a0",), ("a1",)),
    "mulhu a0, a1, a2": Clobber(("a0",), ("a1", "a2")),
    "divu a0, a1, a2": Clobber(("a0",), ("a1", "a2")),
    "fmadd.d fa0, fa1, fa2, fa3": Clobber(("fa0",), ("fa1", "fa2", "fa3")),
    "fcvt.d.l fa0, a1": Clobber(("fa0",), ("a1",)),
    "fmv.x.d a0, fa1": Clobber(("a0",), ("fa1",)),
    "feq.d a0, fa1, fa2": Clobber(("a0",), ("fa1", "fa2")),
}

FROM_HERE: dict[str, Effect] = {
    "auipc a0, 0x10": Const("a0", 0x10000, relative=True, partial=True),
    "auipc a0, 0x7ffff": Const("a0", 0x7FFFF000, relative=True, partial=True),
    "auipc a0, 0xfffff": Const("a0", -0x1000, relative=True, partial=True),
    "auipc a0, 0x80000": Const("a0", -0x80000000, relative=True, partial=True),
    "j .+16": Jump(16),
    "j .-16": Jump(-16),
    "jal zero, .+16": Jump(16),
    "jal .+16": Jump(16, link="ra"),
    "jal t0, .-16": Jump(-16, link="t0"),
    "beq a0, a1, .+16": Branch(16, ("a0", "a1")),
    "bne a0, a1, .-16": Branch(-16, ("a0", "a1")),
    "blt a0, a1, .+8": Branch(8, ("a0", "a1")),
    "bge a0, a1, .+8": Branch(8, ("a0", "a1")),
    "bltu a0, a1, .+8": Branch(8, ("a0", "a1")),
    "bgeu a0, a1, .+8": Branch(8, ("a0", "a1")),
    "c.beqz a0, .+16": Branch(16, ("a0",)),
    "c.bnez a0, .-16": Branch(-16, ("a0",)),
    "blez a0, .+8": Branch(8, ("a0",)),
    "bgez a0, .+8": Branch(8, ("a0",)),
    "bltz a0, .+8": Branch(8, ("a0",)),
    "bgtz a0, .+8": Branch(8, ("a0",)),
}
"""Addresses count from the instruction."""

UNKNOWN = {
    "reserved for custom instructions": ".word 0x0000000b",
    "a reserved compressed parcel": ".2byte 0x8000",
    "sh1add, of an extension that capstone does not know": ".insn r 0x33, 2, 0x10, a0, a1, a2",
}


@functools.cache
def code(*instructions: str) -> bytes:
    return spaced(instructions, DISTANCE)


def shifted(effect: Effect, address: int) -> Effect:
    """Return the effect of the same instruction at another address."""
    match effect:
        case Const():
            return Const(effect.register, effect.value + address, effect.relative, effect.partial)
        case Branch():
            return Branch(effect.target + address, effect.uses)
        case Jump(target=int(target)):
            return Jump(target + address, link=effect.link)
    raise AssertionError(effect)


@pytest.mark.parametrize("instruction", SAME_ANYWHERE)
def test_the_effect_is_that_of_the_manual(instruction: str) -> None:
    at = list(SAME_ANYWHERE).index(instruction) * DISTANCE
    decoded = decode(code(*SAME_ANYWHERE), at)
    assert decoded is not None
    assert decoded[1] == SAME_ANYWHERE[instruction]


@pytest.mark.parametrize("instruction", FROM_HERE)
def test_an_address_counts_from_the_instruction(instruction: str) -> None:
    at = list(FROM_HERE).index(instruction) * DISTANCE
    decoded = decode(code(*FROM_HERE), at)
    assert decoded is not None
    assert decoded[1] == shifted(FROM_HERE[instruction], at)


@pytest.mark.parametrize("instruction", [*SAME_ANYWHERE, *FROM_HERE])
def test_the_size_is_that_of_the_parcels(instruction: str) -> None:
    """The two lowest bits are both set in all instructions of 32 bits, and in no shorter one."""
    table = SAME_ANYWHERE if instruction in SAME_ANYWHERE else FROM_HERE
    at = list(table).index(instruction) * DISTANCE
    decoded = decode(code(*table), at)
    assert decoded is not None
    assert decoded[0] == (4 if code(*table)[at] & 3 == 3 else 2)


@pytest.mark.parametrize("instruction", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_has_no_effect_at_all(instruction: str) -> None:
    assert decode(code(instruction), 0) is None


def test_an_instruction_that_the_code_cuts_off_is_not_known() -> None:
    assert decode(b"\x17\x05\x01", 0) is None
    assert decode(b"\x17", 0) is None
    assert decode(b"", 0) is None
    assert decode(b"\x82\x80", 2) is None


def test_an_atomic_whose_address_is_its_operand_reads_and_writes_there() -> None:
    decoded = decode(code("amoadd.d a0, a1, (a1)"), 0)
    assert decoded is not None
    assert decoded[1] == Memory("a1", 0, ("a0",), ("a1",), stores=True)


def test_text_has_each_instruction_with_its_address_and_size() -> None:
    lines = list(text(b"\x01\0" + code("auipc a0, 0x10") + b"\0\x80" + b"\x82\x80", 0, 10))
    assert lines == [(0, 2, "c.nop"), (2, 4, "auipc a0, 0x10"), (6, 2, ".half 0x8000"), (8, 2, "c.jr ra")]


def test_text_ends_where_it_is_told() -> None:
    whole = code("auipc a0, 0x10") + b"\x82\x80"
    assert list(text(whole, 4, 4)) == []
    assert list(text(whole, 0, 2)) == [(0, 2, ".half 0x0517")]

# SPDX-License-Identifier: MIT
"""What the analysis finds in code, on programs of effects: no machine code and no disassembler stand between.

`program(…)` is code of a machine whose every instruction is SIZE bytes long and has the effect that stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from vdso.arch.effects import Add, Bits, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap
from vdso.arch.riscv64.facts import RISCV64
from vdso.data_page import readable
from vdso.elf.elf64 import PAGE
from vdso.image.analysis import MOST_STEPS, Formed, Function, analyse, outside
from vdso.ranges import Span

SIZE = 2
ZERO = RISCV64.zero_register
NUMBER, (RESULT, *_) = RISCV64.number_register, RISCV64.result_registers
EXIT = min(RISCV64.no_return)
FAR, OTHER = 0x10000, 0x20000
"""Addresses behind all of the programs here."""
NOTHING = Clobber((), ())
TOP = 1 << 64


def at(index: int) -> int:
    return index * SIZE


def run(*effects: Effect | None, entry: int = 0) -> Function:
    """Analyse the program from the instruction with the index `entry`; None is an instruction that is not known."""

    def decode(code: bytes, address: int) -> tuple[int, Effect] | None:
        assert len(code) == at(len(effects))
        index, odd = divmod(address, SIZE)
        effect = None if odd or index >= len(effects) else effects[index]
        return None if effect is None else (SIZE, effect)

    machine = replace(RISCV64)
    object.__setattr__(machine, "decode", decode)  # else the decoder of RISC-V would be imported at the first use
    return analyse(bytes(at(len(effects))), at(entry), machine)


def half(register: str, value: int) -> Const:
    """Make the high part of an address, to be completed."""
    return Const(register, value, relative=True, partial=True)


def whole(register: str, value: int) -> Const:
    return Const(register, value, relative=True)


def load(base: str, offset: int = 0, result: str = "x") -> Memory:
    return Memory(base, offset, (result,))


def store(base: str, offset: int = 0, source: str = "x") -> Memory:
    return Memory(base, offset, uses=(source,), stores=True)


def indexed(base: str, index: str, offset: int = 0) -> Memory:
    return Memory(base, offset, ("x",), index=index)


def scaled(shift: int, bits: int = 64) -> Memory:
    return Memory("a", results=("x",), index="i", shift=shift, index_bits=bits)


def formed(index: int, target: int, kind: str, absolute: bool = False) -> Formed:
    return Formed(at(index), target, kind, absolute)


@dataclass(frozen=True)
class Case:
    """A program and what is expected of its function: fields of `Function` by name, and `loads`, `addresses` (see HALVES)."""

    says: str
    program: tuple[Effect | None, ...]
    expected: dict[str, Any]
    entry: int = 0


def case(says: str, *program: Effect | None, entry: int = 0, **expected: Any) -> Case:
    return Case(says, program, expected, entry)


FLOW = [
    case(
        "what runs one after the other is covered to the return, and no further",
        NOTHING, NOTHING, Return(), NOTHING, Return(),
        covered=(Span(0, at(3)),), unknown=(), calls=(),
    ),
    case("what lies before the entry is not covered", NOTHING, NOTHING, Return(), entry=1, covered=(Span(at(1), at(2)),)),
    case("a trap ends it", Trap(), None, covered=(Span(0, at(1)),), unknown=()),
    case("an instruction that is not known is told", NOTHING, None, Return(), covered=(Span(0, at(1)),), unknown=(at(1),)),
    case("code that runs out of its end is told", NOTHING, NOTHING, covered=(Span(0, at(2)),), unknown=(at(2),)),
    case("an entry before the code is told", Return(), Return(), entry=-1, covered=(), unknown=(at(-1),)),
    case("an entry behind the code is told", Return(), entry=1, covered=(), unknown=(at(1),)),
    case(
        "both ways of a branch are covered",
        Branch(at(3), ("x",)), Return(), None, NOTHING, Return(),
        covered=(Span(0, at(2)), Span(at(3), at(2))), unknown=(), formed=(formed(0, at(3), "jump"),), uses={"x"},
    ),
    case(
        "a branch to an instruction that is not known is told",
        Branch(at(2), ()), Return(), None,
        covered=(Span(0, at(2)),), unknown=(at(2),),
    ),
    case(
        "a jump goes on at its target alone",
        Jump(at(2)), None, Return(),
        covered=(Span(0, at(1)), Span(at(2), at(1))), unknown=(), calls=(), formed=(formed(0, at(2), "jump"),),
    ),
    case(
        "a jump may go back",
        Return(), NOTHING, Jump(at(0)), entry=1,
        covered=(Span(0, at(3)),), unknown=(), formed=(formed(2, 0, "jump"),),
    ),
    case("a loop ends", NOTHING, Branch(at(0), ()), Return(), covered=(Span(0, at(3)),), unknown=()),
    case(
        "a jump out of the code is an address, not code",
        Branch(FAR, ()), Branch(-2, ()), Jump(at(3)),
        covered=(Span(0, at(3)),), unknown=(),
        formed=(formed(0, FAR, "jump"), formed(1, -2, "jump"), formed(2, at(3), "jump")),
    ),
    case(
        "a call covers the callee and what comes after it",
        Jump(at(2), link="r"), Return(), Trap(),
        covered=(Span(0, at(3)),), unknown=(), calls=(at(2),), writes={"r"}, formed=(formed(0, at(2), "jump"),),
    ),
    case(
        "a call out of the code is an address",
        Jump(FAR, link="r"), Return(),
        covered=(Span(0, at(2)),), unknown=(), calls=(FAR,), formed=(formed(0, FAR, "jump"),),
    ),
    case(
        "a jump through a register with a known address goes there",
        whole("a", at(3)), Jump(None, "a", at(1)), None, None, Return(),
        covered=(Span(0, at(2)), Span(at(4), at(1))), unknown=(), uses={"a"}, writes={"a"},
        formed=(formed(0, at(3), "address"), formed(1, at(4), "jump")),
    ),
    case(
        "a call through a register with a known address goes there and comes back",
        whole("a", at(3)), Jump(None, "a", 0, link="r"), Return(), Trap(),
        covered=(Span(0, at(4)),), unknown=(), calls=(at(3),), writes={"a", "r"},
    ),
    case(
        "a jump through a register that nobody knows is told",
        Jump(None, "a", 0), Return(),
        covered=(Span(0, at(1)),), unknown=(0,), calls=(), writes=set(), uses={"a"},
    ),
    case(
        "a call through a register that nobody knows is told, and comes back",
        Jump(None, "a", 0, link="r"), Return(),
        covered=(Span(0, at(2)),), unknown=(0,), calls=(), writes={"r"},
    ),
]  # fmt: skip

ADDRESSES = [
    case("half an address by itself is none", half("a", FAR), Return(), formed=(), writes={"a"}),
    case("a whole address is one where it is made", whole("a", FAR), Return(), formed=(formed(0, FAR, "address"),)),
    case(
        "an addition completes it",
        half("a", FAR), Add("b", "a", 8), Return(),
        formed=(formed(1, FAR + 8, "address"),), writes={"a", "b"}, uses={"a"},
    ),
    case("a load completes it", half("a", FAR), load("a", 8), Return(), formed=(formed(1, FAR + 8, "load"),), uses={"a"}),
    case(
        "a store completes it",
        half("a", FAR), store("a", -8), Return(),
        formed=(formed(1, FAR - 8, "store"),), uses={"a", "x"}, writes={"a"},
    ),
    case(
        "what reads and writes at once is a store",
        half("a", FAR), Memory("a", 0, ("x",), ("y",), stores=True), Return(),
        formed=(formed(1, FAR, "store"),), uses={"a", "y"}, writes={"a", "x"},
    ),
    case(
        "an access may have an address of its own",
        Memory(results=("x",), target=FAR), Memory(uses=("y",), stores=True, target=-8), Return(),
        formed=(formed(0, FAR, "load"), formed(1, -8, "store")), uses={"y"}, writes={"x"},
    ),
    case(
        "half an address may be an index",
        half("a", FAR), Memory("s", 0, ("x",), ("a",)), Return(),
        formed=(formed(1, FAR, "address"),), uses={"s", "a"},
    ),
    case("a jump completes it", half("a", FAR), Jump(None, "a", 8), formed=(formed(1, FAR + 8, "jump"),), unknown=()),
    case("an address may lie before the code", half("a", -FAR), load("a"), Return(), formed=(formed(1, -FAR, "load"),)),
    case(
        "a copy of a half is a half",
        half("a", FAR), Add("b", "a", 0, copy=True), load("b", 8), Return(),
        formed=(formed(2, FAR + 8, "load"),),
    ),
    case(
        "a copy of an address is one",
        whole("a", FAR), Add("b", "a", 0, copy=True), load("b", 8), Return(),
        formed=(formed(0, FAR, "address"), formed(1, FAR, "address"), formed(2, FAR + 8, "load")),
    ),
    case("adding nothing completes a half", half("a", FAR), Add("a", "a", 0), Return(), formed=(formed(1, FAR, "address"),)),
    case(
        "an address goes on from addition to addition",
        half("a", FAR), Add("a", "a", 8), Add("b", "a", 8), Return(),
        formed=(formed(1, FAR + 8, "address"), formed(2, FAR + 16, "address")),
    ),
    case(
        "half an address that is stored counts",
        half("a", FAR), store("s", 0, "a"), Return(),
        formed=(formed(1, FAR, "address"),),
    ),
    case(
        "half an address that is calculated with counts",
        half("a", FAR), Clobber(("b",), ("c", "a")), Return(),
        formed=(formed(1, FAR, "address"),), uses={"a", "c"}, writes={"a", "b"},
    ),
    case(
        "half an address that is compared counts",
        half("a", FAR), Branch(at(2), ("a",)), Return(),
        formed=(formed(1, at(2), "jump"), formed(1, FAR, "address")),
    ),
    case(
        "an address that was judged when it was complete is not judged again",
        whole("a", FAR), Clobber(("b",), ("a",)), store("s", 0, "a"), Return(),
        formed=(formed(0, FAR, "address"),),
    ),
    case("a register of the caller's is not judged", load("a", 8), store("a"), Return(), formed=(), uses={"a", "x"}),
    case("a sum of the caller's is not judged", Add("a", "b", 8), load("a"), Return(), formed=(), writes={"a", "x"}),
    case(
        "an absolute address counts where it is used",
        Const("a", FAR), Add("a", "a", 8), load("a", 8), Return(),
        formed=(formed(2, FAR + 16, "load", absolute=True),),
    ),
    case(
        "absolute addresses wrap around",
        Const("a", TOP - 8), Add("b", "a", 16), store("b", -16), load("a", 8), Return(),
        formed=(formed(2, TOP - 8, "store", absolute=True), formed(3, 0, "load", absolute=True)),
    ),
    case(
        "an offset alone is an absolute address",
        load("zero", 8), store("zero", -8), Return(),
        formed=(formed(0, 8, "load", absolute=True), formed(1, TOP - 8, "store", absolute=True)), uses={"zero", "x"},
    ),
]  # fmt: skip

INDEXED = [
    case(
        "two constants, one of the image, are an address of the image",
        half("a", FAR), Const("i", 8), indexed("a", "i", 4), Return(),
        formed=(formed(2, FAR + 12, "load"),), uses={"a", "i"}, writes={"a", "i", "x"},
    ),
    case(
        "on either side, and stored to as well",
        half("a", FAR), Const("i", 8), Memory("i", 4, uses=("x",), stores=True, index="a"), Return(),
        formed=(formed(2, FAR + 12, "store"),), uses={"a", "i", "x"},
    ),
    case(
        "two plain constants are an absolute one, which wraps around",
        Const("a", TOP - 8), Const("i", 16), indexed("a", "i"), Return(),
        formed=(formed(2, 8, "load", absolute=True),),
    ),
    case("the zero register is one", indexed("zero", "zero", 8), Return(), formed=(formed(0, 8, "load", absolute=True),)),
    case(
        "two addresses of the image are none of it together",
        whole("a", 0), indexed("a", "a"), Return(),
        formed=(formed(0, 0, "address"), formed(1, 0, "load", absolute=True)),
    ),
    case(
        "with an index that nobody knows the base is judged as it is",
        half("a", FAR), indexed("a", "i"), Return(),
        formed=(formed(1, FAR, "address"),),
    ),
    case(
        "with a base that nobody knows the index is judged as it is",
        half("i", FAR), indexed("a", "i"), Return(),
        formed=(formed(1, FAR, "address"),),
    ),
    case(
        "what may be half an address is judged beside a constant too",
        Branch(at(3), ()), half("a", FAR), Jump(at(4)), half("a", OTHER), Const("i", 8), indexed("a", "i"), Return(),
        addresses={FAR, OTHER},
    ),
    case(
        "a constant distance from the caller's pointer is the caller's",
        Const("i", 4096), indexed("a", "i"), indexed("i", "a"), Return(),
        formed=(), unknown=(),
    ),
    case(
        "an index counts so many times",
        half("a", FAR), Const("i", 3), scaled(3), Return(),
        formed=(formed(2, FAR + 24, "load"),), uses={"a", "i"},
    ),
    case(
        "of which only the lower bits count",
        half("a", FAR), Const("i", 5 << 32 | 2), scaled(1, 32), Return(),
        formed=(formed(2, FAR + 4, "load"),),
    ),
    case(
        "or those with their sign, which leads to before the base",
        half("a", 0), Const("i", 5 << 32 | (1 << 32) - 2), scaled(3, -32), Return(),
        formed=(formed(2, -16, "load"),),
    ),
    case(
        "so it does where all bits count",
        half("a", 0), Const("i", TOP - 2), scaled(3), Return(),
        formed=(formed(2, -16, "load"),),
    ),
    case(
        "a multiple of what nobody knows is as little known",
        half("a", FAR), scaled(3), Return(),
        formed=(formed(1, FAR, "address"),),
    ),
    case(
        "nor is a multiple of an address",
        whole("i", 8), half("a", FAR), scaled(3), Return(),
        formed=(formed(0, 8, "address"), formed(2, FAR, "address")),
    ),
    case(
        "a multiple of what is computed is computed",
        Const("i", 1), Clobber(("i",), ("i",)), Const("a", 8), scaled(3), Return(),
        formed=(), unknown=(at(3),),
    ),
    case(
        "an access may move its base, behind itself",
        whole("a", FAR), Memory("a", 8, ("x",), step=8), load("a"), Return(),
        addresses={FAR, FAR + 8}, loads={FAR + 8},
        writes={"a", "x"},
    ),
    case(
        "a base that is moved and not known stays so",
        Memory("a", step=-16), load("a"), Return(),
        formed=(), uses={"a"}, writes={"a", "x"},
    ),
]  # fmt: skip

PARTS = [
    case(
        "bits are replaced, and added to",
        Const("a", 0x12345000), Bits("a", "a", TOP - 1, 0x678), Bits("b", "a", 0xFFFFFFFF, 5 << 32), load("b"), Return(),
        formed=(formed(3, 0x512345678, "load", absolute=True),), writes={"a", "b", "x"}, uses={"a", "b"},
    ),
    case(
        "those of nothing",
        Bits("a", "zero", TOP - 1, 113), load("a"), Return(),
        formed=(formed(1, 113, "load", absolute=True),),
    ),
    case("of what nobody knows, nobody knows", Bits("a", "b", TOP - 1, 8), load("a"), Return(), formed=(), uses={"a", "b"}),
    case("what was there is gone", Const("a", 8), Bits("a", "b", 0, 8), load("a"), Return(), formed=()),
    case(
        "half an address whose bits are replaced is judged as it is",
        half("a", FAR), Bits("b", "a", TOP - 1, 8), load("b"), Return(),
        formed=(formed(1, FAR, "address"),),
    ),
    case("a number", Const(NUMBER, 0), Bits(NUMBER, NUMBER, TOP - 1, 113), SystemCall(), Return(), numbers={113}),
]  # fmt: skip

FORGOTTEN = [
    case("what was calculated", whole("a", at(0)), Clobber(("a",), ()), Jump(None, "a", 0), unknown=(at(2),)),
    case("what was loaded", whole("x", at(0)), load("s"), Jump(None, "x", 0), unknown=(at(2),)),
    case("a sum with what nobody knows", whole("a", at(0)), Add("a", "b", 0), Jump(None, "a", 0), unknown=(at(2),)),
    case("a copy of what nobody knows", whole("a", at(0)), Add("a", "b", 0, copy=True), Jump(None, "a", 0), unknown=(at(2),)),
    case(
        "what a system call answers",
        whole(RESULT, at(0)), SystemCall(), Jump(None, RESULT, 0),
        unknown=(at(2),), writes={RESULT},
    ),
    case("what a callee gets", whole("a", at(0)), Jump(at(3), link="r"), Return(), Jump(None, "a", 0), unknown=(at(3),)),
    case(
        "what a callee may have changed",
        whole("a", at(4)), Jump(at(3), link="r"), Jump(None, "a", 0), Return(), Return(),
        unknown=(at(2),),
    ),
    case(
        "what two ways make differently",
        Branch(at(3), ()), whole("a", at(5)), Jump(at(4)), whole("a", at(6)), Jump(None, "a", 0), Return(), Return(),
        unknown=(at(4),),
    ),
    case(
        "what one of two ways makes",
        whole("a", at(3)), Branch(at(3), ()), Clobber(("a",), ()), Jump(None, "a", 0), Return(),
        unknown=(at(3),),
    ),
    case(
        "what changes from round to round",
        whole("a", at(4)), Add("a", "a", at(1)), Branch(at(1), ()), Jump(None, "a", 0), Return(), Return(), Return(),
        unknown=(at(3),),
    ),
]  # fmt: skip
"""An address in a register that is not believed any more: the jump through it is told."""

REMEMBERED = [
    case("over a system call", whole("a", at(3)), SystemCall(), Jump(None, "a", 0), Return(), unknown=()),
    case("over a store", whole("x", at(3)), store("s"), Jump(None, "x", 0), Return(), unknown=()),
    case("over a branch", whole("a", at(3)), Branch(at(2), ("a",)), Jump(None, "a", 0), Return(), unknown=()),
    case(
        "to the other side of a branch",
        whole("a", at(3)), Branch(at(4), ()), Return(), Return(), Jump(None, "a", 0),
        unknown=(),
    ),
    case("over a jump", whole("a", at(3)), Jump(at(2)), Jump(None, "a", 0), Return(), unknown=()),
    case(
        "where two ways agree",
        Branch(at(3), ()), whole("a", at(5)), Jump(at(4)), whole("a", at(5)), Jump(None, "a", 0), Return(),
        unknown=(),
    ),
    case("over what writes no register", whole("a", at(3)), NOTHING, Jump(None, "a", 0), Return(), unknown=()),
    case("beside another register", whole("a", at(3)), whole("b", 0), Jump(None, "a", 0), Return(), unknown=()),
]  # fmt: skip
"""An address in a register that is still known: the jump through it goes there."""

COMPUTED = [
    case("from one constant", Const("a", 1), Clobber(("a",), ("a",)), load("a"), Return(), unknown=(at(2),)),
    case("from two", Const("a", 1), Const("b", 2), Clobber(("c",), ("a", "b")), store("c"), Return(), unknown=(at(3),)),
    case("from the register that reads as zero", Clobber(("a",), (ZERO,)), load("a"), Return(), unknown=(at(1),)),
    case("twice", Const("a", 1), Clobber(("b",), ("a",)), Clobber(("c",), ("b", "a")), load("c"), Return(), unknown=(at(3),)),
    case(
        "and added to, or copied",
        Const("a", 1), Clobber(("a",), ("a",)), Add("b", "a", 8), Add("c", "b", 0, copy=True), load("c"), Return(),
        unknown=(at(4),),
    ),
    case("over a store", Const("a", 1), Clobber(("a",), ("a",)), store("s"), load("a"), Return(), unknown=(at(3),)),
    case(
        "on one way, and a constant on the other",
        Branch(at(3), ()), Const("a", FAR), Jump(at(5)), Const("a", 1), Clobber(("a",), ("a",)), load("a"), Return(),
        unknown=(at(5),),
    ),
    case(
        "where two ways make different constants",
        Branch(at(3), ()), Const("a", FAR), Jump(at(4)), Const("a", OTHER), load("a"), Return(),
        unknown=(at(4),),
    ),
    case(
        "and its bits replaced",
        Const("a", 1), Clobber(("a",), ("a",)), Bits("a", "a", 0, 8), load("a"), Return(),
        unknown=(at(3),),
    ),
    case(
        "beside another constant",
        Const("a", 1), Const("b", 8), Clobber(("a",), ("a",)), Memory("b", index="a"), Return(),
        unknown=(at(3),),
    ),
]  # fmt: skip
"""An address that is made of absolute constants by what is not followed: the access that takes it is told."""

OF_THE_CALLER = [
    case("with what nobody knows", Const("a", 1), Clobber(("a",), ("a", "x")), load("a"), Return()),
    case("with an address of the image", Const("a", 1), whole("b", 0), Clobber(("a",), ("a", "b")), load("a"), Return()),
    case("with a value that was loaded", Const("a", 1), load("s"), Clobber(("a",), ("a", "x")), load("a"), Return()),
    case("beside what nobody knows", Const("a", 1), Clobber(("a",), ("a",)), Memory("s", index="a"), Return()),
    case("by what reads no register", Clobber(("a",), ()), load("a"), Return()),
    case("from what a kernel sets", Const("a", 1), KernelState(("a",), ("a",)), load("a"), Return()),
    case("before a call", Const("a", 1), Clobber(("a",), ("a",)), Jump(at(5), link="r"), load("a"), Return(), Return()),
    case(
        "on one way, and anything on the other",
        Const("a", 1), Clobber(("a",), ("a",)), Branch(at(4), ()), Clobber(("a",), ()), load("a"), Return(),
    ),
]  # fmt: skip
"""A number that is not made of absolute constants alone: the access that takes it is not judged."""

HALVES = [
    case(
        "where two ways make different ones",
        Branch(at(3), ()), half("a", FAR), Jump(at(4)), half("a", OTHER), load("a", 8), Return(),
        loads={FAR + 8, OTHER + 8},
    ),
    case(
        "where one of two ways makes it",
        Branch(at(3), ()), half("a", FAR), Jump(at(3)), load("a", 8), Return(),
        loads={FAR + 8},
    ),
    case(
        "where the other way makes something else",
        Branch(at(3), ()), half("a", FAR), Jump(at(4)), Const("a", 5), load("a", 8), Return(),
        loads={FAR + 8},
    ),
    case(
        "from three ways",
        half("a", FAR), Branch(at(5), ()), half("a", OTHER), Branch(at(5), ()), half("a", -FAR), load("a"), Return(),
        loads={FAR, OTHER, -FAR},
    ),
    case(
        "in a copy",
        Branch(at(3), ()), half("a", FAR), Jump(at(4)), half("a", OTHER), Add("b", "a", 0, copy=True), load("b", 8), Return(),
        loads={FAR + 8, OTHER + 8},
    ),
    case(
        "which an addition completes",
        Branch(at(3), ()), half("a", FAR), Jump(at(4)), half("a", OTHER), Add("b", "a", 8), Return(),
        addresses={FAR + 8, OTHER + 8},
    ),
    case(
        "which is calculated with",
        Branch(at(3), ()), half("a", FAR), Jump(at(4)), half("a", OTHER), Clobber(("b",), ("a",)), Return(),
        addresses={FAR, OTHER},
    ),
    case("over a call", half("a", FAR), Jump(at(4), link="r"), load("a", 8), Return(), Return(), loads={FAR + 8}),
    case(
        "over a call through a register",
        half("a", FAR), Jump(None, "b", 0, link="r"), load("a", 8), Return(),
        loads={FAR + 8}, unknown=(at(1),),
    ),
    case("but not beyond a load into it", half("a", FAR), load("a", 0, "a"), load("a", 8), Return(), loads={FAR}),
    case("but not beyond what is calculated", half("a", FAR), Clobber(("a",), ()), load("a", 8), Return(), loads=set()),
]  # fmt: skip
"""A register that may hold half an address: `loads` and `addresses` are the targets of that kind that it forms."""

SYSTEM_CALLS = [
    case("a number that is set", Const(NUMBER, 113), SystemCall(), Return(), numbers={113}, unknown=(), uses=set()),
    case("a number that nobody knows", SystemCall(), Return(), numbers={None}, covered=(Span(0, at(2)),)),
    case("a number from elsewhere", Const(NUMBER, 113), Clobber((NUMBER,), ()), SystemCall(), Return(), numbers={None}),
    case("two calls", Const(NUMBER, 113), SystemCall(), Const(NUMBER, 0), SystemCall(), Return(), numbers={113, 0}),
    case("no call", Return(), numbers=set()),
    case("one that does not come back", Const(NUMBER, EXIT), SystemCall(), None, numbers={EXIT}, unknown=(), writes={NUMBER}),
    case("one that does", Const(NUMBER, 113), SystemCall(), None, numbers={113}, unknown=(at(2),), writes={NUMBER, RESULT}),
    case(
        "two ways with different numbers",
        Branch(at(3), ()), Const(NUMBER, 113), Jump(at(4)), Const(NUMBER, EXIT), SystemCall(), Return(),
        covered=(Span(0, at(6)),),
    ),
]  # fmt: skip

REGISTERS = [
    case("the zero register is never written", Const("zero", 5), Add("zero", "a", 0), Clobber(("zero",), ()),
         load("s", 0, "zero"), half("zero", FAR), load("zero"), Return(),
         writes={"x"}, formed=(formed(5, 0, "load", absolute=True),)),
    case("each way to write one", Const("a", 5), Add("b", "x", 0), load("y", 0, "c"), Clobber(("d",), ()),
         KernelState(("e",), ()), Return(), writes={"a", "b", "c", "d", "e"}, uses={"x", "y"}),
    case("each way to read one", Add("a", "b", 0), store("c", 0, "d"), Clobber((), ("e", "f")), Branch(at(4), ("g",)),
         KernelState((), ("h",)), Return(), writes={"a"}, uses={"b", "c", "d", "e", "f", "g", "h"}),
    case("several at once", Memory("s", 8, ("a", "s"), ("b", "c"), stores=True), Clobber(("d", "e"), ()), Return(),
         writes={"a", "s", "d", "e"}, uses={"s", "b", "c"}),
    case("what several hold is lost", whole("a", at(0)), whole("b", at(0)), Clobber(("a", "b"), ()), Branch(at(5), ()),
         Jump(None, "a", 0), Jump(None, "b", 0), unknown=(at(4), at(5))),
    case("a callee's count", Jump(at(2), link="r"), Return(), Clobber(("a",), ("b",)), Return(), writes={"r", "a"}, uses={"b"}),
    case("those of code that never runs don't", Return(), Clobber(("a",), ("b",)), writes=set(), uses=set()),
]  # fmt: skip


STATE = [
    case("what reads it is told, and followed", KernelState(("a",), ()), Branch(at(3), ("a",)), Return(), KernelState((), ()),
         Return(), state=(at(0), at(3)), unknown=(), writes={"a"}),
    case("what it reads is not followed", whole("a", at(0)), KernelState(("a",), ()), Jump(None, "a", 0),
         state=(at(1),), unknown=(at(2),)),
    case("all else reads none", load("s"), Clobber(("a",), ()), SystemCall(), Return(), state=()),
]  # fmt: skip


def ids(cases: list[Case]) -> list[str]:
    return [case.says for case in cases]


def check(case: Case) -> None:
    function = run(*case.program, entry=case.entry)
    targets = {
        f"{kind}{plural}": {formed.target for formed in function.formed if formed.kind == kind}
        for kind, plural in (("load", "s"), ("address", "es"))
    }
    found = {name: targets[name] if name in targets else getattr(function, name) for name in case.expected}
    assert found == case.expected
    assert function.entry == at(case.entry)


@pytest.mark.parametrize("case", STATE, ids=ids(STATE))
def test_what_reads_state_of_the_kernel_is_told(case: Case) -> None:
    check(case)


def test_a_machine_may_have_no_zero_register() -> None:
    machine = replace(RISCV64, zero_register="")
    object.__setattr__(machine, "decode", lambda _code, at: (SIZE, [Const("zero", 5), load("zero"), Return()][at // SIZE]))
    function = analyse(bytes(at(3)), 0, machine)
    assert function.formed == (formed(1, 5, "load", absolute=True),)
    assert function.writes == {"zero", "x"}


@pytest.mark.parametrize("case", FLOW, ids=ids(FLOW))
def test_all_code_that_can_run_is_covered(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", ADDRESSES, ids=ids(ADDRESSES))
def test_every_address_that_is_formed_is_told(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", INDEXED, ids=ids(INDEXED))
def test_an_access_may_have_an_index(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", PARTS, ids=ids(PARTS))
def test_a_constant_may_be_put_together(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", FORGOTTEN, ids=ids(FORGOTTEN))
def test_what_a_register_held_is_forgotten(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", COMPUTED, ids=ids(COMPUTED))
def test_an_address_made_of_constants_is_told(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", OF_THE_CALLER, ids=ids(OF_THE_CALLER))
def test_what_may_come_from_the_caller_is_not_judged(case: Case) -> None:
    check(replace(case, expected={"unknown": ()}))


@pytest.mark.parametrize("case", REMEMBERED, ids=ids(REMEMBERED))
def test_what_a_register_holds_is_remembered(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", HALVES, ids=ids(HALVES))
def test_half_an_address_is_followed(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", SYSTEM_CALLS, ids=ids(SYSTEM_CALLS))
def test_system_calls_are_told_by_number(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", REGISTERS, ids=ids(REGISTERS))
def test_registers_that_are_read_and_written_are_told(case: Case) -> None:
    check(case)


def test_both_numbers_of_a_system_call_are_told() -> None:
    one, other = Const(NUMBER, 113), Const(NUMBER, 169)
    function = run(Branch(at(3), ()), one, Jump(at(4)), other, SystemCall(), Return())
    assert None in function.numbers or function.numbers == {113, 169}


def test_what_is_too_long_to_look_at_is_no_proof() -> None:
    enough = run(*[NOTHING] * (MOST_STEPS - 1), Return())
    assert (enough.unknown, enough.covered) == ((), (Span(0, at(MOST_STEPS)),))
    longer = run(*[NOTHING] * MOST_STEPS, Return())
    assert longer.unknown == (at(MOST_STEPS),)
    assert longer.covered == (Span(0, at(MOST_STEPS)),)


def test_all_that_was_left_over_is_told() -> None:
    """Half of the branches' targets are not looked at when the steps are used up."""
    many = [Branch(at(MOST_STEPS + i), ()) for i in range(MOST_STEPS)]
    function = run(*many, *[Return()] * MOST_STEPS)
    looked_at = sum(span.size for span in function.covered)
    assert looked_at == at(MOST_STEPS)
    assert len(function.unknown) == MOST_STEPS
    assert not any(span.holds(pc) for span in function.covered for pc in function.unknown)


IMAGE = 0x1000
INSIDE = [
    ("the first byte", 0, "load", IMAGE),
    ("the last byte", IMAGE - 1, "load", IMAGE),
    ("a jump in the image", 0x800, "jump", IMAGE),
    ("the first byte of the data page", IMAGE, "load", IMAGE),
    ("the last byte of the data page", IMAGE + PAGE - 1, "store", IMAGE),
    ("an address in the data page", IMAGE + 8, "address", IMAGE),
    ("the first byte of a data page before the image", -PAGE, "load", -PAGE),
    ("the last byte before the image", -1, "load", -PAGE),
]
OUTSIDE = [
    ("the byte behind the image", IMAGE, "load", None),
    ("the byte before the image", -1, "load", None),
    ("the byte behind the data page", IMAGE + PAGE, "load", IMAGE),
    ("the byte before the image where the data page is behind", -1, "load", IMAGE),
    ("the byte behind the image where the data page is before", IMAGE, "address", -PAGE),
    ("the byte before the data page", -PAGE - 1, "store", -PAGE),
    ("the byte between image and data page", IMAGE, "load", IMAGE + PAGE),
    ("a jump into the data page", IMAGE + 8, "jump", IMAGE),
    ("a jump out of the image", IMAGE, "jump", None),
]


def function(*formed: Formed) -> Function:
    return Function(0, (), formed, (), (), (), frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(("target", "kind", "page"), [row[1:] for row in INSIDE], ids=[row[0] for row in INSIDE])
def test_image_and_data_page_are_inside(target: int, kind: str, page: int) -> None:
    assert outside(function(Formed(0, target, kind)), IMAGE, readable(page, 0)) == ()


@pytest.mark.parametrize(("target", "kind", "page"), [row[1:] for row in OUTSIDE], ids=[row[0] for row in OUTSIDE])
def test_all_else_is_outside(target: int, kind: str, page: int | None) -> None:
    wrong = Formed(0, target, kind)
    assert outside(function(wrong), IMAGE, readable(page or 0, 0)) == (wrong,)


def test_an_absolute_address_is_outside_wherever_it_points() -> None:
    """The image is mapped anywhere, so none of them can be meant."""
    wrong = [Formed(0, target, "load", absolute=True) for target in (0, 8, IMAGE)]
    right = Formed(2, 8, "load")
    assert outside(function(*wrong, right), IMAGE, readable(IMAGE, 0)) == tuple(wrong)

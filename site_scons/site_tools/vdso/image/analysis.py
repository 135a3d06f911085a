# SPDX-License-Identifier: MIT
"""What the code of an image can reach and which addresses it forms: a forward data flow over the machine code.

Constants are followed through registers from where they are made (pc-relative or absolute) to where they are used as an
address. What the disassembler doesn't know, or a jump to an address that isn't known, is reported, never passed over:
it can't be part of a proof. Pointers that come in as arguments are the caller's and are not judged.

A whole address is reported where it is made, so it may be lost later on. Half an address says nothing before it is
completed, so all halves that a register may hold are followed, also where ways meet and over calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ..arch.arch import Arch
from ..arch.effects import Add, Bits, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap
from ..ranges import Span, merged

MOST_STEPS = 1 << 12  # instructions that one analysis follows, repeated ones included; Linux's largest function takes 600
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Formed:
    """An address that the instruction at `pc` forms. `absolute`: not relative to the program counter, so not to the image."""

    pc: int
    target: int
    kind: str  # "address", "load", "store", "jump"
    absolute: bool = False


@dataclass(frozen=True)
class Function:
    """All that can run from `entry`, callees included.

    covered     the instructions reached, ascending, disjoint
    formed      addresses formed, by pc
    unknown     addresses of instructions that are not known, jump to an unknown place, lie outside the code, or take as an
                address what is computed from absolute constants alone
    state       addresses of instructions that read state of the kernel that lies in no memory
    calls       entries of local functions called
    writes      registers written
    uses        registers read as an address, an operand or the link of a call
    numbers     system call numbers; None for one that isn't a constant
    """

    entry: int
    covered: tuple[Span, ...]
    formed: tuple[Formed, ...]
    unknown: tuple[int, ...]
    state: tuple[int, ...]
    calls: tuple[int, ...]
    writes: frozenset[str]
    uses: frozenset[str]
    numbers: frozenset[int | None]


@dataclass(frozen=True)
class _Value:
    """What a register may hold: one constant; where that is not `sure`, high halves of addresses or anything else.

    computed    it holds one of several absolute constants, or what instructions that are not followed made of such ones
    """

    consts: frozenset[Const] = frozenset()
    sure: bool = False
    computed: bool = False

    @property
    def absolute(self) -> bool:
        """Tell whether it is the same number wherever the image lies."""
        return self.computed or (self.sure and not any(const.relative for const in self.consts))

    @property
    def const(self) -> Const | None:
        """Return the constant that the register holds for sure; None where there is none."""
        return next(iter(self.consts)) if self.sure else None

    @property
    def halves(self) -> frozenset[Const]:
        return frozenset(const for const in self.consts if const.relative and const.partial)


_ANYTHING = _Value()
_ZERO = _Value(frozenset((Const("", 0),)), sure=True)
_COMPUTED = _Value(computed=True)
_State = dict[str, _Value]


def _joined(one: _State, other: _State) -> _State:
    """Return what the registers may hold where two ways meet. Those that are left out may hold anything."""
    joined = {}
    for register in one.keys() | other.keys():
        here, there = one.get(register, _ANYTHING), other.get(register, _ANYTHING)
        value = here if here == there else _Value(here.halves | there.halves, computed=here.absolute and there.absolute)
        if value != _ANYTHING:
            joined[register] = value
    return joined


def _plus(const: Const, offset: int) -> int:
    return const.value + offset if const.relative else (const.value + offset) & _MASK


def _sum(consts: Sequence[Const]) -> Const:
    """Return the sum of constants, which is an address of the image only where one of them is."""
    relative = sum(const.relative for const in consts) == 1
    value = sum(const.value for const in consts) & _MASK
    if relative and value >> 63:  # before the image, by an index that is negative
        value -= 1 << 64
    return Const("", value, relative)


def _scaled(value: _Value, shift: int, bits: int) -> _Value:
    """Return an index as it counts: so many bits of the register, as in Memory, times a power of two."""
    if (shift, bits) == (0, 64):
        return value
    const = value.const
    if const is None or const.relative:
        return _COMPUTED if value.computed else _ANYTHING
    number = const.value & (1 << abs(bits)) - 1
    if bits < 0 and number >> -bits - 1:
        number -= 1 << -bits
    return _Value(frozenset((Const("", number << shift & _MASK),)), sure=True)


@dataclass
class _Walk:
    code: bytes
    arch: Arch
    states: dict[int, _State] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    formed: set[Formed] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    state: set[int] = field(default_factory=set)
    calls: set[int] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    numbers: set[int | None] = field(default_factory=set)
    work: list[int] = field(default_factory=list)

    def reach(self, pc: int, state: _State) -> None:
        known = self.states.get(pc)
        joined = state if known is None else _joined(known, state)
        if joined != known:
            self.states[pc] = dict(joined)
            self.work.append(pc)

    def address(self, pc: int, values: Sequence[_Value], offset: int, kind: str) -> int | None:
        """Note each constant that the sum of `values` and `offset` may be, and return it if it is one for sure.

        Where one value of several can be anything, an address of the image in another one is judged as it is.
        """
        if all(value.absolute for value in values) and any(value.computed for value in values):
            self.unknown.add(pc)  # it is no address of the image, nor of anything of the caller's
        if len(values) == 1:
            sums = values[0]
        elif all(value.sure for value in values):
            sums = _Value(frozenset((_sum([const for value in values for const in value.consts]),)), sure=True)
        else:
            sums, kind = _Value(frozenset(const for value in values for const in value.consts if const.relative)), "address"
        for const in sums.consts:
            self.formed.add(Formed(pc, _plus(const, offset), kind, absolute=not const.relative))
        return _plus(sums.const, offset) if sums.const else None

    def parts(self, access: Memory, state: _State) -> list[_Value]:
        """Return the values whose sum, and the offset, is the address of an access."""
        registers = [register for register in (access.base, access.index) if register]
        self.uses.update(registers)
        values = [self.value(register, state) for register in registers]
        if access.index:
            values[-1] = _scaled(values[-1], access.shift, access.index_bits)
        return values

    def value(self, register: str, state: _State) -> _Value:
        return _ZERO if register == self.arch.zero_register else state.get(register, _ANYTHING)

    def use(self, pc: int, registers: Iterable[str], state: _State) -> None:
        """Note registers that are read as plain operands: half an address that is used so counts as an address by itself."""
        for register in registers:
            self.uses.add(register)
            for half in state.get(register, _ANYTHING).halves:
                self.formed.add(Formed(pc, half.value, "address"))

    def step(self, pc: int, state: _State) -> None:
        decoded = self.arch.decode(self.code, pc)
        if pc < 0 or decoded is None:
            self.unknown.add(pc)
            return
        size: int
        effect: Effect
        size, effect = decoded
        self.sizes[pc] = size
        after = pc + size
        match effect:
            case Const():
                if effect.relative and not effect.partial:
                    self.formed.add(Formed(pc, effect.value, "address"))
                self.set(state, effect.register, _Value(frozenset((effect,)), sure=True))
            case Add():
                self.add(pc, effect, state)
            case Bits():
                self.bits(pc, effect, state)
            case Memory():
                kind = "store" if effect.stores else "load"
                if effect.target is None:
                    self.address(pc, self.parts(effect, state), effect.offset, kind)
                else:
                    self.formed.add(Formed(pc, effect.target, kind))
                self.clobber(pc, effect, state)
                if effect.step:
                    self.add(pc, Add(effect.into or effect.base, effect.base, effect.step), state)
            case Branch():
                self.use(pc, effect.uses, state)
                self.jump(pc, effect.target, state)
            case Jump():
                return self.transfer(pc, after, effect, state)
            case SystemCall():
                number = state.get(self.arch.number_register, _ANYTHING).const
                self.numbers.add(number.value if number else None)
                if number and number.value in self.arch.no_return:
                    return
                for register in self.arch.result_registers:
                    self.set(state, register, _ANYTHING)
            case Return() | Trap():
                return
            case KernelState():
                self.state.add(pc)
                self.clobber(pc, effect, state)
            case Clobber():
                made_of = [self.value(register, state).absolute for register in effect.uses]
                self.clobber(pc, effect, state, _COMPUTED if made_of and all(made_of) else _ANYTHING)
        self.reach(after, state)

    def clobber(self, pc: int, effect: Memory | Clobber | KernelState, state: _State, value: _Value = _ANYTHING) -> None:
        self.use(pc, effect.uses, state)
        for register in effect.results:
            self.set(state, register, value)

    def set(self, state: _State, register: str, value: _Value) -> None:
        if register == self.arch.zero_register:
            return
        self.writes.add(register)
        state.pop(register, None)
        if value != _ANYTHING:
            state[register] = value

    def add(self, pc: int, effect: Add, state: _State) -> None:
        self.uses.add(effect.source)
        value = state.get(effect.source, _ANYTHING)
        sums = set()
        for const in value.consts:
            partial = const.partial and effect.copy
            sums.add(replace(const, register=effect.register, value=_plus(const, effect.immediate), partial=partial))
            if const.relative and not partial:
                self.formed.add(Formed(pc, _plus(const, effect.immediate), "address"))
        self.set(state, effect.register, replace(value, consts=frozenset(sums)))

    def bits(self, pc: int, effect: Bits, state: _State) -> None:
        self.use(pc, (effect.source,), state)
        source = self.value(effect.source, state)
        value = _COMPUTED if source.computed else _ANYTHING
        const = source.const
        if const is not None and not const.relative:
            value = _Value(frozenset((Const(effect.register, const.value & effect.keep | effect.bits),)), sure=True)
        self.set(state, effect.register, value)

    def jump(self, pc: int, target: int, state: _State) -> None:
        self.formed.add(Formed(pc, target, "jump"))
        if 0 <= target < len(self.code):
            self.reach(target, state)

    def transfer(self, pc: int, after: int, effect: Jump, state: _State) -> None:
        target = effect.target
        if target is None:
            self.uses.add(effect.base)
            target = self.address(pc, (self.value(effect.base, state),), effect.offset, "jump")
        if target is None:
            self.unknown.add(pc)
        elif effect.link is None:
            self.jump(pc, target, state)
        else:
            self.calls.add(target)
            self.jump(pc, target, {})
        if effect.link is not None:  # a callee may leave anything in a register, also what the register held before
            self.writes.update({effect.link} - {""})
            self.reach(after, {register: _Value(value.halves) for register, value in state.items()})


@lru_cache(maxsize=256)  # policy, placement and splice analyse the same functions of a base
def analyse(code: bytes, entry: int, arch: Arch) -> Function:
    """Follow `code` (address 0 is its first byte) from `entry`. Never raises for any bytes."""
    walk = _Walk(code, arch)
    walk.reach(entry, {})
    for _ in range(MOST_STEPS):
        if not walk.work:
            break
        pc = walk.work.pop()
        walk.step(pc, dict(walk.states[pc]))
    walk.unknown.update(walk.work)  # an instruction that was not followed is no part of a proof
    return Function(
        entry=entry,
        covered=tuple(merged(Span(pc, size) for pc, size in walk.sizes.items())),
        formed=tuple(sorted(walk.formed, key=lambda f: (f.pc, f.target))),
        unknown=tuple(sorted(walk.unknown)),
        state=tuple(sorted(walk.state)),
        calls=tuple(sorted(walk.calls)),
        writes=frozenset(walk.writes),
        uses=frozenset(walk.uses),
        numbers=frozenset(walk.numbers),
    )


def outside(function: Function, size: int, beside: Sequence[range] = ()) -> tuple[Formed, ...]:
    """Return the addresses that a function forms outside of an image of `size` bytes and what the kernel maps for it.

    beside      addresses at which code may read what the kernel maps beside the image (data_page.readable)
    """

    def inside(formed: Formed) -> bool:
        if formed.absolute:
            return False
        if 0 <= formed.target < size:
            return True
        return formed.kind != "jump" and any(formed.target in part for part in beside)

    return tuple(formed for formed in function.formed if not inside(formed))

# SPDX-License-Identifier: MIT
"""Turns x86-64 machine code, as capstone decodes it, into the effects that `analysis` follows.

An instruction has an effect if its name is in the tables below; every other is unknown. The registers that it reads and writes
are those that capstone names. Where capstone leaves one out (`cmpxchg`), the table has a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from ..effects import Add, Bits, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap

LONGEST = 15
_REGISTER, _IMMEDIATE, _MEMORY = 1, 2, 3  # CS_OP_REG, CS_OP_IMM, CS_OP_MEM of capstone 5
_MASK = (1 << 64) - 1
_STACK, _FRAME, _PC = "rsp", "rbp", "rip"
_ON_STACK = ""
"""The link of a call, whose return address is in no register."""
_FLAGS = ("rflags", "eflags")
_SEGMENTS = ("fs", "gs")
_NARROW = 0x66
"""The prefix of 16-bit operands. On a branch, what it does depends on the maker of the CPU."""


def _parts() -> dict[str, str]:
    """Return part of a register to the register."""
    whole: dict[str, str] = {}
    for letter in "abcd":
        whole |= dict.fromkeys((f"e{letter}x", f"{letter}x", f"{letter}l", f"{letter}h"), f"r{letter}x")
    for name in ("si", "di", "bp", "sp"):
        whole |= dict.fromkeys((f"e{name}", name, f"{name}l"), f"r{name}")
    for number in range(8, 16):
        whole |= dict.fromkeys((f"r{number}d", f"r{number}w", f"r{number}b"), f"r{number}")
    for number in range(32):
        whole |= dict.fromkeys((f"{size}mm{number}" for size in "xyz"), f"v{number}")
    return whole


_WHOLE = _parts()
_SIXTY_FOUR = {*_WHOLE.values()} - {f"v{number}" for number in range(32)}
_THIRTY_TWO = {part for part in _WHOLE if part[0] == "e" or part[-1] == "d"}


@cache
def _engine() -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = True
    return engine


def decode(code: bytes, at: int) -> tuple[int, Effect] | None:
    """Return size in bytes and effect of the instruction at offset `at` (its address too); None if it is not known."""
    return _decode(code[at : at + LONGEST], at)


@lru_cache(maxsize=1 << 16)  # a build decodes most of the code five times, and the disassembler takes most of that time
def _decode(code: bytes, at: int) -> tuple[int, Effect] | None:
    insn = next(_engine().disasm(code, at, 1), None)
    if insn is None:
        return None
    name = insn.mnemonic.removeprefix("lock ").removeprefix("rep ")
    if name in ("repz ret", "notrack jmp", "notrack call"):  # prefixes that change nothing
        name = name.rpartition(" ")[2]
    if name.startswith("nop"):  # its operands say how long it is
        return insn.size, Clobber((), ())
    make = _EFFECTS.get(name)
    if make is None:
        return None
    took, made = insn.regs_access()
    kept = [number for number in made if not _is_whole(insn.reg_name(number))]
    read, written = _named(insn, (*took, *kept)), _named(insn, made)
    segments = tuple(name for name in read if name in _SEGMENTS)
    place = next((op for op in insn.operands if op.type == _MEMORY), None)
    first = place is not None and insn.operands[0].type == _MEMORY
    if place is not None and place.mem.segment and not segments:
        return None
    found = _Instruction(
        name=name,
        after=at + insn.size,
        registers=tuple(insn.reg_name(op.reg) for op in insn.operands if op.type == _REGISTER),
        immediates=tuple(op.imm for op in insn.operands if op.type == _IMMEDIATE),
        place=None if place is None else _place(insn, place, first),
        narrow=insn.prefix[2] == _NARROW,
        read=read,
        written=written,
    )
    if place is not None and not segments and found.place is None:
        return None
    effect = KernelState(written, read) if segments else make(found)
    return None if effect is None else (insn.size, effect)


def text(code: bytes, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield address, size and text of each instruction in [start, end); an unknown byte as `.byte 0x…`."""
    at = start
    while at < end:
        insn = next(_engine().disasm(code[at : min(at + LONGEST, end)], at, 1), None)
        size = 1 if insn is None else insn.size
        yield at, size, f".byte {code[at]:#04x}" if insn is None else f"{insn.mnemonic} {insn.op_str}".strip()
        at += size


@dataclass(frozen=True)
class _Place:
    """A memory operand: base + (index << shift) + offset, or `target`, which is relative to the program counter.

    first   it is the first operand, which instructions write if they write any
    """

    base: str
    index: str
    shift: int
    offset: int
    target: int | None
    first: bool


@dataclass(frozen=True)
class _Instruction:
    """An instruction.

    after       the address of the next
    registers   those that are operands, in their order, by their own names: `eax` for a part of `rax`
    narrow      it has the prefix of 16-bit operands
    read, written   all registers but the flags, by the names of their 64 bits, those of the memory operand among them
    """

    name: str
    after: int
    registers: tuple[str, ...]
    immediates: tuple[int, ...]
    place: _Place | None
    narrow: bool
    read: tuple[str, ...]
    written: tuple[str, ...]


def _is_whole(name: str) -> bool:
    """Tell whether nothing is left of a register of which the part `name` is written: 32 bits clear the others."""
    return name not in _WHOLE or name in _THIRTY_TWO


def _named(insn: Any, numbers: Any) -> tuple[str, ...]:
    names = (insn.reg_name(number) for number in numbers)
    return tuple(dict.fromkeys(_WHOLE.get(name, name) for name in names if name not in _FLAGS and name != _PC))


def _place(insn: Any, op: Any, first: bool) -> _Place | None:
    """Return a memory operand; None where the address has fewer than 64 bits."""
    base, index = (insn.reg_name(number) if number else "" for number in (op.mem.base, op.mem.index))
    target = insn.address + insn.size + op.mem.disp if base == _PC else None
    if not {base, index} <= {"", _PC, *_SIXTY_FOUR}:
        return None
    shift = op.mem.scale.bit_length() - 1
    return _Place("" if target is not None else base, index, shift, op.mem.disp, target, first)


def _access(i: _Instruction) -> Effect:
    """Decode what writes its first operand."""
    return _with_memory(i, i.place is not None and i.place.first, i.written)


def _look(i: _Instruction) -> Effect:
    """Decode what writes no operand in memory."""
    return _with_memory(i, False, i.written)


def _with_memory(i: _Instruction, stores: bool, results: tuple[str, ...], more: tuple[str, ...] = ()) -> Effect:
    """Return what an instruction does with its memory operand, or with registers alone. `more`: registers that it reads."""
    read = tuple(dict.fromkeys((*i.read, *more)))
    place = i.place
    if place is None:
        return Clobber(results, read)
    uses = tuple(name for name in read if name not in (place.base, place.index))
    return Memory(place.base, place.offset, results, uses, stores, place.target, place.index, place.shift)


def _compare_and_swap(i: _Instruction) -> Effect:
    """Decode the swap, of which capstone does not know that it writes rax, and the memory."""
    operands = tuple(_WHOLE.get(name, name) for name in i.registers)
    return _with_memory(i, i.place is not None, ("rax", *operands[:-1]), ("rax", *operands))


def _compare_and_swap_pair(i: _Instruction) -> Effect:
    return _with_memory(i, True, ("rax", "rdx"))


def _mov(i: _Instruction) -> Effect:
    if i.place is not None:
        return _access(i)
    target = i.registers[0]
    if i.immediates and target in _SIXTY_FOUR | _THIRTY_TWO:
        return Const(_WHOLE.get(target, target), i.immediates[0] & (_MASK if target in _SIXTY_FOUR else _MASK >> 32))
    if len(i.registers) == 2 and {*i.registers} <= _SIXTY_FOUR:
        return Add(target, i.registers[1], 0, copy=True)
    return _access(i) if {*i.registers} <= _WHOLE.keys() | _SIXTY_FOUR else KernelState(i.written, i.read)


def _add(i: _Instruction) -> Effect:
    return _moved(i, 1, i.immediates)


def _sub(i: _Instruction) -> Effect:
    return _cleared(i) if not i.immediates else _moved(i, -1, i.immediates)


def _inc(i: _Instruction) -> Effect:
    return _moved(i, 1, (1,))


def _dec(i: _Instruction) -> Effect:
    return _moved(i, -1, (1,))


def _moved(i: _Instruction, sign: int, immediates: tuple[int, ...]) -> Effect:
    if i.place is None and immediates and i.registers[0] in _SIXTY_FOUR:
        return Add(i.registers[0], i.registers[0], sign * immediates[0])
    return _access(i)


def _and(i: _Instruction) -> Effect:
    return _masked(i, i.immediates[0], 0) if i.immediates else _access(i)


def _or(i: _Instruction) -> Effect:
    return _masked(i, ~i.immediates[0], i.immediates[0]) if i.immediates else _access(i)


def _masked(i: _Instruction, keep: int, bits: int) -> Effect:
    if i.place is not None or i.registers[0] not in _SIXTY_FOUR:
        return _access(i)
    return Bits(i.registers[0], i.registers[0], keep & _MASK, bits & _MASK)


def _cleared(i: _Instruction) -> Effect:
    """Decode an operation that makes 0 of a register and itself."""
    if len(i.registers) == 2 and i.registers[0] == i.registers[1] and i.registers[0] in _SIXTY_FOUR | _THIRTY_TWO:
        return Const(_WHOLE.get(i.registers[0], i.registers[0]), 0)
    return _access(i)


def _lea(i: _Instruction) -> Effect | None:
    place, target = i.place, i.registers[0]
    if place is None:
        return None
    if target not in _SIXTY_FOUR:
        return None if place.target is not None else Clobber(i.written, i.read)
    if place.target is not None:
        return Const(target, place.target, relative=True)
    if place.index:
        return Clobber(i.written, i.read)
    return Add(target, place.base, place.offset) if place.base else Const(target, place.offset & _MASK)


def _fill(i: _Instruction) -> Effect:
    """Decode a store at rdi, or as many as rcx says: capstone shows the segment es, which counts for nothing."""
    return Memory("rdi", 0, i.written, tuple(name for name in i.read if name != "rdi"), stores=True)


def _exchange(i: _Instruction) -> Effect:
    return _with_memory(i, True, i.written)


def _push(i: _Instruction) -> Effect | None:
    if i.place is not None or i.narrow:
        return None
    uses = tuple(name for name in i.registers if name in _SIXTY_FOUR)
    return Memory(_STACK, -8, uses=uses, stores=True, step=-8) if len(uses) == len(i.registers) else None


def _pop(i: _Instruction) -> Effect | None:
    if i.place is not None or i.narrow or i.registers[0] not in _SIXTY_FOUR - {_STACK}:
        return None
    return Memory(_STACK, 0, results=i.registers, step=8)


def _leave(i: _Instruction) -> Effect | None:
    return None if i.narrow else Memory(_FRAME, 0, results=(_FRAME,), step=8, into=_STACK)


def _branch(i: _Instruction) -> Effect | None:
    return None if i.narrow else Branch(i.immediates[0], ())


def _branch_on_count(i: _Instruction) -> Effect | None:
    return None if i.narrow else Branch(i.immediates[0], ("rcx",))


def _jump(i: _Instruction) -> Effect | None:
    return _transfer(i, None)


def _call(i: _Instruction) -> Effect | None:
    return _transfer(i, _ON_STACK)


def _transfer(i: _Instruction, link: str | None) -> Effect | None:
    if i.narrow or i.place is not None:
        return None
    return Jump(i.immediates[0], link=link) if i.immediates else Jump(None, base=i.registers[0], link=link)


def _return(i: _Instruction) -> Effect | None:
    return None if i.narrow or i.immediates else Return()


def _nothing(_: _Instruction) -> Effect:
    return Clobber((), ())


def _prefetch(i: _Instruction) -> Effect:
    return Clobber((), i.read)


def _state(i: _Instruction) -> Effect:
    return KernelState(i.written, i.read)


def _thread(i: _Instruction) -> Effect:
    """Decode a read or a write of the base of a segment, which is a thread's."""
    segment = i.name[2:4]
    return Clobber(i.written, (segment,)) if i.name.startswith("rd") else Clobber((segment,), i.read)


def _of(make: Callable[[_Instruction], Effect | None], names: str) -> dict[str, Callable[[_Instruction], Effect | None]]:
    return dict.fromkeys(names.split(), make)


def _with(stems: str, ends: str) -> str:
    """Return every stem with every end."""
    return " ".join(stem + end for stem in stems.split() for end in ends.split())


_CONDITIONS = "o no b ae e ne be a s ns p np l ge le g"

_EFFECTS: dict[str, Callable[[_Instruction], Effect | None]] = {
    **_of(_mov, "mov movabs"),
    "add": _add,
    "sub": _sub,
    "and": _and,
    "or": _or,
    "xor": _cleared,
    "inc": _inc,
    "dec": _dec,
    "lea": _lea,
    **_of(
        _access,
        """
        adc sbb not neg shl shr sar rol ror rcl rcr shld shrd bswap bts btr btc bsf bsr popcnt
        movzx movsx movsxd cbw cwde cdqe cwd cdq cqo xadd
        """,
    ),
    **_of(_look, "cmp test bt mul imul div idiv"),
    **_of(_access, _with("cmov set", _CONDITIONS)),
    **_of(_compare_and_swap, "cmpxchg"),
    **_of(_compare_and_swap_pair, "cmpxchg8b cmpxchg16b"),
    "xchg": _exchange,
    **_of(_fill, "stosb stosw stosd stosq"),
    "push": _push,
    "pop": _pop,
    "leave": _leave,
    **_of(_branch, _with("j", _CONDITIONS)),
    **_of(_branch_on_count, "jrcxz"),
    "jmp": _jump,
    "call": _call,
    **_of(_return, "ret"),
    "syscall": lambda _: SystemCall(),
    **_of(lambda _: Trap(), "int3 ud2 hlt"),
    **_of(_nothing, "pause lfence mfence sfence endbr64 cld clc stc cmc"),
    **_of(_prefetch, "prefetcht0 prefetcht1 prefetcht2 prefetchnta prefetchw"),
    **_of(_access, "rdtsc lahf sahf"),
    **_of(_state, "rdtscp rdpid rdpmc cpuid xgetbv lsl lar verr verw sgdt sidt sldt str smsw rdpkru"),
    **_of(_thread, "rdfsbase rdgsbase wrfsbase wrgsbase"),
    **_of(
        _access,
        """
        movd movq movaps movups movapd movupd movdqa movdqu movlps movhps
        pxor por pand pandn xorps andps orps
        paddb paddw paddd paddq psubb psubw psubd psubq pslld psllq psrld psrlq psllw psrlw psrad psraw pslldq psrldq
        pshufd pshufb shufps punpckldq punpcklqdq punpckhdq punpckhqdq pcmpeqd pmuludq pinsrd pinsrq pextrd pextrq
        """,
    ),
}

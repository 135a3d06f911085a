# SPDX-License-Identifier: MIT
"""Turns A64 machine code, as capstone decodes it, into the effects that `analysis` follows.

An instruction has an effect if its name is in the tables below, or if it computes in vector registers alone; every other is
unknown. What capstone says of registers that are read and written is not asked for: of compares, for one, it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from ..effects import Add, Bits, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap

SIZE = 4
_REGISTER, _IMMEDIATE, _MEMORY = 1, 2, 3  # CS_OP_REG, CS_OP_IMM, CS_OP_MEM of capstone 5
_SHIFTED_LEFT = 1  # ARM64_SFT_LSL
_EXTENDED = {0: 64, 3: 32, 4: 64, 7: -32, 8: 64}
"""ARM64_EXT_* of an index to the bits of it that count: all, UXTW, UXTX, SXTW, SXTX; less than 0: with their sign."""
_MASK = (1 << 64) - 1
_ZERO, _LINK, _STACK = "xzr", "x30", "sp"
_NAMES = {"fp": "x29", "lr": _LINK, "wsp": _STACK, "wzr": _ZERO}
_VECTOR = re.compile(r"[bhsdqv]\d+")


@cache
def _engine() -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    engine.detail = True
    return engine


def decode(code: bytes, at: int) -> tuple[int, Effect] | None:
    """Return size in bytes and effect of the instruction at offset `at` (its address too); None if it is not known."""
    return _decode(code[at : at + SIZE], at)


@lru_cache(maxsize=1 << 16)  # a build decodes most of the code five times, and the disassembler takes most of that time
def _decode(word: bytes, at: int) -> tuple[int, Effect] | None:
    insn = next(_engine().disasm(word, at), None) if at % SIZE == 0 else None
    if insn is None:
        return None
    shown = tuple(insn.reg_name(op.reg) for op in insn.operands if op.type == _REGISTER)
    found = _Instruction(
        name=insn.mnemonic,
        words=insn.op_str,
        narrow=bool(shown) and shown[0].startswith("w"),
        registers=tuple(map(_whole, shown)),
        immediates=tuple(op.imm << op.shift.value for op in insn.operands if op.type == _IMMEDIATE),
        shift=next((op.shift.value for op in insn.operands if op.type == _IMMEDIATE), 0),
        place=next((_place(insn, op) for op in insn.operands if op.type == _MEMORY), None),
        moves=bool(insn.writeback),
    )
    make = _EFFECTS.get(found.name) or (_branch if found.name.startswith("b.") else _vector)
    effect = make(found)
    return None if effect is None else (SIZE, effect)


def text(code: bytes, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield address, size and text of each instruction in [start, end); an unknown one as `.word 0x…`."""
    for at in range(start, end, SIZE):
        word = code[at : min(at + SIZE, end)]
        insn = next(_engine().disasm(word, at), None)
        shown = f".word {int.from_bytes(word, 'little'):#010x}" if insn is None else f"{insn.mnemonic} {insn.op_str}".strip()
        yield at, len(word), shown


@dataclass(frozen=True)
class _Place:
    """A memory operand: base + (`bits` of index << shift) + offset, where `bits` is the index_bits of Memory."""

    base: str
    index: str
    offset: int
    shift: int
    bits: int


@dataclass(frozen=True)
class _Instruction:
    """An instruction's operands: all registers, by the names of their 64 bits, and all immediates, shifted, in their order.

    words       the operands as text
    narrow      the first register has 32 bits, the upper ones of which it clears
    shift       of the first immediate
    moves       the base is written back
    """

    name: str
    words: str
    narrow: bool
    registers: tuple[str, ...]
    immediates: tuple[int, ...]
    shift: int
    place: _Place | None
    moves: bool


def _whole(name: str) -> str:
    """Return the name of the register of which `name` is all or a part."""
    if _VECTOR.fullmatch(name):
        return f"v{name[1:]}"
    return _NAMES.get(name) or (f"x{name[1:]}" if name.startswith("w") else name)


def _place(insn: Any, op: Any) -> _Place:
    index = _whole(insn.reg_name(op.mem.index)) if op.mem.index else ""
    shift = op.shift.value if op.shift.type == _SHIFTED_LEFT else 0
    return _Place(_whole(insn.reg_name(op.mem.base)), index, op.mem.disp, shift, _EXTENDED[op.ext])


def _constant(i: _Instruction, value: int) -> Effect:
    return Const(i.registers[0], value & (_MASK >> 32 if i.narrow else _MASK))


def _adr(i: _Instruction) -> Effect:
    return Const(i.registers[0], i.immediates[0], relative=True)


def _adrp(i: _Instruction) -> Effect:
    return Const(i.registers[0], i.immediates[0], relative=True, partial=True)


def _mov(i: _Instruction) -> Effect:
    if i.immediates:
        return _constant(i, i.immediates[0])
    target, source = i.registers
    if source == _ZERO:
        return _constant(i, 0)
    return _computed(i) if i.narrow or _VECTOR.match(target + source) else Add(target, source, 0, copy=True)


def _movn(i: _Instruction) -> Effect:
    return _constant(i, ~i.immediates[0])


def _movk(i: _Instruction) -> Effect:
    keep = (_MASK >> 32 if i.narrow else _MASK) & ~(0xFFFF << i.shift)
    return Bits(i.registers[0], i.registers[0], keep, i.immediates[0])


def _orr(i: _Instruction) -> Effect:
    return _constant(i, i.immediates[0]) if i.immediates and i.registers[1] == _ZERO else _computed(i)


def _add(i: _Instruction) -> Effect:
    if i.narrow or len(i.registers) != 2:
        return _computed(i)
    return Add(i.registers[0], i.registers[1], i.immediates[0])


def _sub(i: _Instruction) -> Effect:
    made = _add(i)
    return Add(made.register, made.source, -made.immediate) if isinstance(made, Add) else made


def _computed(i: _Instruction) -> Effect:
    return Clobber(i.registers[:1], i.registers[1:])


def _into(i: _Instruction) -> Effect:
    """Decode what keeps a part of the result as it was."""
    return Clobber(i.registers[:1], i.registers)


def _compare(i: _Instruction) -> Effect:
    return Clobber((), i.registers)


def _nothing(_: _Instruction) -> Effect:
    return Clobber((), ())


def _signed_link(_: _Instruction) -> Effect:
    return Clobber((_LINK,), (_LINK, _STACK))


def _access(i: _Instruction, results: tuple[str, ...], uses: tuple[str, ...], stores: bool) -> Effect | None:
    """Return an access at the place, or at the address that stands for one. A step by a register is not followed."""
    place = i.place
    if place is None:
        return None if stores or not i.immediates else Memory(results=results, uses=uses, target=i.immediates[0])
    step = 0
    if i.moves:
        step = place.offset or next(iter(i.immediates), 0)
        if not step:
            return None
    return Memory(
        place.base, place.offset, results, uses, stores, index=place.index, shift=place.shift, index_bits=place.bits, step=step
    )


def _load(i: _Instruction) -> Effect | None:
    return _access(i, i.registers, (), stores=False)


def _store(i: _Instruction) -> Effect | None:
    return _access(i, (), i.registers, stores=True)


def _store_exclusive(i: _Instruction) -> Effect | None:
    return _access(i, i.registers[:1], i.registers[1:], stores=True)


def _atomic(i: _Instruction) -> Effect | None:
    """Decode an operation on memory: the second register gets what was there."""
    return _access(i, i.registers[1:2], i.registers[:1], stores=True)


def _compare_and_swap(i: _Instruction) -> Effect | None:
    """Decode the swap of what was compared, in the first half of the registers, for what is in the second half."""
    return _access(i, i.registers[: len(i.registers) // 2], i.registers, stores=True)


def _prefetch(i: _Instruction) -> Effect:
    return Clobber((), tuple(filter(None, (i.place.base, i.place.index))) if i.place else ())


def _branch(i: _Instruction) -> Effect:
    return Branch(i.immediates[-1], i.registers)


def _jump(i: _Instruction) -> Effect:
    return Jump(i.immediates[0])


def _call(i: _Instruction) -> Effect:
    return Jump(i.immediates[0], link=_LINK)


def _jump_to(i: _Instruction) -> Effect:
    return Jump(None, base=i.registers[0])


def _call_to(i: _Instruction) -> Effect:
    return Jump(None, base=i.registers[0], link=_LINK)


def _return(i: _Instruction) -> Effect:
    return Return() if i.registers in ((), (_LINK,)) else Jump(None, base=i.registers[0])


def _trap(_: _Instruction) -> Effect:
    return Trap()


_OF_PROGRAMS = {"nzcv", "fpcr", "fpsr", "cntvct_el0", "cntvctss_el0", "cntpct_el0", "cntpctss_el0"}
"""System registers that are a program's own, or a counter."""
_OF_THREADS = "tpidr_el0"


def _read_system(i: _Instruction) -> Effect:
    name = i.words.rpartition(" ")[2]
    if name == _OF_THREADS:
        return Clobber(i.registers, (name,))
    return Clobber(i.registers, ()) if name in _OF_PROGRAMS else KernelState(i.registers, ())


def _write_system(i: _Instruction) -> Effect:
    name = i.words.partition(",")[0]
    if name == _OF_THREADS:
        return Clobber((name,), i.registers)
    return Clobber((), i.registers) if name in _OF_PROGRAMS else KernelState((), i.registers)


def _vector(i: _Instruction) -> Effect | None:
    """Decode an instruction whose every operand is a vector register: no address, nor half of one, is ever there."""
    vectors = bool(i.registers) and all(_VECTOR.fullmatch(name) for name in i.registers)
    return Clobber(i.registers[:1], i.registers[1:]) if vectors and i.place is None else None


def _named(make: Callable[[_Instruction], Effect | None], names: str) -> dict[str, Callable[[_Instruction], Effect | None]]:
    return dict.fromkeys(names.split(), make)


def _with(stems: str, ends: str) -> str:
    """Return every stem with every end; `-` is none."""
    return " ".join(stem + end.replace("-", "") for stem in stems.split() for end in ends.split())


_EFFECTS: dict[str, Callable[[_Instruction], Effect | None]] = {
    "adr": _adr,
    "adrp": _adrp,
    **_named(_mov, "mov movz"),
    "movn": _movn,
    "movk": _movk,
    "orr": _orr,
    "add": _add,
    "sub": _sub,
    **_named(
        _computed,
        """
        adds subs adc adcs sbc sbcs neg negs ngc ngcs and ands bic bics orn eor eon mvn
        lsl lsr asr ror lslv lsrv asrv rorv extr ubfx sbfx ubfiz sbfiz ubfm sbfm
        sxtb sxth sxtw uxtb uxth uxtw rev rev16 rev32 rbit clz cls
        csel csinc csinv csneg cset csetm cinc cinv cneg
        mul mneg madd msub smull umull smnegl umnegl smaddl umaddl smsubl umsubl smulh umulh udiv sdiv
        crc32b crc32h crc32w crc32x crc32cb crc32ch crc32cw crc32cx
        fmov umov smov dup movi mvni
        """,
    ),
    **_named(_into, "bfi bfxil bfc bfm ins"),
    **_named(_compare, "cmp cmn tst ccmp ccmn"),
    **_named(_nothing, "nop yield wfe sev sevl isb dmb dsb sb csdb esb bti hint clrex"),
    **_named(_signed_link, "paciasp pacibsp autiasp autibsp xpaclri"),
    **_named(_load, _with("ldr ldur ldtr", "- b h sb sh sw") + " " + _with("ldar ldlar ldapr ldxr ldaxr", "- b h")),
    **_named(_load, "ldp ldnp ldpsw ldxp ldaxp ld1 ld2 ld3 ld4 ld1r ld2r ld3r ld4r"),
    **_named(_store, _with("str stur sttr stlr stllr", "- b h") + " stp stnp st1 st2 st3 st4"),
    **_named(_store_exclusive, _with("stxr stlxr", "- b h") + " stxp stlxp"),
    **_named(
        _atomic,
        _with(_with("ldadd ldclr ldeor ldset ldsmax ldsmin ldumax ldumin swp", "- a l al"), "- b h"),
    ),
    **_named(_store, _with(_with("stadd stclr steor stset stsmax stsmin stumax stumin", "- l"), "- b h")),
    **_named(_compare_and_swap, _with(_with("cas", "- a l al"), "- b h") + " " + _with("casp", "- a l al")),
    **_named(_prefetch, "prfm prfum"),
    **_named(_branch, "cbz cbnz tbz tbnz"),
    "b": _jump,
    "bl": _call,
    "br": _jump_to,
    "blr": _call_to,
    **_named(_return, "ret retaa retab"),
    "svc": lambda _: SystemCall(),
    **_named(_trap, "udf brk hlt"),
    "mrs": _read_system,
    "msr": _write_system,
}

# SPDX-License-Identifier: MIT
"""Turns RISC-V machine code, as capstone decodes it, into the effects that `analysis` follows: a function for each mnemonic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from ..effects import Add, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall, Trap

_REGISTER, _IMMEDIATE, _MEMORY = 1, 2, 3  # CS_OP_REG, CS_OP_IMM, CS_OP_MEM of capstone 5
_MASK = (1 << 64) - 1
_ZERO, _LINK = "zero", "ra"


@cache
def _engine() -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    engine.detail = True
    return engine


def decode(code: bytes, at: int) -> tuple[int, Effect] | None:
    """Return size in bytes and effect of the instruction at offset `at` (its address too); None if it is not known."""
    return _decode(code[at : at + 4], at)


@lru_cache(maxsize=1 << 16)  # a build decodes most of the code five times, and the disassembler takes most of that time
def _decode(word: bytes, at: int) -> tuple[int, Effect] | None:
    insn = next(_engine().disasm(word, at), None)
    if insn is None:
        return None
    found = _Instruction(
        at=at,
        compressed=insn.mnemonic.startswith("c."),
        registers=tuple(insn.reg_name(op.reg) for op in insn.operands if op.type == _REGISTER),
        immediates=tuple(op.imm for op in insn.operands if op.type == _IMMEDIATE),
        memory=next(((insn.reg_name(op.mem.base), op.mem.disp) for op in insn.operands if op.type == _MEMORY), None),
    )
    return insn.size, _effect_of(insn.mnemonic.removeprefix("c."))(found)


def text(code: bytes, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield address, size and text of each instruction in [start, end); an unknown one as `.half 0x…`."""
    while start < end:
        insn = next(_engine().disasm(code[start : min(start + 4, end)], start), None)
        if insn is None:
            yield start, 2, f".half {int.from_bytes(code[start : start + 2], 'little'):#06x}"
            start += 2
        else:
            yield start, insn.size, f"{insn.mnemonic} {insn.op_str}".strip()
            start += insn.size


@dataclass(frozen=True)
class _Instruction:
    """An instruction's operands: all registers and all immediates in their order, and base and offset of its memory operand.

    capstone gives most compressed loads and stores no memory operand, but register, immediate and register.
    """

    at: int
    compressed: bool
    registers: tuple[str, ...]
    immediates: tuple[int, ...]
    memory: tuple[str, int] | None


def _upper(i: _Instruction) -> int:
    """Return the 20 bits of an upper immediate in their place, sign-extended."""
    bits = i.immediates[0] & 0xFFFFF
    return (bits - (bits >> 19 << 20)) << 12


def _auipc(i: _Instruction) -> Effect:
    return Const(i.registers[0], i.at + _upper(i), relative=True, partial=True)


def _lui(i: _Instruction) -> Effect:
    return Const(i.registers[0], _upper(i) & _MASK)


def _li(i: _Instruction) -> Effect:
    return Const(i.registers[0], i.immediates[-1] & _MASK)


def _addi(i: _Instruction) -> Effect:
    source = i.registers[1] if len(i.registers) > 1 else i.registers[0]
    return _li(i) if source == _ZERO else Add(i.registers[0], source, i.immediates[-1])


def _mv(i: _Instruction) -> Effect:
    return Add(i.registers[0], i.registers[1], 0, copy=True)


def _place(i: _Instruction) -> tuple[str, int]:
    return i.memory or (i.registers[1], i.immediates[0])


def _load(i: _Instruction) -> Effect:
    return Memory(*_place(i), results=i.registers[:1])


def _store(i: _Instruction) -> Effect:
    return Memory(*_place(i), uses=i.registers[:1], stores=True)


def _load_reserved(i: _Instruction) -> Effect:
    return Memory(i.registers[-1], results=i.registers[:1])


def _atomic(i: _Instruction) -> Effect:
    """Decode an atomic access. capstone names the register of the address last, behind an operand that may be the same one."""
    return Memory(i.registers[-1], results=i.registers[:1], uses=i.registers[1:2], stores=True)


def _branch(i: _Instruction) -> Effect:
    return Branch(i.at + i.immediates[-1], i.registers)


def _j(i: _Instruction) -> Effect:
    return Jump(i.at + i.immediates[-1])


def _jal(i: _Instruction) -> Effect:
    link = i.registers[0] if i.registers else _LINK
    return Jump(i.at + i.immediates[-1], link=None if link == _ZERO else link)


def _jr(i: _Instruction) -> Effect:
    return _indirect(_ZERO, i.registers[0], 0)


def _jalr(i: _Instruction) -> Effect:
    link = i.registers[0] if len(i.registers) > 1 else _LINK
    return _indirect(link, i.registers[-1], i.immediates[0] if i.immediates else 0)


def _indirect(link: str, base: str, offset: int) -> Effect:
    if link == _ZERO and (base, offset) == (_LINK, 0):
        return Return()
    return Jump(None, base=base, offset=offset, link=None if link == _ZERO else link)


def _nothing(_: _Instruction) -> Effect:
    return Clobber((), ())


def _writes_csr(i: _Instruction) -> Effect:
    """Decode a write of a CSR: of two registers the first gets the old value; of one the operand is read."""
    return Clobber(i.registers[:-1], i.registers[-1:])


def _csr_read(i: _Instruction) -> Effect:
    return KernelState(i.registers[:1], i.registers[1:])


def _csr_write(i: _Instruction) -> Effect:
    return KernelState((), i.registers)


def _other(i: _Instruction) -> Effect:
    """Decode the rest, which name their result first; a compressed two-operand form reads it too."""
    return Clobber(i.registers[:1], i.registers if i.compressed else i.registers[1:])


_EFFECTS: dict[str, Callable[[_Instruction], Effect]] = {
    "auipc": _auipc,
    "lui": _lui,
    "li": _li,
    **dict.fromkeys(("addi", "addi4spn", "addi16sp"), _addi),
    "mv": _mv,
    **dict.fromkeys(("lb", "lbu", "lh", "lhu", "lw", "lwu", "ld", "lwsp", "ldsp"), _load),
    **dict.fromkeys(("flw", "fld", "flwsp", "fldsp"), _load),
    **dict.fromkeys(("sb", "sh", "sw", "sd", "swsp", "sdsp"), _store),
    **dict.fromkeys(("fsw", "fsd", "fswsp", "fsdsp"), _store),
    "lr": _load_reserved,
    **dict.fromkeys(("sc", "amoswap", "amoadd", "amoxor", "amoand", "amoor"), _atomic),
    **dict.fromkeys(("amomin", "amomax", "amominu", "amomaxu"), _atomic),
    **dict.fromkeys(("beq", "bne", "blt", "bge", "bltu", "bgeu"), _branch),
    **dict.fromkeys(("beqz", "bnez", "blez", "bgez", "bltz", "bgtz"), _branch),
    "j": _j,
    "jal": _jal,
    "jr": _jr,
    "jalr": _jalr,
    "ret": lambda _: Return(),
    "ecall": lambda _: SystemCall(),
    "unimp": lambda _: Trap(),
    **dict.fromkeys(("fence", "nop", "pause", "ebreak", "wfi"), _nothing),
    # These are registers of the floating point. All other CSRs, but for the counters, belong to the kernel.
    **dict.fromkeys(("fscsr", "fsrm", "fsflags"), _writes_csr),
    **dict.fromkeys(("csrr", "csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"), _csr_read),
    **dict.fromkeys(("csrw", "csrs", "csrc", "csrwi", "csrsi", "csrci"), _csr_write),
}


def _effect_of(mnemonic: str) -> Callable[[_Instruction], Effect]:
    """Return the function that makes the effect. The part behind a dot (a width, an order) makes no difference."""
    return _EFFECTS.get(mnemonic.partition(".")[0], _other)

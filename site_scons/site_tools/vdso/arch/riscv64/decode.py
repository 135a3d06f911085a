# SPDX-License-Identifier: MIT
"""RISC-V machine code as capstone decodes it, put into the few effects that `analysis` follows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from ..effects import Add, Branch, Clobber, Const, Effect, Jump, Memory, Return, SystemCall, Trap

_LOADS = {"lb", "lbu", "lh", "lhu", "lw", "lwu", "ld", "lwsp", "ldsp", "flw", "fld", "flwsp", "fldsp"}
_STORES = {"sb", "sh", "sw", "sd", "swsp", "sdsp", "fsw", "fsd", "fswsp", "fsdsp"}
_BRANCHES = {"beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez", "blez", "bgez", "bltz", "bgtz"}
_CSR_WRITES = {"csrw", "csrs", "csrc", "fscsr", "fsrm", "fsflags"}  # of one register: with two, the first gets the old value
_NO_RESULT = {"fence", "fence.i", "fence.tso", "nop", "pause", "ebreak", "wfi"}
_MASK = (1 << 64) - 1


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
    return insn.size, _effect(insn)


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


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value & 1 << (bits - 1) else value


def _effect(insn: Any) -> Effect:
    name = insn.mnemonic.removeprefix("c.")
    at: int = insn.address
    regs = [insn.reg_name(op.reg) for op in insn.operands if op.type == 1]
    imms = [op.imm for op in insn.operands if op.type == 2]
    if name == "auipc":
        return Const(regs[0], at + (_signed(imms[0] & 0xFFFFF, 20) << 12), relative=True, partial=True)
    if name == "lui":
        return Const(regs[0], (_signed(imms[0] & 0xFFFFF, 20) << 12) & _MASK)
    if name == "li":
        return Const(regs[0], imms[-1] & _MASK)
    if name in ("addi", "addi4spn", "addi16sp"):
        source = regs[1] if len(regs) > 1 else regs[0]
        return Const(regs[0], imms[-1] & _MASK) if source == "zero" else Add(regs[0], source, imms[-1])
    if name == "mv":
        return Add(regs[0], regs[1], 0, copy=True)
    if name in _LOADS or name in _STORES:
        return _memory(insn, regs, imms, load=name in _LOADS)
    if name.startswith(("lr.", "sc.", "amo")):
        base = next((insn.reg_name(op.mem.base) for op in insn.operands if op.type == 3), regs[-1])
        return Memory(base, 0, result=regs[0], source=regs[1] if len(regs) > 1 and regs[1] != base else None)
    if name in _BRANCHES:
        return Branch(at + imms[-1], tuple(regs))
    if name in ("j", "jal"):
        link = regs[0] if name == "jal" and regs else "ra" if name == "jal" else None
        return Jump(at + imms[-1], link=None if link == "zero" else link)
    if name == "ret":
        return Return()
    if name in ("jr", "jalr"):
        return _indirect(insn, name, regs, imms)
    if name == "ecall":
        return SystemCall()
    if name == "unimp":
        return Trap()
    if name in _NO_RESULT:
        return Clobber(None, ())
    if name in _CSR_WRITES and len(regs) == 1:
        return Clobber(None, tuple(regs))
    # all the rest name their result first; a compressed two-operand form reads it too
    compressed = insn.mnemonic.startswith("c.")
    return Clobber(regs[0] if regs else None, tuple(regs if compressed else regs[1:]))


def _memory(insn: Any, regs: list[str], imms: list[int], *, load: bool) -> Effect:
    memory = next((op for op in insn.operands if op.type == 3), None)
    if memory is not None:
        base, offset, register = insn.reg_name(memory.mem.base) or "zero", memory.mem.disp, regs[0]
    else:  # capstone gives the compressed forms as register, immediate, register
        base, offset, register = regs[1], imms[0], regs[0]
    return Memory(base, offset, result=register if load else None, source=None if load else register)


def _indirect(insn: Any, name: str, regs: list[str], imms: list[int]) -> Effect:
    memory = next((op for op in insn.operands if op.type == 3), None)
    if memory is not None:
        base, offset = insn.reg_name(memory.mem.base), memory.mem.disp
        link = regs[0] if regs else "ra"
    else:
        base, offset = regs[-1], imms[0] if imms else 0
        link = regs[0] if len(regs) > 1 else ("zero" if name == "jr" else "ra")
    if link == "zero" and base == "ra" and offset == 0:
        return Return()
    return Jump(None, base=base, offset=offset, link=None if link == "zero" else link)

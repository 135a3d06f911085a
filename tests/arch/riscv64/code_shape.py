# SPDX-License-Identifier: MIT
"""What the machine code of a riscv64 function must not have: a walk over every path from its entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import capstone
from vdso.arch.effects import Add, Clobber, Const, KernelState, Memory
from vdso.arch.riscv64 import decode

ENGINE = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
# What a leaf function without a frame has no business with: stack, thread and global pointer, and what the caller owns.
FRAME = frozenset(("sp", "tp", "gp", "ra", *(f"s{i}" for i in range(12))))
BRANCHES = ("beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez", "blez", "bgez", "bltz", "bgtz")


def faults(image: bytes, address: int, size: int) -> list[str]:
    """Return the divides, calls, frames, loops and exits of the function at [address, address + size), each with its place."""
    found: list[str] = []
    follows: dict[int, list[int]] = {}
    work = [address]
    while work:
        at = work.pop()
        if at in follows:
            continue
        follows[at] = []
        if not address <= at < address + size:
            found.append(f"{at:#x}: control leaves the function")
            continue
        instruction = next(ENGINE.disasm(image[at : at + 4], at), None)
        if instruction is None:
            found.append(f"{at:#x}: not an instruction")
            continue
        found += (f"{at:#x}: {fault}: {instruction.mnemonic} {instruction.op_str}" for fault in _faults(instruction))
        follows[at] = _next(instruction)
        work += follows[at]
    return found + [f"{at:#x}: a loop" for at in _loops(address, follows)]


def _returns(instruction: capstone.CsInsn) -> bool:
    return f"{instruction.mnemonic} {instruction.op_str}".strip() in ("ret", "c.ret", "c.jr ra", "jr ra")


def _faults(instruction: capstone.CsInsn) -> Iterator[str]:
    name = instruction.mnemonic.removeprefix("c.")
    if name.startswith(("div", "rem")):
        yield "a divide"
    if _returns(instruction):
        return
    if name.startswith(("jal", "jr", "call", "tail")):
        yield "a call, or a jump to an unknown place"
    if FRAME & set(re.findall(r"[a-z]+\d*", instruction.op_str)):
        yield "a frame, or a register that is not its own"


def _next(instruction: capstone.CsInsn) -> list[int]:
    name = instruction.mnemonic.removeprefix("c.")
    if _returns(instruction) or name.startswith(("jr", "jalr", "unimp")):
        return []
    after = instruction.address + instruction.size
    if name == "j":
        return [instruction.address + int(instruction.op_str, 0)]
    if name in BRANCHES:
        return [after, instruction.address + int(instruction.op_str.split(", ")[-1], 0)]
    return [after]


def _loops(entry: int, follows: Mapping[int, list[int]]) -> list[int]:
    """Return the addresses at which a path comes back to a place where it has been."""
    loops: set[int] = set()
    done: set[int] = set()
    stack = [(entry, iter(follows[entry]))]
    path = {entry}
    while stack:
        at, rest = stack[-1]
        target = next(rest, None)
        if target is None:
            stack.pop()
            path.discard(at)
            done.add(at)
        elif target in path:
            loops.add(target)
        elif target not in done:
            path.add(target)
            stack.append((target, iter(follows[target])))
    return sorted(loops)


def multiplications(code: bytes) -> int:
    """Return how many multiplications of the function stand in the longest chain: each needs what the one before gave."""
    depth: dict[str, int] = {}
    longest = 0
    at = 0
    while at < len(code):
        decoded = decode.decode(code[at : at + 4].ljust(4, b"\0"), 0)
        assert decoded is not None
        size, effect = decoded
        name = next(ENGINE.disasm(code[at : at + 4], 0)).mnemonic
        if isinstance(effect, Clobber | KernelState):
            found = max((depth.get(register, 0) for register in effect.uses), default=0) + name.startswith("mul")
            depth |= dict.fromkeys(effect.results, found)
            longest = max(longest, found)
        elif isinstance(effect, Memory):
            depth |= dict.fromkeys(effect.results, depth.get(effect.base, 0))
        elif isinstance(effect, Add):
            depth[effect.register] = depth.get(effect.source, 0)
        elif isinstance(effect, Const):
            depth[effect.register] = 0
        at += size
    return longest

# SPDX-License-Identifier: MIT
"""What the machine code of a loongarch64 function must not have: a walk over every path from its entry."""

from __future__ import annotations

from collections.abc import Iterator

from vdso.arch.effects import Add, Bits, Branch, Clobber, Const, Effect, Jump, KernelState, Memory, Return, SystemCall
from vdso.arch.loongarch64.decode import decode, text

# What a leaf function without a frame has no business with: stack and thread pointer, and what the caller owns.
FRAME = frozenset(("sp", "tp", "r21", "ra", "fp", *(f"s{i}" for i in range(9))))


def faults(image: bytes, address: int, size: int) -> list[str]:
    """Return the divides, calls, frames, loops and exits of the function at [address, address + size), each with its place."""
    found: list[str] = []
    done: set[int] = set()

    def walk(at: int, path: tuple[int, ...]) -> None:
        if at in path:
            found.append(f"{at:#x}: a loop")
            return
        if at in done:
            return
        decoded = decode(image, at) if address <= at < address + size else None
        if decoded is None:
            found.append(
                f"{at:#x}: {'not an instruction' if address <= at < address + size else 'control leaves the function'}"
            )
            return
        effect, name = decoded[1], next(text(image, at, at + 4))[2].split()[0]
        if name.startswith(("div", "mod")):
            found.append(f"{at:#x}: a divide")
        if FRAME & registers(effect):
            found.append(f"{at:#x}: a frame, or a register that is not its own")
        if isinstance(effect, Jump) and (effect.link or effect.target is None):
            found.append(f"{at:#x}: a call, or a jump to an unknown place")
            return
        for target in _next(at, effect):
            walk(target, (*path, at))
        done.add(at)

    walk(address, ())
    return found


def registers(effect: Effect) -> set[str]:
    """Return all registers that an instruction names, but for the link of a return."""
    match effect:
        case Const():
            return {effect.register}
        case Add() | Bits():
            return {effect.register, effect.source}
        case Memory():
            return {effect.base, effect.index, *effect.results, *effect.uses}
        case Branch():
            return set(effect.uses)
        case Clobber() | KernelState():
            return {*effect.results, *effect.uses}
    return set()


def _next(at: int, effect: Effect) -> Iterator[int]:
    if isinstance(effect, Branch | Jump) and effect.target is not None:
        yield effect.target
    if not isinstance(effect, Jump | Return):
        yield at + 4


def dependence(image: bytes, address: int, size: int) -> list[str]:
    """Return what each instruction on the straight path of the function does to the order of memory, in its order.

    "state", "load": of the page; "counter"; "fence"; "again": a load whose address depends on the counter.
    """
    found: list[str] = []
    of_counter: set[str] = set()
    at = address
    while address <= at < address + size:
        decoded = decode(image, at)
        assert decoded is not None
        effect, name = decoded[1], next(text(image, at, at + 4))[2].split()[0]
        if name == "dbar":
            found.append("fence")
        elif name == "rdtime.d":
            found.append("counter")
            of_counter |= set(getattr(effect, "results", ()))
        elif isinstance(effect, Memory):
            found.append("store" if effect.stores else "again" if {effect.base, effect.index} & of_counter else "load")
            of_counter -= set(effect.results)
        elif isinstance(effect, Clobber):
            depends = bool(set(effect.uses) & of_counter)
            of_counter = of_counter | set(effect.results) if depends else of_counter - set(effect.results)
        elif isinstance(effect, SystemCall):
            found.append("system call")
        at += 4
    return found

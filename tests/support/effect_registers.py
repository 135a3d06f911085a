# SPDX-License-Identifier: MIT
"""Which registers an effect says that an instruction writes and reads: what tests of the decoders hold against a machine."""

from __future__ import annotations

from vdso.arch.effects import Add, Bits, Clobber, Const, Effect, KernelState, Memory


def writes_of(effect: Effect) -> set[str]:
    """Return the registers that it writes. AssertionError for an effect that is a transfer of control."""
    match effect:
        case Memory(results=results, step=step, base=base, into=into):
            return {*results} | ({into or base} if step else set())
        case Clobber(results=results) | KernelState(results=results):
            return set(results)
        case Const(register=register) | Add(register=register) | Bits(register=register):
            return {register}
    raise AssertionError(effect)


def reads_of(effect: Effect) -> set[str]:
    """Return the registers that its result or its address depends on."""
    match effect:
        case Memory(base=base, index=index, uses=uses):
            return {base, index, *uses} - {""}
        case Clobber(uses=uses) | KernelState(uses=uses):
            return set(uses)
        case Add(source=source) | Bits(source=source):
            return {source}
    return set()

# SPDX-License-Identifier: MIT
"""Turns the code of the linked stubs into patches, checks it, and makes unwind information for it."""

from __future__ import annotations

from ..arch.arch import Arch
from ..data_page import readable
from ..elf.unwind import Fde, leaf
from ..errors import VdsoError
from ..image.analysis import analyse, outside
from ..image.model import Vdso
from ..place.kept import kept_fdes
from ..place.linked import Linked
from ..place.plan import Plan
from .changes import Patch, applied


def code_patches(plan: Plan, stubs: Linked) -> list[Patch]:
    """Return the code of each unit. VdsoError where its address or size is not the planned one."""
    patches = []
    for unit, (address, data) in zip(plan.units, stubs.units, strict=True):
        if address != unit.address or len(data) != unit.size:
            what = f"linked at {address:#x} with {len(data):#x} bytes, planned at {unit.address:#x} with {unit.size:#x}"
            raise VdsoError(unit.source, what, "use gcc and ld of the same toolchain")
        patches.append(Patch(unit.address, data, "code of " + ", ".join(unit.functions or ["constants"])))
    return patches


def refuse_stubs(plan: Plan, stubs: Linked, arch: Arch) -> None:
    """Refuse stubs that touch the registers of threads, read outside of image and data page, or can't be followed."""
    image = applied(bytes(plan.size), code_patches(plan, stubs))
    beside = readable(plan.data_offset, plan.counter_offset)
    for unit in plan.units:
        for name in unit.functions:
            where = f"{unit.source}: {name}"
            function = analyse(image, plan.function(name).start, arch)
            for register in arch.thread_registers:
                if register in function.writes | function.uses:
                    raise VdsoError(where, f"uses {register}", "a vDSO runs on any thread: use none")
            for formed in outside(function, plan.size, beside):
                what = f"its code at {formed.pc:#x} forms the address {formed.target:#x}, outside of image and data page"
                raise VdsoError(where, what, "read from the data page or make a system call")
            for pc in function.unknown:
                what = f"its code at {pc:#x} can't be followed: an instruction, an address or a jump target is not known"
                raise VdsoError(where, what, "write it without function pointers and jump tables")
            for pc in function.state:
                what = f"its code at {pc:#x} reads a register that only a kernel sets, beside the data page"
                raise VdsoError(where, what, "read from the data page or make a system call")


def frames(base: Vdso, plan: Plan, stubs: Linked) -> list[Fde]:
    """Return the base's FDEs for kept functions, and one for each stub that has no frame."""
    if not base.fdes:
        return []
    arch = base.arch
    fdes = kept_fdes(base, plan.kept)
    image = applied(bytes(plan.size), code_patches(plan, stubs))
    for place in (place for unit in plan.units for place in unit.places):
        function = analyse(image, place.start, arch)
        if not function.writes & arch.frame_registers and not function.unknown:
            fdes.append(leaf(place, arch.leaf_cie))
    sigreturn = base.exports.get(arch.export("rt_sigreturn"))
    return [fde for fde in fdes if sigreturn is None or fde.end != sigreturn.value]

# SPDX-License-Identifier: MIT
"""Splice: a base, a plan and linked stubs in, the bytes of an image out.

Every change is declared before it is made, as a named patch. LIEF writes; what it wrote must be exactly what was declared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from . import elf, sections, tables, unwind
from .analysis import analyse, outside
from .arch import HIDE, KEEP, Arch
from .blob import Change, Export
from .elf import EHDR, PHDR, Phdr
from .errors import VdsoError
from .image import Image
from .lief_write import write
from .place import kept_fdes, kept_ranges
from .plan import Area, Plan
from .policy import PREFIX
from .room import Range, without
from .stubs import Linked

_NOTHING = Phdr(0, 0, 0, 0, 0, 0, 0, 0)  # PT_NULL, which is not looked at


@dataclass(frozen=True)
class Patch:
    start: int
    data: bytes
    what: str

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@dataclass(frozen=True)
class Spliced:
    image: bytes
    changes: tuple[Change, ...]
    exports: tuple[Export, ...]


def splice(base: Image, plan: Plan, stubs: Linked) -> Spliced:
    """The image. VdsoError where stubs are not what was planned; AssertionError (a bug) where LIEF wrote anything else."""
    functions = _functions(base, plan)
    _refuse(base, plan, stubs)
    fdes = _unwind(base, plan, stubs)
    patches = _code(plan, stubs)
    patches += _tables(base, plan, tables.Code(functions, fdes))
    patches += _headers(base, plan, len(fdes))
    patches += _freed(base, plan, patches)
    old = padded(base.file, plan.size)
    image = _identified(plan, applied(old, patches))
    written = write(_mappable(base, plan.size), [(p.start, image[p.start : p.end]) for p in patches])
    if written != image:
        wrong = next((i for i, (a, b) in enumerate(zip(image, written, strict=False)) if a != b), len(written))
        raise AssertionError(f"LIEF wrote {len(written):#x} bytes, and another byte at {wrong:#x} than was declared")
    return Spliced(written, declared(old, written, patches), _exports(base, plan, functions))


def padded(file: bytes, size: int) -> bytes:
    """What an image is compared with: the base's file, zero behind its end, up to the size of the image."""
    return file[:size].ljust(size, b"\0")


def declared(old: bytes, new: bytes, patches: Sequence[Patch]) -> tuple[Change, ...]:
    """The changed bytes as runs, each within one patch. AssertionError where a byte changed that no patch declares."""
    changes = []
    position = 0
    for patch in sorted(patches, key=lambda p: p.start):
        if patch.start < position or old[position : patch.start] != new[position : patch.start]:
            raise AssertionError(f"{patch.what}: declared twice, or changed undeclared, before {patch.start:#x}")
        position = at = patch.end
        start: int | None = None
        for at in range(patch.start, patch.end + 1):
            differs = at < patch.end and old[at] != new[at]
            if differs and start is None:
                start = at
            elif not differs and start is not None:
                changes.append(Change(start, at, patch.what))
                start = None
    if old[position:] != new[position:]:
        raise AssertionError(f"changed undeclared, behind {position:#x}")
    return tuple(changes)


def _code(plan: Plan, stubs: Linked) -> list[Patch]:
    patches = []
    for index, unit in enumerate(plan.units):
        address, data = stubs.units[index]
        if address != unit.address or len(data) != unit.size:
            what = f"linked at {address:#x} with {len(data):#x} bytes, planned at {unit.address:#x} with {unit.size:#x}"
            raise VdsoError(unit.source, what, "use gcc and ld of the same toolchain")
        patches.append(Patch(unit.address, data, "code of " + ", ".join(unit.functions or ["constants"])))
    return patches


def _refuse(base: Image, plan: Plan, stubs: Linked) -> None:
    """What no stub may do: touch the registers of threads, read elsewhere, or do what can't be followed."""
    arch, image = base.arch, applied(bytes(plan.size), _code(plan, stubs))
    page = plan.data_offset or None
    for unit in plan.units:
        for name, (offset, _) in unit.functions.items():
            function = analyse(image, unit.address + offset, arch)
            for register in arch.thread_registers:
                if register in function.writes | function.uses:
                    raise VdsoError(f"{unit.source}: {name}", f"uses {register}", "a vDSO runs on any thread: use none")
            for formed in outside(function, plan.size, page):
                what = f"its code at {formed.pc:#x} forms the address {formed.target:#x}, outside of image and data page"
                raise VdsoError(f"{unit.source}: {name}", what, "read from the data page or make a system call")
            for pc in function.unknown:
                what = f"its code at {pc:#x} can't be followed: an instruction or a jump target is not known"
                raise VdsoError(f"{unit.source}: {name}", what, "write it without function pointers and jump tables")


def _functions(base: Image, plan: Plan) -> dict[str, tuple[int, int]]:
    """Visible export to its address and size in the image."""
    functions = {}
    for decision in plan.decisions:
        if decision.policy == KEEP:
            symbol = base.exports[decision.export]
            functions[decision.export] = (symbol.value, symbol.size)
        elif decision.policy != HIDE:
            functions[decision.export] = plan.function(decision.stub)[:2]
    return functions


def _unwind(base: Image, plan: Plan, stubs: Linked) -> list[unwind.Fde]:
    """What stays of the base's, and a leaf's rule for each stub whose code never writes a register that the rule needs."""
    if not base.fdes:
        return []
    fdes = kept_fdes(base, kept_ranges(base, plan.decisions))
    sigreturn = {s.value for name, s in base.exports.items() if name == PREFIX + "rt_sigreturn"}
    image = applied(bytes(plan.size), _code(plan, stubs))
    for unit in plan.units:
        for offset, size in unit.places:
            function = analyse(image, unit.address + offset, base.arch)
            if not function.writes & base.arch.frame_registers and not function.unknown:
                fdes.append(unwind.leaf(unit.address + offset, size, base.arch.leaf_cie))
    return [fde for fde in fdes if fde.end not in sigreturn]


def _tables(base: Image, plan: Plan, code: tables.Code) -> list[Patch]:
    places = {area.name: area.start for area in plan.areas}
    made = tables.fresh(base, plan.decisions, code, places, plan.data_offset)
    found = {name: (places[name], len(data)) for name, data in made.items()}
    found |= {name: base.tables[name] for name in tables.KEPT}
    found[sections.TEXT] = (plan.text[0], plan.text[1] - plan.text[0])
    if code.fdes:
        header = elf.align_up(unwind.header_size(len(code.fdes)), 8)
        found[".eh_frame"] = (places[tables.UNWIND] + header, len(made[tables.UNWIND]) - header)
    made[tables.SECTIONS] = sections.table(found, base.tag(elf.DT_VERDEFNUM) or 0)
    patches = [Patch(places[name], data.ljust(plan.area(name).size, b"\0"), name) for name, data in made.items()]
    patches.append(Patch(base.tables[".dynamic"][0], tables.dynamic(base, places, len(made[tables.DYNSTR])), ".dynamic"))
    return patches


def _headers(base: Image, plan: Plan, fdes: int) -> list[Patch]:
    """The section table's place in the ELF header, and the program headers of what changed its place or size."""
    ehdr = EHDR.pack(
        *base.ehdr._replace(
            shoff=plan.area(tables.SECTIONS).start,
            shentsize=elf.SHDR.size,
            shnum=len(sections.names(bool(fdes))) + 1,
            shstrndx=sections.index(sections.STRINGS, bool(fdes)),
        )
    )
    patches = [Patch(40, ehdr[40:48], "e_shoff"), Patch(58, ehdr[58:64], "e_shentsize, e_shnum, e_shstrndx")]
    for index, p in enumerate(base.phdrs):
        at = base.ehdr.phoff + index * PHDR.size
        if p.type == elf.PT_LOAD:
            new, what = p._replace(filesz=plan.size, memsz=plan.size), "PT_LOAD"
        elif p.type == elf.PT_NOTE:
            new, what = _moved(p, plan.area(tables.NOTE), plan.area(tables.NOTE).size), "PT_NOTE"
        elif p.type == elf.PT_GNU_EH_FRAME:
            what = "PT_GNU_EH_FRAME"
            new = _moved(p, plan.area(tables.UNWIND), unwind.header_size(fdes)) if fdes else _NOTHING
        else:
            continue
        patches.append(Patch(at, PHDR.pack(*new), f"program header {what}"))
    return patches


def _moved(p: Phdr, area: Area, size: int) -> Phdr:
    return p._replace(offset=area.start, vaddr=area.start, paddr=area.start, filesz=size, memsz=size)


def _freed(base: Image, plan: Plan, patches: Sequence[Patch]) -> list[Patch]:
    """Everything that nothing of the image uses: traps where there is code around, zeros elsewhere."""
    used: list[Range] = [(p.start, p.end) for p in patches]
    used.append((0, base.ehdr.phoff + base.ehdr.phnum * PHDR.size))
    used += [(at, at + size) for at, size in (base.tables[name] for name in tables.KEPT)]
    used += kept_ranges(base, plan.decisions)
    left = without([(0, plan.size)], used)
    exports = [(s.value, s.value + s.size, f"slot of {name}") for name, s in base.exports.items()]
    old_tables = [(at, at + size, f"old place of {name}") for name, (at, size) in base.tables.items()]
    end = plan.size
    load = min(len(base.data), end)
    named = [*exports, *old_tables, (0, load, "unreachable code, data and padding"), (load, end, "behind the load")]
    freed = []
    for start, stop, what in named:
        inside = without(left, without([(0, end)], [(start, stop)]))
        freed += [Patch(low, _filler(base.arch, plan.text, low, high), what) for low, high in inside]
        left = without(left, inside)
    return freed


def _filler(arch: Arch, text: Range, low: int, high: int) -> bytes:
    if not (text[0] <= low and high <= text[1]):
        return bytes(high - low)
    start = -low % len(arch.trap)
    return (arch.trap * (high - low))[start : start + high - low]


def applied(data: bytes, patches: Sequence[Patch]) -> bytes:
    changed = bytearray(data)
    for patch in patches:
        changed[patch.start : patch.end] = patch.data
    return bytes(changed)


def _identified(plan: Plan, image: bytes) -> bytes:
    """With a build-id that is the SHA-1 of all other bytes: gdb and perf cache by it, so it changes with the content."""
    at = plan.area(tables.NOTE).start + tables.BUILD_ID_AT
    digest = hashlib.sha1(image, usedforsecurity=False).digest()
    return image[:at] + digest + image[at + len(digest) :]


def _mappable(base: Image, size: int) -> bytes:
    """The load alone, grown to the size of the image and without a section table: what LIEF writes to the byte."""
    head = EHDR.pack(*base.ehdr._replace(shoff=0, shentsize=elf.SHDR.size, shnum=0, shstrndx=0))
    return head + base.data[EHDR.size : size].ljust(size - EHDR.size, b"\0")


def _exports(base: Image, plan: Plan, functions: dict[str, tuple[int, int]]) -> tuple[Export, ...]:
    exports = []
    for d in plan.decisions:
        was = base.exports.get(d.export)
        address, size = functions.get(d.export, (None, None))
        how = plan.function(d.stub)[2] if d.stub else ""
        base_address, base_size = (was.value, was.size) if was else (None, None)
        exports.append(Export(d.export, d.policy, address, size, base_address, base_size, how))
    return tuple(exports)

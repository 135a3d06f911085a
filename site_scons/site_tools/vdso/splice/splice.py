# SPDX-License-Identifier: MIT
"""Splices: from a base, a plan and linked stubs to the bytes of an image.

Every change is declared before it is made, as a named patch. LIEF writes the patches, and must have changed nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..arch.arch import HIDE, KEEP, Arch
from ..elf import elf64, our_note, unwind
from ..elf.elf64 import EHDR, PHDR, Phdr
from ..image.model import Vdso
from ..place.linked import Linked
from ..place.plan import Plan
from ..ranges import Span, align_up, without
from ..tables import fresh, kinds, notes, section_table
from ..tables.dynamic import make_dynamic
from . import stub_code
from .changes import Change, Export, Patch, applied, declared, padded
from .lief_write import write_with_lief

_PT_NULL = Phdr(0, 0, 0, 0, 0, 0, 0, 0)  # PT_NULL: every reader ignores such a program header


@dataclass(frozen=True)
class Spliced:
    image: bytes
    changes: tuple[Change, ...]
    exports: tuple[Export, ...]


def splice(base: Vdso, plan: Plan, stubs: Linked) -> Spliced:
    """Return the image. VdsoError where the stubs do not fit the plan; AssertionError (a bug) where LIEF wrote other bytes."""
    functions = _functions(base, plan)
    code = stub_code.code_patches(plan, stubs)
    stub_code.refuse_stubs(plan, stubs, base.arch)
    fdes = stub_code.frames(base, plan, stubs)
    patches = [*code, *_tables(base, plan, fresh.Code(functions, fdes)), *_headers(base, plan, len(fdes))]
    patches += _freed(base, plan, patches)
    old = padded(base.file, plan.size)
    image = _identified(plan, applied(old, patches))
    written = write_with_lief(_mappable(base, plan.size), [(p.start, image[p.start : p.span.end]) for p in patches])
    if written != image:
        wrong = next((i for i, (a, b) in enumerate(zip(image, written, strict=False)) if a != b), len(written))
        raise AssertionError(f"LIEF wrote {len(written):#x} bytes, and another byte at {wrong:#x} than was declared")
    return Spliced(written, declared(old, written, patches), _exports(base, plan, functions))


def _functions(base: Vdso, plan: Plan) -> dict[str, Span]:
    """Return where each visible export's code lies in the image."""
    functions = {}
    for decision in plan.decisions:
        if decision.policy == KEEP:
            functions[decision.export] = base.exports[decision.export].span
        elif decision.policy != HIDE:
            functions[decision.export] = plan.function(decision.stub)
    return functions


def _tables(base: Vdso, plan: Plan, code: fresh.Code) -> list[Patch]:
    places = {area.name: area.span.start for area in plan.areas}
    ours = our_note.descriptor(plan.data_offset, plan.counter_offset)
    tables = fresh.make_tables(base, plan.decisions, code, places, ours)
    found = {name: Span(places[name], len(data)) for name, data in tables.items()}
    found |= {name: base.tables[name] for name in kinds.KEPT}
    found[section_table.TEXT] = plan.text
    if code.fdes:
        unwind_table = found[kinds.UNWIND]
        frame = unwind_table.start + align_up(unwind.header_size(len(code.fdes)), 8)
        found[".eh_frame"] = Span.between(frame, unwind_table.end)
    tables[kinds.SECTIONS] = section_table.make_section_table(found, base.tag(elf64.DT_VERDEFNUM) or 0, base.arch)
    patches = [Patch(places[name], data.ljust(plan.area(name).size, b"\0"), name) for name, data in tables.items()]
    moved = make_dynamic(base, places, len(tables[kinds.DYNSTR]))
    return [*patches, Patch(base.tables[".dynamic"].start, moved, ".dynamic")]


def _headers(base: Vdso, plan: Plan, fdes: int) -> list[Patch]:
    """Return the section table's place in the ELF header, and the program headers of what changed its place or size."""
    ehdr = EHDR.pack(
        *base.ehdr._replace(
            shoff=plan.area(kinds.SECTIONS).start,
            shentsize=elf64.SHDR.size,
            shnum=len(section_table.section_names(bool(fdes))) + 1,
            shstrndx=section_table.index(kinds.STRINGS, bool(fdes)),
        )
    )
    patches = [Patch(40, ehdr[40:48], "e_shoff"), Patch(58, ehdr[58:64], "e_shentsize, e_shnum, e_shstrndx")]
    for index, p in enumerate(base.phdrs):
        at = base.ehdr.phoff + index * PHDR.size
        if p.type == elf64.PT_LOAD:
            new, what = p._replace(filesz=plan.size, memsz=plan.size), "PT_LOAD"
        elif p.type == elf64.PT_NOTE:
            new, what = _moved(p, plan.area(kinds.NOTE)), "PT_NOTE"
        elif p.type == elf64.PT_GNU_EH_FRAME:
            what = "PT_GNU_EH_FRAME"
            new = _moved(p, Span(plan.area(kinds.UNWIND).start, unwind.header_size(fdes))) if fdes else _PT_NULL
        else:
            continue
        patches.append(Patch(at, PHDR.pack(*new), f"program header {what}"))
    return patches


def _moved(p: Phdr, span: Span) -> Phdr:
    return p._replace(offset=span.start, vaddr=span.start, paddr=span.start, filesz=span.size, memsz=span.size)


def _freed(base: Vdso, plan: Plan, patches: Sequence[Patch]) -> list[Patch]:
    """Return patches that fill all unused bytes: with traps where there is code around, with zeros elsewhere."""
    used = [patch.span for patch in patches]
    used += [base.headers, *(base.tables[name] for name in kinds.KEPT), *plan.kept]
    end = plan.size
    left = without([Span(0, end)], used)
    load_end = min(len(base.data), end)
    parts = [
        *((symbol.span, f"slot of {name}") for name, symbol in base.exports.items()),
        *((span, f"old place of {name}") for name, span in base.tables.items()),
        (Span(0, load_end), "unreachable code, data and padding"),
        (Span.between(load_end, end), "behind the load"),
    ]
    freed = []
    for part, what in parts:
        inside = without(left, without([Span(0, end)], [part]))
        freed += [Patch(span.start, _filler(base.arch, plan.text, span), what) for span in inside]
        left = without(left, inside)
    return freed


def _filler(arch: Arch, text: Span, free: Span) -> bytes:
    if not text.covers(free):
        return bytes(free.size)
    start = -free.start % len(arch.trap)
    return (arch.trap * free.size)[start : start + free.size]


def _identified(plan: Plan, image: bytes) -> bytes:
    """Set the build-id to the SHA-1 of all other bytes. It changes with the content, since gdb and perf cache by it."""
    at = plan.area(kinds.NOTE).start + notes.BUILD_ID_AT
    digest = hashlib.sha1(image, usedforsecurity=False).digest()
    return image[:at] + digest + image[at + len(digest) :]


def _mappable(base: Vdso, size: int) -> bytes:
    """Return the load alone, with the image's size and without a section table: LIEF keeps every byte of such a file."""
    head = EHDR.pack(*base.ehdr._replace(shoff=0, shentsize=elf64.SHDR.size, shnum=0, shstrndx=0))
    return head + base.data[EHDR.size : size].ljust(size - EHDR.size, b"\0")


def _exports(base: Vdso, plan: Plan, functions: dict[str, Span]) -> tuple[Export, ...]:
    exports = []
    for d in plan.decisions:
        slot = base.exports[d.export].span if d.export in base.exports else None
        code = functions.get(d.export)
        exports.append(
            Export(
                name=d.export,
                short=base.arch.short(d.export),
                policy=d.policy,
                address=code.start if code else None,
                size=code.size if code else None,
                base_address=slot.start if slot else None,
                base_size=slot.size if slot else None,
                placement=plan.unit(d.stub).room_kind if d.stub else "",
            )
        )
    return tuple(exports)

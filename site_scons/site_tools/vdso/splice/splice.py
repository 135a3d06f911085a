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
from ..elf.elf64 import EHDR, PHDR
from ..image.model import Vdso
from ..place.linked import Linked
from ..place.plan import Plan
from ..ranges import Span, align_up, without
from ..tables import fresh, kinds, notes, program_headers, section_table
from . import stub_code
from .changes import Change, Export, Patch, applied, declared, padded
from .lief_write import write_with_lief


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
    places = _places(base, plan, len(fdes))
    patches = [*code, *_tables(base, plan, fresh.Code(functions, fdes), places), *_headers(base, plan, places)]
    patches += _freed(base, plan, patches)
    old = padded(base.file, plan.size)
    image = _identified(plan, applied(old, patches))
    loaded = [(p.start, image[p.start : p.span.end]) for p in patches if p.span.end <= plan.loaded]
    written = write_with_lief(_mappable(base, plan.loaded), loaded) + image[plan.loaded :]
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


def _places(base: Vdso, plan: Plan, fdes: int) -> dict[str, Span]:
    """Return where each section of the image lies, and the section table.

    fdes    how many functions its unwind information describes
    """
    found = {area.name: area.span for area in plan.areas}
    found |= {name: base.tables[name] for name in kinds.KEPT}
    found[section_table.TEXT] = plan.text
    if kinds.UNWIND in found:
        room, size = found[kinds.UNWIND], unwind.header_size(fdes)
        found[kinds.UNWIND] = Span(room.start, size)
        found[".eh_frame"] = Span.between(room.start + align_up(size, 8), room.end)
    found[section_table.PADDING] = Span.between(max(span.end for span in found.values()), plan.loaded)
    behind = section_table.behind(plan.size, bool(base.fdes))
    found |= {kinds.STRINGS: behind.names, kinds.SECTIONS: behind.table}
    return found


def _tables(base: Vdso, plan: Plan, code: fresh.Code, places: dict[str, Span]) -> list[Patch]:
    addresses = {area.name: area.span.start for area in plan.areas}
    ours = our_note.name(plan.data_offset, plan.counter_offset)
    tables = fresh.make_tables(base, plan.decisions, code, addresses, ours)
    patches = [Patch(addresses[name], data.ljust(plan.area(name).size, b"\0"), name) for name, data in tables.items()]
    unwinds = bool(base.fdes)
    sections = section_table.make_section_table(places, unwinds, base.tag(elf64.DT_VERDEFNUM) or 0, base.arch)
    return [
        *patches,
        Patch(places[kinds.STRINGS].start, section_table.make_shstrtab(unwinds), kinds.STRINGS),
        Patch(places[kinds.SECTIONS].start, sections, kinds.SECTIONS),
    ]


def _headers(base: Vdso, plan: Plan, places: dict[str, Span]) -> list[Patch]:
    """Return what changes in the ELF header, and all program headers."""
    unwinds = bool(base.fdes)
    made = program_headers.program_headers(base, places, plan.loaded, plan.page_size, unwinds)
    ehdr = EHDR.pack(
        *_ehdr(base)._replace(
            shoff=places[kinds.SECTIONS].start,
            phnum=len(made),
            shnum=len(section_table.section_names(unwinds)) + 1,
            shstrndx=section_table.index(kinds.STRINGS, unwinds),
        )
    )
    return [
        Patch(24, ehdr[24:48], "e_entry, e_phoff, e_shoff"),
        Patch(56, ehdr[56:64], "e_phnum, e_shentsize, e_shnum, e_shstrndx"),
        *(
            Patch(EHDR.size + index * PHDR.size, PHDR.pack(*header), f"program header {name}")
            for index, (name, header) in enumerate(made.items())
        ),
    ]


def _ehdr(base: Vdso) -> elf64.Ehdr:
    """Return the base's header, with the program headers behind it, without sections, and without the entry of a program."""
    return base.ehdr._replace(entry=0, phoff=EHDR.size, shoff=0, shentsize=elf64.SHDR.size, shnum=0, shstrndx=0)


def _freed(base: Vdso, plan: Plan, patches: Sequence[Patch]) -> list[Patch]:
    """Return patches that fill all unused bytes: with traps where there is code around, with zeros elsewhere."""
    used = [patch.span for patch in patches]
    used += [Span(0, EHDR.size), *(base.tables[name] for name in kinds.KEPT), *plan.kept]
    end = plan.size
    left = without([Span(0, end)], used)
    load_end = min(len(base.data), end)
    parts = [
        *((symbol.span, f"slot of {name}") for name, symbol in base.exports.items()),
        *((span, f"old place of {name}") for name, span in base.tables.items()),
        (base.headers, "old program headers"),
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
    """Return the load alone, grown or cut to `size` bytes, without a section table: LIEF keeps every byte of such a file."""
    head = EHDR.pack(*_ehdr(base))
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

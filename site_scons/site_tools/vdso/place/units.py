# SPDX-License-Identifier: MIT
"""Takes object files apart into the units that are placed: a function with the constants that it uses.

gcc pools 64-bit constants of a file in one section, and a linker script can put a section in one place only: so
functions that share a pool are one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..data_page import DataPage
from ..errors import VdsoError
from ..ranges import Span, align_up
from ..stubs.objects import Object, Section

DATA_SYMBOL = "vdso_data"
"""The symbol of the data page, which the linker script defines."""
COUNTER_SYMBOL = "vdso_counter_word"
"""The symbol of a counter that is a word of a page, which the linker script defines too."""


@dataclass(frozen=True)
class Unit:
    """Sections of one object file that must stay together, code first.

    object, source, users     name, source and author of the object file, as in `Object`
    functions   the global functions in the unit: name to place, from the unit's start
    """

    object: str
    source: str
    users: bool
    sections: tuple[Section, ...]
    functions: dict[str, Span] = field(hash=False)

    @property
    def align(self) -> int:
        return max(section.align for section in self.sections)

    @property
    def size(self) -> int:
        at = 0
        for section in self.sections:
            at = align_up(at, section.align) + section.size
        return at


def units(objects: Sequence[Object], functions: Iterable[str], data_page: DataPage, counter_page: bool) -> tuple[Unit, ...]:
    """Return the units that hold the `functions` and all that they refer to, in the order of the object files.

    VdsoError for writable data, undefined symbols, symbols that two sources define, relocations that are left for a loader,
    and code that uses a data page, or a page of the counter, where there is none.
    """
    needed = _needed(objects, _owners(objects), functions, data_page, counter_page)
    return tuple(
        _unit(objects[index], group)
        for index, sections in needed.items()
        for group in _groups(objects[index], sorted(sections))
    )


def _owners(objects: Sequence[Object]) -> dict[str, int]:
    """Return symbol to the index of the object file that defines it."""
    owner: dict[str, int] = {}
    for index, file in enumerate(objects):
        if file.writable:
            what = f"has writable data (section {', '.join(file.writable)})"
            raise VdsoError(file.source, what, "the image is mapped read-only: make it const, or use the data page")
        for symbol in file.defined:
            if symbol in owner:
                other = objects[owner[symbol]]
                what = f"`{symbol}` is defined in {other.source} too"
                raise VdsoError(file.source, what, "leave one of them out" if other.users else "give yours another name")
            owner[symbol] = index
    return owner


def _needed(
    objects: Sequence[Object],
    owner: dict[str, int],
    functions: Iterable[str],
    data_page: DataPage,
    counter_page: bool,
) -> dict[int, set[int]]:
    """Return the sections of each object file that `functions` reach, by the files' indices."""
    needed: dict[int, set[int]] = {index: set() for index in range(len(objects))}
    work = [(owner[symbol], objects[owner[symbol]].defined[symbol][0]) for symbol in functions]
    while work:
        index, section = work.pop()
        if section in needed[index]:
            continue
        needed[index].add(section)
        _refuse_loader(objects[index], section)
        for used in objects[index].uses.get(section, ()):
            if isinstance(used, int):
                if used in objects[index].sections:
                    work.append((index, used))
            elif used not in (DATA_SYMBOL, COUNTER_SYMBOL):
                _refuse_undefined(objects[index], used, owner)
                work.append((owner[used], objects[owner[used]].defined[used][0]))
            elif used == COUNTER_SYMBOL and not counter_page:
                what = "uses the counter's page, and COUNTER makes none"
                raise VdsoError(objects[index].source, what, "read the counter with vdso_counter()")
            elif used == DATA_SYMBOL and data_page is DataPage.NONE:
                what = "uses the data page, and DATA_PAGE=none makes none"
                raise VdsoError(objects[index].source, what, "take DATA_PAGE=after or before, or ask the kernel")
    return needed


def _refuse_loader(file: Object, section: int) -> None:
    if section in file.needs_loader:
        at, kind = file.needs_loader[section]
        what = f"{file.sections[section].name} at {at:#x} holds an address (relocation of type {kind:#x})"
        raise VdsoError(file.source, what, "a vDSO has no GOT and no relocations: form it in code, or leave it out")


def _refuse_undefined(file: Object, symbol: str, owner: dict[str, int]) -> None:
    if symbol not in owner:
        todo = f"define it there: nothing is linked but the stub sources; `{DATA_SYMBOL}` is the data page"
        raise VdsoError(file.source, f"undefined symbol `{symbol}`", todo)


def _groups(file: Object, sections: list[int]) -> list[list[int]]:
    """Put constants with their users, and users of one constant together; code that only calls code stays apart."""
    groups: list[set[int]] = []
    for section in sections:
        shared = {s for s in file.uses[section] if isinstance(s, int) and s in file.sections}
        tied = {section} | {s for s in shared if not (file.sections[s].executable and file.sections[section].executable)}
        touching = [group for group in groups if group & tied]
        groups = [group for group in groups if not group & tied] + [tied.union(*touching)]
    return [sorted(group) for group in sorted(groups, key=min)]


def _unit(file: Object, group: list[int]) -> Unit:
    ordered = sorted(group, key=lambda index: (not file.sections[index].executable, index))
    functions, at = {}, 0
    for index in ordered:
        section = file.sections[index]
        at = align_up(at, section.align)
        for name, (where, value, size) in file.defined.items():
            if where == index and section.executable:
                functions[name] = Span(at + value, size)
        at += section.size
    return Unit(file.name, file.source, file.users, tuple(file.sections[index] for index in ordered), functions)

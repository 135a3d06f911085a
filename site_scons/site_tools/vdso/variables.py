# SPDX-License-Identifier: MIT
"""The variables of the command line: the source of SCons's `Variables`, defaults and varlists, of `-h` and the README's table.

The construction variable of each is called `VDSO_` and the name. (This module is not called `options`, since SCons calls an
attribute of a tool that has that name.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from .arch import ARCHES, DEFAULT
from .arch.arch import Arch
from .data_page import DataPage, mapped_beside
from .elf.limits import MOST_BYTES, PAGE
from .errors import VdsoError
from .ranges import Span
from .suggest import choice

PREFIX = "VDSO_"
BASE_WORDS = ("debian", "minimal")
"""Values of BASE, up to a colon, that are not files."""
LOAD_ADDR = "0x300000000"
DATA_PAGES = tuple(page.value for page in DataPage)
COUNTER_SIZE = 8
HZ_LIMITS = (32768, 5_800_000_000)
_ADDRESS = re.compile(r"[a-z][a-z0-9+-]*:/\S*")
MOST_BESIDE = 64
"""Pages of a kernel before or behind an image."""


@dataclass(frozen=True)
class Option:
    """One variable.

    check   raises VdsoError for a value that can't be
    tool    `env.Vdso` knows it, not only the command line
    """

    name: str
    default: str
    help: str
    check: Callable[[str], object] = str
    tool: bool = True


def _one_of(name: str, allowed: tuple[str, ...], value: str) -> None:
    if value not in allowed:
        raise VdsoError(name, f"`{value}` is not known", choice(value, allowed))


def page_size(value: str, arch: Arch) -> int:
    """Return a size of pages that kernels of the architecture may have. VdsoError for anything else."""
    _one_of("PAGE_SIZE", tuple(map(str, arch.page_sizes)), str(value))
    return int(value)


def load_addr(value: str, page: int = PAGE) -> int:
    """Return an address of 64 bits at which a page of `page` bytes begins. VdsoError for anything else."""
    try:
        address = int(str(value), 0)
    except ValueError:
        raise VdsoError("LOAD_ADDR", f"`{value}` is not a number", f"write it as {LOAD_ADDR}") from None
    if address % page or not 0 < address < 1 << 64:
        what = f"{address:#x} is not a page-aligned address (a multiple of {page:#x} below 2^64)"
        raise VdsoError("LOAD_ADDR", what, f"take {_aligned(str(value), address, page):#x}")
    return address


def _aligned(value: str, address: int, page: int) -> int:
    """Return the address that may have been meant by one that can't be: its hex digits without 0x, or the page it is in."""
    if value.isdecimal() and not int(value, 16) % page and 0 < int(value, 16) < 1 << 64:
        return int(value, 16)
    below = address // page * page
    return below if 0 < below < 1 << 64 else int(LOAD_ADDR, 0)


def _in_user_space(address: int, page: int, data_page: DataPage, counter: int | None, arch: Arch) -> None:
    """Refuse, with VdsoError, an address from which the largest image, or a page beside it, would leave user space."""
    offsets = data_page.offset(MOST_BYTES, page), data_page.counter_offset(MOST_BYTES, page, counter)
    parts = [Span(0, MOST_BYTES + page), *mapped_beside(*offsets, page)]
    end = max(arch.user_space.values())
    if address + min(part.start for part in parts) < page or address + max(part.end for part in parts) > end:
        beside = "" if data_page is DataPage.NONE else f" with the data page {data_page} it"
        what = f"an image at {address:#x}{beside} is not in user space ({page:#x} to {end:#x})"
        raise VdsoError("LOAD_ADDR", what, f"take {LOAD_ADDR}, or what your kernel leaves free")


def _mirror(value: str) -> None:
    """Refuse, with VdsoError, what apt would take for no address, and say so once for each suite."""
    if value and not _ADDRESS.fullmatch(value):
        raise VdsoError("MIRROR", f"`{value}` is no address", "write it as http://HOST/debian")


def _policy(value: str, arch: Arch) -> None:
    if value:
        from .policy import decide  # imported late: a build with nothing to do must not pay for it

        decide.parse_policy(value, arch)


def timebase_hz(data_page: DataPage, value: str) -> int | None:
    """Return the frequency that DATA_PAGE=none compiles in; None with a data page, where the kernel tells it."""
    if data_page is not DataPage.NONE:
        if value:
            raise VdsoError("TIMEBASE_HZ", f"`{value}` with DATA_PAGE={data_page}", "leave it out: the kernel sets it")
        return None
    low, high = HZ_LIMITS
    if not value:
        raise VdsoError("TIMEBASE_HZ", "missing, and DATA_PAGE=none compiles it in", "set it, as in TIMEBASE_HZ=10000000")
    try:
        hz = int(str(value), 0)
    except ValueError:
        raise VdsoError("TIMEBASE_HZ", f"`{value}` is not a number", "set it, as in TIMEBASE_HZ=10000000") from None
    if not low <= hz <= high:
        raise VdsoError("TIMEBASE_HZ", f"{hz} is out of range ({low} to {high})", "give the frequency of the counter in Hz")
    return hz


def counter_word(value: str, arch: Arch) -> int | None:
    """Return the offset of the counter in its page that COUNTER tells; None where an instruction reads the counter."""
    kind, _, offset = str(value).partition(":")
    if kind != "mmio" or not arch.counter_page:
        words = (arch.counter.read, "mmio:OFFSET") if arch.counter_page else (arch.counter.read,)
        _one_of("COUNTER", words, str(value) or arch.counter.read)
        return None
    try:
        word = int(offset, 0)
    except ValueError:
        raise VdsoError("COUNTER", f"`{offset}` is not a number", "write it as mmio:0xff8") from None
    if word % COUNTER_SIZE or not 0 <= word < PAGE:
        what = f"{word:#x} is no offset of the counter in its page (a multiple of {COUNTER_SIZE:#x} below {PAGE:#x})"
        raise VdsoError("COUNTER", what, "give the offset of the counter from the start of its page")
    return word


def pages_beside(value: str) -> tuple[int, int] | None:
    """Return how many pages of the kernel lie before and behind an image; None for no value."""
    found = {"before": 0, "after": 0}
    for item in filter(None, (part.strip() for part in value.split(","))):
        place, _, count = item.partition(":")
        if place not in found or not count.isdecimal() or not 0 <= int(count) <= MOST_BESIDE:
            what = f"`{item}` is neither before:N nor after:N (N up to {MOST_BESIDE})"
            raise VdsoError("DATA", what, "give what your kernel maps beside the image, as in DATA=before:4")
        found[place] = int(count)
    return (found["before"], found["after"]) if value else None


def check_base(value: str) -> None:
    """Refuse, with VdsoError, a BASE that is nothing, and a suite without a name."""
    word, _, suite = value.partition(":")
    if not value or (word in BASE_WORDS and ":" in value and (word != "debian" or not suite)):
        raise VdsoError("BASE", f"`{value}` is not known", "it is a file, debian, debian:SUITE or minimal")


COUNTER_HELP = f"how the counter is read: {DEFAULT.counter.read}, or mmio:OFFSET for a word of a page (docs/counter.md)"
OPTIONS = (
    Option("ARCH", DEFAULT.name, "architecture: " + ", ".join(ARCHES), partial(_one_of, "ARCH", tuple(ARCHES))),
    Option("BASE", "debian", "the Linux vDSO to start from: a file, debian[:SUITE] or minimal", check_base, tool=False),
    Option("LOAD_ADDR", LOAD_ADDR, "page-aligned address that the header suggests", load_addr),
    Option("DATA_PAGE", "after", "where the data page lies: after, before or none", partial(_one_of, "DATA_PAGE", DATA_PAGES)),
    Option("PAGE_SIZE", "4096", "bytes of the kernel's pages, where the architecture has others: 16384 or 65536"),
    Option("COUNTER", "", COUNTER_HELP),
    Option("TIMEBASE_HZ", "", "the counter's frequency; only with DATA_PAGE=none, and needed there"),
    Option("POLICY", "", "overrides, as in getcpu:syscall,getrandom:hide"),
    Option("EXTRA_SRC", "", "C files with functions of your own (docs/user-functions.md), separated by spaces"),
    Option("OUT", "build", "folder of everything that is made", tool=False),
    Option("CROSS_COMPILE", "", "prefix of gcc and binutils, or llvm for clang and lld; found where it is empty"),
    Option("MIRROR", "", "Debian mirror for BASE=debian; the machine's own where it is empty", _mirror),
    Option("IMAGE", "", "the file that `check` verifies", tool=False),
    Option("DATA", "", "pages of the kernel beside that image, where no note says it: before:N, after:N or both", tool=False),
    Option("V", "0", "V=1 prints whole commands", partial(_one_of, "V", ("0", "1"))),
    Option("TEST", "", "arguments for pytest", tool=False),
)


def defaults() -> dict[str, str]:
    """Return the construction variables of the tool with their defaults."""
    return {PREFIX + option.name: option.default for option in OPTIONS if option.tool}


def refuse_wrong(values: Mapping[str, str]) -> None:
    """Raise VdsoError for the first construction variable of the tool in `values` whose value can't be."""
    for option in OPTIONS:
        if option.tool:
            option.check(values[PREFIX + option.name])
    arch, data_page = ARCHES[values[PREFIX + "ARCH"]], DataPage(values[PREFIX + "DATA_PAGE"])
    counter = counter_word(values[PREFIX + "COUNTER"], arch)
    page = page_size(values[PREFIX + "PAGE_SIZE"], arch)
    _in_user_space(load_addr(values[PREFIX + "LOAD_ADDR"], page), page, data_page, counter, arch)
    _policy(values[PREFIX + "POLICY"], arch)
    timebase_hz(data_page, values[PREFIX + "TIMEBASE_HZ"])

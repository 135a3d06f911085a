# SPDX-License-Identifier: MIT
"""The image as an attacker sees it, on every base and place of the data page; and each check on an image that fails it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bases import MINIMAL
from elftools.elf.constants import P_FLAGS, SH_FLAGS
from image_builder import Patch
from kernel_side import PAGE, DataPage, build, build_rust
from repository import ROOT
from scons_build import scons
from splice import leftovers
from splice.leftovers import Blob
from spliced import REAL, Made, given, spliced
from stub_build import compile_all
from vdso.arch.arch import HIDE, KEEP
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64, our_note
from vdso.ranges import Span, without

HZ = ("VDSO_DATA_PAGE_NONE", "VDSO_TIMEBASE_HZ=10000000")
NAMES = {b"linux-vdso.so.1", b"LINUX_4.15", b"Linux", our_note.MINIMAL.rstrip(b"\0")}
BASES = ["minimal", "both", "symtab", "two pages", *REAL]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, list[Path]]:
    """Compile the stubs with a data page (True), and without."""
    folders = {True: tmp_path_factory.mktemp("page"), False: tmp_path_factory.mktemp("none")}
    return {page: compile_all(folder, *(() if page else HZ)) for page, folder in folders.items()}


def make(base: str | Path, page: str, compiled: dict[bool, list[Path]], folder: Path) -> Made:
    data = MINIMAL.read_bytes() if base == "minimal" else given(base)
    return spliced(data, compiled[page != "none"], folder, page)


def replaced(made: Made) -> list[bytes]:
    """Return the code of the base that is not kept: from its first to its last function, without what kept ones need."""
    base = made.base
    code = [*(s.span for s in base.exports.values()), *base.reached]
    text = Span.between(min(span.start for span in code), max(span.end for span in code))
    return [base.data[span.start : span.end] for span in without([text], made.plan.kept)]


def sets(made: Made) -> tuple[set[str], set[str]]:
    """Return the names of kept functions, and of those that are ours."""
    kept = {d.export for d in made.plan.decisions if d.policy == KEEP}
    return kept, {d.export for d in made.plan.decisions if d.stub}


def judge(image: bytes, made: Made) -> dict[str, list[str]]:
    blob = Blob(image)
    visible = {d.export for d in made.plan.decisions if d.policy != HIDE}
    visible |= {alias for alias, export in made.base.aliases.items() if export in visible}
    known = NAMES | {name.encode() for name in visible}
    known.add(our_note.name(made.plan.data_offset, made.plan.counter_offset).rstrip(b"\0"))
    known |= {note.desc.rstrip(b"\0") for note in made.base.notes if note.owner == b"Linux\0"}  # its version, in words too
    return {
        "padding": leftovers.padding(blob, RISCV64.trap),
        "old code": leftovers.old_code(blob, replaced(made), *sets(made)),
        "writable code": leftovers.writable_code(blob),
        "names": leftovers.names(blob, known),
    }


@pytest.mark.parametrize("page", ["after", "before", "none"])
@pytest.mark.parametrize("base", BASES, ids=lambda base: getattr(base, "stem", base))
def test_nothing_to_find(base: str | Path, page: str, compiled: dict[bool, list[Path]], tmp_path: Path) -> None:
    made = make(base, page, compiled, tmp_path)
    assert judge(made.image.data, made) == {"padding": [], "old code": [], "writable code": [], "names": []}
    assert sum(map(len, replaced(made))) > (0 if base == "minimal" else 500)


def free_byte(image: bytes, size: int) -> int:
    """Return the address of `size` bytes that nothing uses."""
    blob = Blob(image)
    used = [*blob.tables.values(), *blob.functions.values()]
    return next(start + 1 for start, end in blob.outside(used) if end - start > size + 2)


def one_byte(image: bytes, _made: Made) -> bytes:
    return put(image, free_byte(image, 1), b"\x13")


def last_byte_of_the_load(image: bytes, _made: Made) -> bytes:
    last = Patch(image).phdr(elf64.PT_LOAD)[1].filesz - 1
    assert not image[last]
    return put(image, last, b"\x01")


def old_window(made: Made) -> bytes:
    start = made.base.exports["__vdso_clock_gettime"].value
    return made.base.data[start : start + leftovers.WINDOW]


def some_old_code(image: bytes, made: Made) -> bytes:
    return put(image, free_byte(image, leftovers.WINDOW), old_window(made))


def old_code_in_a_table(image: bytes, made: Made) -> bytes:
    return put(image, Blob(image).tables[".gnu.version_d"][0], old_window(made))


def path_of_the_host(image: bytes, _made: Made) -> bytes:
    return put(image, free_byte(image, 16), b"/home/me/x.c\0")


def name_that_was_hidden(image: bytes, _made: Made) -> bytes:
    return put(image, Blob(image).tables[".dynstr"][0] + 1, b"__vdso_getrandom")


def writable_load(image: bytes, _made: Made) -> bytes:
    patch = Patch(image)
    patch.segment(elf64.PT_LOAD, flags=P_FLAGS.PF_R | P_FLAGS.PF_W | P_FLAGS.PF_X)
    return patch.image


def executable_note(image: bytes, _made: Made) -> bytes:
    patch = Patch(image)
    patch.segment(elf64.PT_NOTE, flags=P_FLAGS.PF_R | P_FLAGS.PF_X)
    return patch.image


def writable_section(image: bytes, _made: Made) -> bytes:
    patch = Patch(image)
    patch.section(elf64.SHT_NOTE, flags=SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_WRITE)
    return patch.image


def put(image: bytes, at: int, data: bytes) -> bytes:
    return image[:at] + data + image[at + len(data) :]


@pytest.mark.parametrize(
    ("sabotage", "found"),
    [
        (one_byte, {"padding"}),
        (last_byte_of_the_load, {"padding"}),
        (some_old_code, {"padding", "old code"}),
        (old_code_in_a_table, {"old code"}),
        (path_of_the_host, {"padding", "names"}),
        (name_that_was_hidden, {"names"}),
        (writable_load, {"writable code"}),
        (executable_note, {"writable code"}),
        (writable_section, {"writable code"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_check_can_fail(
    sabotage: Callable[[bytes, Made], bytes], found: set[str], compiled: dict[bool, list[Path]], tmp_path: Path
) -> None:
    made = make("both", "after", compiled, tmp_path)
    judged = judge(sabotage(made.image.data, made), made)
    assert {check for check, what in judged.items() if what} == found, judged


def test_the_base_itself_fails(compiled: dict[bool, list[Path]], tmp_path: Path) -> None:
    """The old code is what it is taken for."""
    made = make("both", "after", compiled, tmp_path)
    kept, ours = sets(made)
    found = leftovers.old_code(Blob(made.base.file), replaced(made), kept, set())
    assert len(found) > 20
    assert ours


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    done = scons("vdso", f"OUT={out}", "BASE=minimal")
    assert done.returncode == 0, done.stderr
    return out


ROWS = {0, 1, 4, 5, 6, 7, 11}
WRITER = range(768, 928)  # what docs/data-page.md says


def stray(page: bytes) -> list[int]:
    """Return bytes that are not zero, and lie neither in the row of a served clock nor in the writer's own part."""
    return [at for at, byte in enumerate(page) if byte and not (at // 64 in ROWS or at in WRITER)]


def test_the_unused_rest_of_the_data_page_is_zero(outputs: Path, tmp_path: Path) -> None:
    stale = b"\xa5" * PAGE
    for library in (build(tmp_path, outputs / "vdso.h"), build_rust(tmp_path, outputs / "vdso.rs")):
        for hz in (10_000_000, 32768, 4_000_000_000, 0):
            page = DataPage(library, stale).init(hz)
            assert stray(bytes(page)) == []
            assert any(bytes(page)) == (hz != 0)
    assert len(stray(bytes(DataPage(library, stale)))) == PAGE - 64 * len(ROWS) - len(WRITER)


def test_an_init_that_clears_too_little_is_found(tmp_path: Path) -> None:
    header = tmp_path / "vdso_data.h"
    text = (ROOT / "vdso_src" / "vdso_data.h").read_text()
    less = text.replace("i < VDSO_DATA_SIZE / sizeof(*word)", "i < VDSO_DATA_SIZE / sizeof(*word) - 1")
    assert less != text
    header.write_text(less)
    assert stray(bytes(DataPage(build(tmp_path, header), b"\xa5" * PAGE).init(10_000_000))) == list(range(PAGE - 8, PAGE))

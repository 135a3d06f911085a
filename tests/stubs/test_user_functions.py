# SPDX-License-Identifier: MIT
"""Functions of the user's own: added to every base, found in every way, run, and read from words that no clock touches."""

from __future__ import annotations

import ctypes
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from bases import MINIMAL
from elftools.elf.elffile import ELFFile
from elftools.elf.hash import ELFHashTable, GNUHashTable
from image_builder import Patch
from kernel_side import DataPage, build_rust
from kernel_side import build as build_c
from repository import INCLUDES, ROOT, SOURCES
from scons_build import scons
from splice.test_leftovers import judge
from spliced import REAL, SYNTHETIC, USERS, Made, given, spliced
from stub_build import CCFLAGS, PREFIX, compile_all
from stub_runner import BUFFER, Machine
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.errors import VdsoError
from vdso.image.analysis import analyse
from vdso.splice.changes import padded
from vdso.verify import verify
from verify.sabotages import SABOTAGES, Sabotage
from verify.test_verify_finished import ELSEWHERE

EXAMPLES = ROOT / "examples" / "user-functions"
GETCPU, HZ = "__vdso_getcpu", "__vdso_timebase_hz"
NR_GETCPU = 168
PAGE, EXTRA = 4096, 3584
NONE = ("VDSO_DATA_PAGE_NONE", "VDSO_TIMEBASE_HZ=10000000")
DOC = (ROOT / "docs" / "user-functions.md").read_text()
# What runs with a data page and without.
PLAIN = """#include "vdso_stub.h"
uint64_t __vdso_now(void) { return vdso_counter(); }
long __vdso_gettid(void) { return vdso_syscall0(178); }
"""


class Objects:
    """Object files, made in `folder`: our stubs, and those of the user's behind them, with a data page or (NONE) without."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._count = folder, 0

    def ours(self, *defines: str) -> list[Path]:
        return compile_all(self.folder, *defines)

    def of(self, *sources: Path | str, defines: Sequence[str] = ()) -> list[Path]:
        """Compile `sources`, each a file or the text of one."""
        self._count += 1
        folder = self.folder / f"users{self._count}"
        folder.mkdir()
        made = []
        for index, source in enumerate(sources):
            path = folder / f"given{index}.c" if isinstance(source, str) else source
            if isinstance(source, str):
                path.write_text(source)
            made.append(folder / f"{USERS}{index}_{path.stem}.o")
            flags = [*CCFLAGS, *(f"-D{define}" for define in defines), *INCLUDES]
            subprocess.run([f"{PREFIX}gcc", *flags, "-c", path, "-o", made[-1]], check=True)
        return self.ours(*defines) + made


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    return Objects(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="module")
def examples(objects: Objects) -> list[Path]:
    return objects.of(EXAMPLES / "getcpu.c", EXAMPLES / "timebase_hz.c")


def base_of(which: str | Path) -> bytes:
    return MINIMAL.read_bytes() if which == "minimal" else given(which)


BASES = ["minimal", *SYNTHETIC, *REAL]
every_base = pytest.mark.parametrize("base", BASES, ids=lambda base: getattr(base, "stem", base))


def found(made: Made, name: str) -> tuple[int, int]:
    return next((e.address, e.size) for e in made.image.exports if e.name == name)


def lookups(image: bytes) -> dict[str, Callable[[str], int | None]]:
    """Return for each hash table a function to the address of an export, as pyelftools finds it."""
    file = ELFFile(io.BytesIO(image))
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in file.get_section_by_name(".dynamic").iter_tags()}
    symbols = file.get_section_by_name(".dynsym")
    tables = (ELFHashTable(file, tags["DT_HASH"], None, symbols), GNUHashTable(file, tags["DT_GNU_HASH"], symbols))

    def by(table: ELFHashTable | GNUHashTable) -> Callable[[str], int | None]:
        def value(name: str) -> int | None:
            symbol = table.get_symbol(name)
            return symbol["st_value"] if symbol else None

        return value

    return {tag: by(table) for tag, table in zip(("DT_HASH", "DT_GNU_HASH"), tables, strict=True)}


def versions(image: bytes) -> dict[str, str]:
    """Return the version of each export, by name."""
    file = ELFFile(io.BytesIO(image))
    definitions = file.get_section_by_name(".gnu.version_d")
    names = {definition["vd_ndx"]: next(iter(aux)).name for definition, aux in definitions.iter_versions()}
    symbols = file.get_section_by_name(".dynsym").iter_symbols()
    indices = file.get_section_by_name(".gnu.version").iter_symbols()
    pairs = zip(symbols, indices, strict=True)
    return {symbol.name: names[index["ndx"]] for symbol, index in pairs if symbol["st_info"]["type"] == "STT_FUNC"}


def without_warning(image: bytes, folder: Path, places: dict[str, int]) -> None:
    """Check that binutils and gdb print no warning for the image, and see the exports at `places`."""
    path = folder / "vdso.so"
    path.write_bytes(image)
    for tool in (["readelf", "-aW"], ["objdump", "-d"], ["objdump", "-T"]):
        done = subprocess.run([PREFIX + tool[0], *tool[1:], path], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "arning" not in done.stdout
        assert all(name in done.stdout for name in places)
    command = ["gdb", "-nx", "-batch", *(word for name in places for word in ("-ex", f"info address {name}")), path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = [f'Symbol "{name}" is at {at:#x} in a file compiled without debugging.' for name, at in places.items()]
    assert done.stdout.splitlines() == lines


def declared(made: Made) -> None:
    """Check that exactly the changed bytes are in a declared range."""
    new, old = made.image.data, padded(made.base.file, made.plan.size)
    told = [at for change in made.image.changes for at in range(change.start, change.end)]
    assert told == [at for at in range(len(new)) if new[at] != old[at]]


# ---- On every base


@every_base
@pytest.mark.parametrize("page", ["after", "before"])
def test_an_export_is_replaced_and_another_added(
    base: str | Path, page: str, objects: Objects, examples: list[Path], tmp_path: Path
) -> None:
    data = base_of(base)
    made = spliced(data, examples, tmp_path, page)
    image = made.image.data
    assert verify(image, RISCV64).findings == ()
    declared(made)
    policies = {e.name: (e.policy, e.base_address is None, e.base_size is None) for e in made.image.exports}
    assert policies[GETCPU] == ("replace", False, False)
    assert policies[HZ] == ("add", True, True)
    for lookup in lookups(image).values():
        assert lookup("__vdso_nobody") is None
        for export in made.image.exports:
            assert lookup(export.name) == export.address
    there = {e.name for e in made.image.exports if e.address is not None}
    there |= {alias for alias, export in made.base.aliases.items() if export in there}
    assert versions(image) == dict.fromkeys(there, RISCV64.version)
    assert judge(image, made) == {"padding": [], "old code": [], "writable code": [], "names": []}
    pages = len(spliced(data, objects.ours(), tmp_path, page).image.data) // PAGE
    # Where rt_sigreturn is the last function, the tables of one more export have too little room behind it, and no table
    # lies between functions.
    assert len(image) // PAGE == pages + (base == "a nop before rt_sigreturn"), "it fits, and takes a page more"
    without_warning(image, tmp_path, {name: found(made, name)[0] for name in (GETCPU, HZ)})


@every_base
def test_without_a_data_page(base: str | Path, objects: Objects, tmp_path: Path) -> None:
    made = spliced(base_of(base), objects.of(PLAIN, defines=NONE), tmp_path, "none")
    assert verify(made.image.data, RISCV64).findings == ()
    declared(made)
    machine = Machine(made.image.data)
    assert machine.call(found(made, "__vdso_now")[0], counter=4711).value == 4711
    asked = machine.call(found(made, "__vdso_gettid")[0], answer=12)
    assert (asked.value, asked.syscalls[0][0], len(asked.syscalls)) == (12, 178, 1)


def page_with(words: dict[int, int]) -> bytes:
    page = bytearray(PAGE)
    for word, value in words.items():
        page[EXTRA + 8 * word : EXTRA + 8 * word + 8] = value.to_bytes(8, "little")
    return bytes(page)


@every_base
@pytest.mark.parametrize("page", ["after", "before"])
def test_the_examples_run(base: str | Path, page: str, examples: list[Path], tmp_path: Path) -> None:
    made = spliced(base_of(base), examples, tmp_path, page)
    machine = Machine(made.image.data, made.plan.data_offset)
    getcpu, hz = found(made, GETCPU)[0], found(made, HZ)[0]

    machine.set_page(bytes(PAGE))  # as vdso_data_init leaves it
    asked = machine.call(getcpu, BUFFER, BUFFER + 8, 0, answer=-14)
    assert asked.value == -14
    assert [(number, arguments[:3]) for number, arguments in asked.syscalls] == [(NR_GETCPU, (BUFFER, BUFFER + 8, 0))]
    assert machine.call(hz).value == 0

    machine.set_page(page_with({0: 6 + 1, 1: 10_000_000, 2: 99}))
    for cpu, node in ((BUFFER, BUFFER + 8), (BUFFER, 0), (0, BUFFER + 8), (0, 0)):
        told = machine.call(getcpu, cpu, node, 0)
        assert (told.value, told.syscalls) == (0, ())
        untouched = b"\xa5" * 4
        assert told.memory[:4] == ((6).to_bytes(4, "little") if cpu else untouched)
        assert told.memory[8:12] == (bytes(4) if node else untouched)
        assert told.memory[4:8] + told.memory[12:16] == untouched * 2
    assert machine.call(hz).value == 10_000_000
    assert machine.call(hz).instructions in (3, 4), "gcc 12 folds the word's offset into the load, gcc 14 does not"


def test_from_a_base_that_was_added_to_nothing_changes_without(objects: Objects, tmp_path: Path) -> None:
    """Names stay in their places where no export is added."""
    for base in REAL:
        made = spliced(given(base), objects.ours(), tmp_path)
        assert made.plan.area(".dynstr").start == made.base.tables[".dynstr"].start
        assert made.plan.area(".dynstr").size == made.base.tables[".dynstr"].size


# ---- How much there is room for


def many(count: int, body: str = "return {index};") -> str:
    names = "".join(f"long __vdso_a_function_of_a_long_name_{i:03}(void) {{ {body.format(index=i)} }}\n" for i in range(count))
    return names


@pytest.mark.parametrize("count", [1, 9, 10, 17, 30, 59, 60, 129])
def test_tables_grow(count: int, objects: Objects, tmp_path: Path) -> None:
    """Across the numbers of buckets (3, 17, 37, 67) and of words of the filter."""
    compiled = objects.of(many(count))
    for base in ("minimal", "gnu only", "no sections"):
        made = spliced(base_of(base), compiled, tmp_path)
        image = made.image.data
        assert verify(image, RISCV64).findings == ()
        declared(made)
        added = [e for e in made.image.exports if e.policy == "add"]
        assert len(added) == count
        machine = Machine(image, made.plan.data_offset)
        for lookup in lookups(image).values():
            for index, export in enumerate(added):
                assert lookup(export.name) == export.address
                assert machine.call(export.address or 0).value == index
    without_warning(image, tmp_path, {e.name: e.address or 0 for e in added})


def test_a_page_is_added_where_it_does_not_fit(objects: Objects, tmp_path: Path) -> None:
    sizes = []
    for nops in (100, 1500, 4000):
        source = f'long __vdso_large(void) {{ __asm__ volatile(".rept {nops}\\nc.nop\\n.endr"); return 5; }}'
        made = spliced(base_of("minimal"), objects.of(source), tmp_path)
        assert verify(made.image.data, RISCV64).findings == ()
        declared(made)
        sizes.append(len(made.image.data) // PAGE)
        assert made.plan.data_offset == len(made.image.data)
    assert sizes == [1, 2, 3]


def test_one_function_of_two_names(objects: Objects, tmp_path: Path) -> None:
    source = 'long __vdso_one(void) { return 1; }\nlong __vdso_first(void) __attribute__((alias("__vdso_one")));'
    made = spliced(base_of("minimal"), objects.of(source), tmp_path)
    assert verify(made.image.data, RISCV64).findings == ()
    assert found(made, "__vdso_one") == found(made, "__vdso_first")


def test_helpers_constants_and_calls(objects: Objects, tmp_path: Path) -> None:
    """A function with constants in a file of its own, called by two exports of two files; a switch; two strings."""
    helper = """#include "vdso_stub.h"
static const uint16_t table[] = {3, 1, 4, 1, 5, 9, 2, 6};
uint64_t digit(unsigned n);
uint64_t digit(unsigned n) { return table[n % 8] * 0x123456789abcdefu; }
"""
    first = """#include "vdso_stub.h"
uint64_t digit(unsigned n);
uint64_t unused(void);
uint64_t unused(void) { return 1; }
uint64_t __vdso_digit(unsigned n) { return digit(n) + 1; }
"""
    second = """#include "vdso_stub.h"
uint64_t digit(unsigned n);
uint64_t __vdso_two(unsigned n) { return digit(n) ^ digit(n + 1); }
const char *__vdso_word(int n) { return n ? "yes" : "no"; }
long __vdso_case(long n)
{
	switch (n) { case 1: return 50; case 2: return 7; case 3: return 11; case 4: return 8; case 5: return 60; }
	return vdso_syscall6(1, 2, 3, 4, 5, 6, 7);
}
"""
    for page in ("after", "before"):
        made = spliced(base_of("minimal"), objects.of(helper, first, second), tmp_path, page)
        assert verify(made.image.data, RISCV64).findings == ()
        assert not {"digit", "unused"} & {e.name for e in made.image.exports}
        machine = Machine(made.image.data, made.plan.data_offset, load=0x5_5555_5000)

        def call(name: str, *arguments: int) -> int:
            return machine.call(found(made, name)[0], *arguments).value & (1 << 64) - 1  # noqa: B023

        digits = [d * 0x123456789ABCDEF % 2**64 for d in (3, 1, 4, 1, 5, 9, 2, 6)]
        assert [call("__vdso_digit", n) for n in range(8)] == [d + 1 for d in digits]
        assert call("__vdso_two", 4) == digits[4] ^ digits[5]
        for argument, word in ((0, b"no\0"), (1, b"yes\0")):
            at = call("__vdso_word", argument) - 0x5_5555_5000
            assert made.image.data[at : at + len(word)] == word
        assert [call("__vdso_case", n) for n in range(1, 6)] == [50, 7, 11, 8, 60]
        (asked,) = machine.call(found(made, "__vdso_case")[0], 9).syscalls
        assert asked == (1, (2, 3, 4, 5, 6, 7))


def test_system_calls_of_every_number_of_arguments(objects: Objects, tmp_path: Path) -> None:
    numbers = [", ".join(map(str, range(100, 100 + count + 1))) for count in range(7)]
    source = '#include "vdso_stub.h"\n' + "".join(
        f"long __vdso_call{count}(void) {{ return vdso_syscall{count}({words}); }}\n" for count, words in enumerate(numbers)
    )
    made = spliced(base_of("minimal"), objects.of(source), tmp_path)
    machine = Machine(made.image.data, made.plan.data_offset)
    for count in range(7):
        result = machine.call(found(made, f"__vdso_call{count}")[0], answer=-38)
        ((number, arguments),) = result.syscalls
        assert (result.value, number, arguments[:count]) == (-38, 100, tuple(range(101, 101 + count)))


def test_a_word_that_only_runs_tell_stays_in_the_part(objects: Objects, tmp_path: Path) -> None:
    source = '#include "vdso_stub.h"\nuint64_t __vdso_any(unsigned n) { return vdso_extra(n); }'
    made = spliced(base_of("minimal"), objects.of(source), tmp_path)
    machine = Machine(made.image.data, made.plan.data_offset)
    machine.set_page(page_with({word: 1000 + word for word in range(64)}))
    for word in (0, 1, 63, 64, 65, 2**31, 2**32 - 1):
        assert machine.call(found(made, "__vdso_any")[0], word).value == 1000 + word % 64


# ---- What is refused (and in test_bad_input, by a whole build)

ONE = "long __vdso_one(void) { return 1; }\n"
REFUSED = {
    "addresses in constants": (
        ['static const char *const a[] = {"b", "c"};\nconst char *__vdso_name(unsigned i) { return a[i & 1]; }'],
        r"given0\.o: \.rodata at 0x0 holds an address \(relocation of type 0x2\); a vDSO has no GOT and no relocations",
    ),
    "an absolute address": (
        ['long __vdso_x(void) { long x; __asm__("lui %0, %%hi(vdso_data)" : "=r"(x)); return x; }'],
        r"\.text\.__vdso_x at 0x0 holds an address \(relocation of type 0x1a\)",
    ),
    "state of the kernel": (
        ['long __vdso_x(void) { long x; __asm__ volatile(".option arch, +zicsr; csrr %0, sscratch" : "=r"(x)); return x; }'],
        "__vdso_x: its code at 0x[0-9a-f]+ reads a register that only a kernel sets, beside the data page",
    ),
    "no size": (['__asm__(".globl __vdso_a\\n__vdso_a: ret");'], "`__vdso_a` is not a function of known size"),
    "a name for no constant": (["long __vdso_2nd(void) { return 0; }"], "exports `__vdso_2nd`; take a letter"),
    "a name beyond ASCII": (["long __vdso_z\u00e4hler(void) { return 0; }"], "exports `__vdso_z\u00e4hler`; take a letter"),
    "one constant for two": (
        ["long __vdso_a(void) { return 0; }\nlong __vdso_A(void) { return 1; }"],
        "`__vdso_A` and `__vdso_a` would both be VDSO_SYM_A; rename it",
    ),
    "the constant of the base's": (["long __vdso_GETCPU(void) { return 0; }"], "`__vdso_getcpu` would both be VDSO_SYM_GETCPU"),
    "libgcc": (["double __vdso_half(double x) { return x / 2; }"], "undefined symbol `__"),
    "two of one name": ([ONE, ONE], r"given1\.o: `__vdso_one` is defined in extra0_given0\.o too; leave one of them out"),
    "too many": ([many(250)], r"`__vdso_a_function_of_a_long_name_248` makes 256 exports \(limit: 255\); export fewer"),
    "nothing to call": (
        [ONE, "long own(long n);\nlong own(long n) { return n < 2 ? n : own(n - 1) + own(n - 2); }"],
        r"given1\.o: no global function in it has a name that begins with __vdso_, so it exports nothing",
    ),
    "variables": ([ONE + "static int n; long __vdso_n(void) { return n++; }"], "writable data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_error_says_what_and_what_to_do(name: str, objects: Objects, tmp_path: Path) -> None:
    sources, says = REFUSED[name]
    compiled, base = objects.of(*sources), base_of("minimal")
    with pytest.raises(VdsoError, match=says):
        spliced(base, compiled, tmp_path)


def test_the_data_page_where_there_is_none(objects: Objects, tmp_path: Path) -> None:
    """Linked, it would read the image in the place of the page."""
    source = 'extern const long vdso_data __attribute__((visibility("hidden")));\nlong __vdso_x(void) { return vdso_data; }'
    compiled, base = objects.of(source, defines=NONE), base_of("minimal")
    with pytest.raises(VdsoError, match="uses the data page, and DATA_PAGE=none makes none; take DATA_PAGE=after"):
        spliced(base, compiled, tmp_path, "none")


@pytest.mark.parametrize(
    ("body", "defines", "says"),
    [
        ("vdso_extra(64)", (), "the kernel has the words 0 to 63 of the data page"),
        ("vdso_extra(63)", NONE, "there is no data page: take DATA_PAGE=after or before"),
    ],
)
def test_the_compiler_says_which_words_there_are(
    body: str, defines: tuple[str, ...], says: str, objects: Objects, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        objects.of(f'#include "vdso_stub.h"\nuint64_t __vdso_x(void) {{ return {body}; }}', defines=defines)
    assert says in capfd.readouterr().err


# ---- What verify sees


@pytest.fixture(scope="module")
def finished(examples: list[Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("finished")
    return spliced(MINIMAL.read_bytes(), examples, folder).image.data


def drop_from_hash(patch: Patch) -> None:
    """Make the chain of DT_HASH pass the new export by."""
    at, index = patch.value(elf64.DT_HASH), patch.index(HZ)
    count, chains = patch.get(at), at + 8 + 4 * patch.get(at)
    follows = patch.get(chains + 4 * index)
    places = [at + 8 + 4 * i for i in range(count)] + [chains + 4 * i for i in range(patch.get(at + 4))]
    (place,) = [place for place in places if patch.get(place) == index]
    patch.put(place, "<I", follows)


def drop_from_gnu_hash(patch: Patch) -> None:
    """Give the new export the hash of another one."""
    at = patch.value(elf64.DT_GNU_HASH)
    count, first, words = (patch.get(at + 4 * i) for i in range(3))
    chain = at + 16 + 8 * words + 4 * count + 4 * (patch.index(HZ) - first)
    patch.put(chain, "<I", patch.get(chain) ^ 2)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (drop_from_hash, "hash-lookup"),
        (drop_from_gnu_hash, "gnu-hash-lookup"),
        (lambda p: p.put(p.value(elf64.DT_VERSYM) + 2 * p.index(HZ), "<H", 1), "symbol-version"),
        (lambda p: p.symbol(HZ, size=0), "symbol-inside"),
        (lambda p: p.symbol(HZ, info=0x11), "symbol-type"),
        (lambda p: p.symbol(HZ, shndx=0), "no-undefined"),
        (lambda p: p.set(elf64.DT_STRSZ, p.value(elf64.DT_STRSZ) - 5), "string-table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_new_export_that_is_not_found_everywhere_is_seen(finished: bytes, change: Callable[[Patch], None], rule: str) -> None:
    patch = Patch(finished)
    change(patch)
    assert patch.image != finished
    report = verify(patch.image, RISCV64)
    assert rule in report.broken
    if rule.endswith("lookup"):
        assert report.broken == (rule,)
        assert all(HZ in finding.what for finding in report.findings)


CHANGES = [s for s in SABOTAGES if s.change is not None and s.text not in ELSEWHERE]


@pytest.mark.parametrize("sabotage", CHANGES, ids=lambda s: f"{s.rule}: {s.text}")
def test_a_sabotage_still_breaks_one_rule(finished: bytes, sabotage: Sabotage) -> None:
    patch = Patch(finished)
    assert sabotage.change is not None
    sabotage.change(patch)
    assert verify(patch.image, RISCV64).broken == (sabotage.rule,)


def test_user_code_forms_no_address_outside(finished: bytes) -> None:
    """The rule sees it in an image too, not only the splice in the source: a load of the word before the page is moved."""
    assert verify(finished, RISCV64).findings == ()
    patch = Patch(finished)
    at = next(
        s["st_value"] for s in ELFFile(io.BytesIO(finished)).get_section_by_name(".dynsym").iter_symbols() if s.name == HZ
    )
    patch.put(at, "<I", patch.get(at) + 0x2000)  # auipc: two pages further
    assert verify(patch.image, RISCV64).broken == ("code-inside",)
    assert analyse(finished, at, RISCV64).unknown == ()


# ---- The kernel's own part of the page


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the outputs with both examples, and what the build printed."""
    out = tmp_path_factory.mktemp("blob")
    sources = " ".join(str(EXAMPLES / name) for name in ("getcpu.c", "timebase_hz.c"))
    done = scons("vdso", "report", f"OUT={out}", "BASE=minimal", f"EXTRA_SRC={sources}")
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.fixture(scope="module")
def blob(printed: tuple[Path, str]) -> Path:
    return printed[0]


def test_init_clears_the_part_and_nothing_else_touches_it(blob: Path, tmp_path: Path) -> None:
    for library in (build_c(tmp_path, blob / "vdso.h"), build_rust(tmp_path, blob / "vdso.rs")):
        page = DataPage(library, b"\xa5" * PAGE).init(10**7)
        assert bytes(page)[EXTRA:] == bytes(PAGE - EXTRA)
        page = DataPage(library, b"\xa5" * PAGE).init(5)  # refused: the page is left all zero
        assert bytes(page) == bytes(PAGE)
        page = DataPage(library).init(10**7)
        mine = bytes(range(256)) * 2
        page.set_extra(mine)
        page.set_realtime(1, 2, 3)
        page.set_tai_offset(37)
        page.begin()
        page.set_monotonic(5, 6, 7)
        page.adjust(8, 9)
        page.suspend(10)
        page.resume(11, 12)
        page.end()
        page.read(1, 10**8)
        page.disable()
        assert bytes(page)[EXTRA:] == mine


MOVED = {
    "a word too many before it": ("reserved[306]", "reserved[307]"),
    "a word too few before it": ("reserved[306]", "reserved[305]"),
    "a part that is too small": ("VDSO_EXTRA_WORDS 64", "VDSO_EXTRA_WORDS 63"),
    "a part that is too large": ("VDSO_EXTRA_WORDS 64", "VDSO_EXTRA_WORDS 65"),
    "a place that is told wrong": ("VDSO_EXTRA_OFFSET 3584", "VDSO_EXTRA_OFFSET 3592"),
    "a row too many": ("#define VDSO_ROWS 12", "#define VDSO_ROWS 13"),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_part_that_moves_or_overlaps_does_not_compile(name: str, tmp_path: Path) -> None:
    text = (SOURCES / "vdso_data.h").read_text()
    old, new = MOVED[name]
    assert text.count(old) == 1
    for content, status in ((text, 0), (text.replace(old, new), 1)):
        (tmp_path / "vdso_data.h").write_text(content)
        (tmp_path / "a.c").write_text('#include "vdso_data.h"\n')
        done = subprocess.run(["gcc", *INCLUDES, "-c", "a.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert ("vdso_data_assert_" in done.stderr) == bool(status)


RUST_MOVED = {
    "a word too few before it": ("RESERVED: usize = 306", "RESERVED: usize = 305"),
    "a word too many before it": ("RESERVED: usize = 306", "RESERVED: usize = 307"),
    "a part that is too small": ("EXTRA_WORDS: usize = 64", "EXTRA_WORDS: usize = 63"),
    "a place that is told wrong": ("EXTRA_OFFSET: usize = 3584", "EXTRA_OFFSET: usize = 3576"),
}


@pytest.mark.parametrize("name", RUST_MOVED)
def test_nor_in_rust(name: str, blob: Path, tmp_path: Path) -> None:
    text = (blob / "vdso.rs").read_text()
    old, new = RUST_MOVED[name]
    assert text.count(old) == 1
    for content, good in ((text, True), (text.replace(old, new), False)):
        (tmp_path / "vdso.rs").write_text(content)
        command = ["rustc", "--edition", "2021", "--crate-type", "lib", "-D", "warnings", "vdso.rs"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == good, done.stderr
        assert good or "assertion failed" in done.stderr


# ---- The document


def document() -> tuple[str, str]:
    """Return the C code of the document: the kernel's, and the function."""
    kernel, function = re.findall(r"^```c\n(.*?)^```$", DOC, re.M | re.S)
    return kernel, function


class Kernel:
    """load_average_set of the document on a page, and what the page is after each of its stores."""

    def __init__(self, folder: Path) -> None:
        source = folder / "kernel.c"
        text = document()[0].replace("static inline ", "")
        source.write_text('#include "vdso_data.h"\n' + text)
        command = [
            "gcc",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O2",
            "-shared",
            "-fPIC",
            *INCLUDES,
            source,
            "-o",
            folder / "k.so",
        ]
        subprocess.run(command, check=True)
        self._library = ctypes.CDLL(str(folder / "k.so"))

    def set(self, page: bytes, load: Sequence[int]) -> list[bytes]:
        """Return `page`, and the page after each store, in program order: count, words, count."""
        memory = ctypes.create_string_buffer(page, PAGE)
        self._library.load_average_set(memory, (ctypes.c_uint64 * 3)(*load))
        end = memory.raw
        count = int.from_bytes(page[EXTRA + 64 : EXTRA + 72], "little")
        steps = [page]
        for word, value in ((8, count + 1), (9, load[0]), (10, load[1]), (11, load[2]), (8, count + 2)):
            at = EXTRA + 8 * word
            steps.append(steps[-1][:at] + value.to_bytes(8, "little") + steps[-1][at + 8 :])
        assert steps[-1] == end
        return steps


def test_words_that_must_agree_never_disagree(objects: Objects, tmp_path: Path) -> None:
    """The document's reader, with the page changed before any of its loads, to what it is after any store of two writes."""
    kernel = Kernel(tmp_path)
    old, new, last = (1, 2, 3), (10, 20, 30), (100, 200, 300)
    start = kernel.set(bytes(PAGE), old)[-1]
    first = kernel.set(start, new)
    pages = first + kernel.set(first[-1], last)[1:]
    outcomes = {}
    for check in (True, False):
        text = document()[1]
        if not check:
            assert text.count(" || vdso_extra(8) != count") == 1
            text = text.replace(" || vdso_extra(8) != count", "")
        made = spliced(base_of("minimal"), objects.of(text), tmp_path)
        machine = Machine(made.image.data, made.plan.data_offset)
        address, seen = found(made, "__vdso_load_average")[0], set()
        for load in range(5):
            for before in range(len(pages)):
                for after in range(before, len(pages)):
                    machine.set_page(pages[before])
                    result = machine.call(
                        address, BUFFER, before_load=lambda k, load=load, after=after: pages[after] if k == load else None
                    )
                    assert result.syscalls == ()
                    seen.add(result.words(3) if result.value == 0 else None)
        outcomes[check] = seen
    assert outcomes[True] == {None, old, new, last}
    assert outcomes[False] > outcomes[True], "the test sees no mix: it can't fail"


def test_what_the_document_says_a_build_prints(printed: tuple[Path, str]) -> None:
    told = re.findall(r"^  (?:replace|add) .*$", DOC, re.M)
    assert len(told) == 2
    shown = printed[1].splitlines()
    if re.search(r"^  compiler .* 12\.\d", printed[1], re.M):
        assert {*told} <= {*shown}, printed[1]
    assert {tuple(line.split()[:2]) for line in told} <= {tuple(line.split()[:2]) for line in shown}, "with every compiler"


# ---- The outputs and the build


def test_all_outputs_have_it(blob: Path) -> None:
    told = json.loads((blob / "vdso.json").read_text())
    by_name = {export["name"]: export for export in told["exports"]}
    assert (by_name[HZ]["policy"], by_name[HZ]["base_address"], by_name[HZ]["base_size"]) == ("add", None, None)
    address = by_name[HZ]["address"]
    assert lookups((blob / "vdso.so").read_bytes())["DT_HASH"](HZ) == address
    assert re.search(rf"^#define VDSO_SYM_TIMEBASE_HZ +{address:#x}$", (blob / "vdso.h").read_text(), re.M)
    assert f"pub const TIMEBASE_HZ: usize = {address:#x};" in (blob / "vdso.rs").read_text()
    assert {name for name in told["inputs"] if name.endswith(("getcpu.c", "timebase_hz.c", "vdso_stub.h"))} == {
        "examples/user-functions/getcpu.c",
        "examples/user-functions/timebase_hz.c",
        "vdso_src/vdso_stub.h",
    }


def test_the_report_shows_it(blob: Path) -> None:
    page = (blob / "report.html").read_text()
    (row,) = re.findall(rf'<tr data-export="{HZ}">.*?</tr>', page, re.S)
    assert 'colspan="3">new<' in row
    assert re.search(r">1[02]</td><td>(freed slot|tail)</td>", row), row
    assert re.search(rf'<a [^>]*id="map-image-[^>]*data-kind="add".*?{HZ}', page, re.S)
    assert '<pattern id="k-add"' in page


def test_what_a_source_includes_counts(tmp_path: Path) -> None:
    for source in EXAMPLES.iterdir():
        shutil.copy(source, tmp_path)
    images = []
    for word in ("WORD_TIMEBASE_HZ 1", "WORD_TIMEBASE_HZ 2"):
        header = tmp_path / "words.h"
        header.write_text(header.read_text().replace("WORD_TIMEBASE_HZ 1", word))
        done = scons("vdso", f"OUT={tmp_path / 'out'}", "BASE=minimal", f"EXTRA_SRC={tmp_path}/timebase_hz.c")
        assert done.returncode == 0, done.stderr
        images.append((tmp_path / "out" / "vdso.so").read_bytes())
    assert images[0] != images[1]


KERNEL = """
DefaultEnvironment(tools=[])
env = Environment(tools=["default", "vdso"], toolpath=[{tools!r}])
env.Vdso("made", "minimal", VDSO_EXTRA_SRC=[{getcpu!r}, File({hz!r})])
"""


def test_a_list_from_a_kernel_that_builds_with_scons(blob: Path, tmp_path: Path) -> None:
    tools = str(ROOT / "site_scons" / "site_tools")
    files = {"getcpu": str(EXAMPLES / "getcpu.c"), "hz": str(EXAMPLES / "timebase_hz.c")}
    (tmp_path / "SConstruct").write_text(KERNEL.format(tools=tools, **files))
    done = subprocess.run([sys.executable, "-m", "SCons", "-Q"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "made" / "vdso.so").read_bytes() == (blob / "vdso.so").read_bytes()

# SPDX-License-Identifier: MIT
"""Every demand of every consumer is a rule, every rule can be broken, and what breaks one breaks no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arch.riscv64 import snippets
from arch.riscv64.snippets import RET
from bases import bases
from elf_builder import Function, Spec, raw, thunk
from hypothesis import given, settings
from hypothesis import strategies as st
from image_builder import HEADER, Patch, foreign, functions, ours
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.elf.limits import PAGE
from vdso.image.reader import read_vdso
from vdso.variables import pages_beside
from vdso.verify import RULES, Beside, Report, identity, verify
from vdso.verify import rule as registry
from vdso.verify.findings import report_text
from vdso.verify.rule import CONSUMERS, EVERY, SELFTESTS
from vdso.verify.rules.code import MOST_LISTED
from verify.sabotages import FRAME_IN_THE_MIDDLE, SABOTAGES, Sabotage, fde

ALL_RULES = {*RULES, *identity.RULES}
NO_HASH = "no DT_HASH, and they know no other table"

# What each consumer demands of an image, clause by clause, and the rules that stand for it.
CLAUSES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("glibc", "PT_DYNAMIC", ("dynamic-segment",)),
    ("glibc", "l_addr from the first PT_LOAD, map end from the greatest", ("one-load", "load-at-zero", "load-size")),
    ("glibc", "asserts no PT_TLS", ("no-tls",)),
    ("glibc", "p_memsz of PT_DYNAMIC", ("dynamic-size",)),
    ("glibc", "DT_STRTAB, DT_SYMTAB", ("symbol-table",)),
    ("glibc", "if DT_RELA then DT_RELAENT = 24", ("dt-relaent",)),
    ("glibc", "GNU_HASH preferred", ("dt-gnu-hash", "gnu-hash-bloom", "gnu-hash-lookup", "gnu-hash-chain-end")),
    ("glibc", "bitmask words a power of two", ("gnu-hash-bloom-size",)),
    ("glibc", "else DT_HASH", ("hash-lookup", "hash-chain-end", "hash-buckets")),
    ("glibc", "LINUX_4.15 on riscv64", ("version-name", "symbol-version")),
    ("glibc", "VERDEF is walked later and must be well formed", ("verdef-walk", "dt-verdef")),
    ("glibc", "an undefined entry with a value is still called", ("no-undefined",)),
    ("glibc", "looks up clock_gettime; time() and gettimeofday() are clock_gettime", ("clock-gettime",)),
    ("glibc", "any non-zero return becomes errno, with no system call after it", ("code-asks-kernel",)),
    ("musl", "clock_gettime from the vDSO from 1.2.6 on", ("clock-gettime",)),
    ("musl", "1.2.6 is content with DT_GNU_HASH", ("gnu-hash-chain-end", "hash-buckets")),
    ("musl", "base from the last PT_LOAD", ("one-load", "load-at-zero")),
    ("musl", "PT_DYNAMIC through p_offset", ("dynamic-segment", "dynamic-offset")),
    ("musl", "up to 1.2.5 DT_HASH only", ("dt-hash",)),
    ("musl", "nchain is its symbol count", ("hash-nchain",)),
    ("musl", "exact version name through VERSYM and VERDEF",
     ("dt-versym", "dt-verdef", "version-name", "symbol-version", "verdef-walk", "versym-count")),
    ("musl", "types NOTYPE, OBJECT, FUNC, COMMON; binds GLOBAL, WEAK", ("symbol-bind",)),
    ("musl", "every error but -EINVAL is retried by system call", ("code-known",)),
    ("Go", "first PT_LOAD, PT_DYNAMIC", ("load-at-zero", "dynamic-segment", "dynamic-offset", "dt-null")),
    ("Go", "GNU_HASH preferred, else DT_HASH", ("dt-gnu-hash", "gnu-hash-lookup", "hash-nchain", "hash-buckets")),
    ("Go", "LINUX_4.15, hash 0xae77f75", ("version-name", "verdef-hash", "symbol-version")),
    ("Go", "STT_FUNC, GLOBAL or WEAK", ("symbol-type", "symbol-bind")),
    ("Go", "DT_VERDEF is dereferenced unconditionally", ("dt-verdef", "verdef-walk")),
    ("Go", "clock_gettime; the return value is ignored", ("clock-gettime", "code-asks-kernel")),
    ("Go", "runs on the stacks of g0 and gsignal", ("code-stack",)),
    ("Go", "must not touch tp or gp", ("code-registers",)),
    ("rustix", "ET_DYN", ("et-dyn", "elf-version")),
    ("rustix", "EI_OSABI SYSV or GNU", ("ei-osabi",)),
    ("rustix", "exact ehsize and phentsize", ("e-ehsize", "e-phentsize", "program-headers")),
    ("rustix", "first load R and X", ("load-flags",)),
    ("rustix", "no PT_INTERP", ("no-interp",)),
    ("rustix", "no PT_GNU_RELRO", ("no-relro",)),
    ("rustix", "DT_NULL inside PT_DYNAMIC", ("dt-null", "dynamic-size")),
    ("rustix", "DT_SYMENT = 24", ("dt-syment",)),
    ("rustix", "every address inside the load", ("pointers-inside", "symbol-inside")),
    ("rustix", "either hash", ("dt-gnu-hash", "gnu-hash-lookup")),
    ("rustix", "its GNU_HASH path does not look at st_shndx or st_value", ("no-undefined",)),
    ("rustix", "version and hash checked", ("version-name", "verdef-hash", "verdef-revision", "symbol-version")),
    ("rustix", "FUNC or NOTYPE", ("symbol-type",)),
    ("rustix", "asserts clock_gettime, and getcpu where it is a function of the vDSO", ("clock-gettime", "asserted-exports")),
    ("kernel selftests and LTP", "first load, PT_DYNAMIC", ("load-at-zero", "dynamic-segment", "dynamic-offset")),
    ("kernel selftests and LTP", "DT_HASH only", ("dt-hash", "hash-lookup", "hash-chain-end")),
    ("kernel selftests and LTP", "STT_FUNC", ("symbol-type", "symbol-notype")),
    ("kernel selftests and LTP", "version and hash", ("version-name", "verdef-hash", "verdef-revision", "symbol-version")),
    ("LLVM libc", "e_shoff, read from the mapped memory, and SHT_DYNSYM of it", ("section-table", "section-dynsym")),
    ("LLVM libc", "the first PT_LOAD before PT_DYNAMIC", ("load-first", "dynamic-segment", "load-at-zero")),
    ("LLVM libc", "PT_DYNAMIC through p_offset, up to DT_NULL", ("dynamic-offset", "dt-null", "symbol-table")),
    ("LLVM libc", "the version through VERSYM and VERDEF", ("symbol-version", "version-name", "verdef-walk")),
    ("LLVM libc", "neither st_shndx nor st_value", ("no-undefined",)),
    ("stress-ng", "DT_HASH and DT_STRTAB are there when DT_SYMTAB comes", ("hash-first",)),
    ("bionic", "e_shoff, e_shnum, read from the mapped memory", ("section-table",)),
    ("bionic", "SHT_DYNSYM", ("section-dynsym", "sections-agree")),
    ("bionic", "by name only", ("symbol-names", "string-table")),
    ("unwinders", "PT_GNU_EH_FRAME", ("segments-inside", "eh-frame-header", "eh-frame-pointer", "eh-frame-sorted",
                                      "eh-frame-entries", "fde-function")),
    ("unwinders", "the code of rt_sigreturn stays li a7,139; ecall", ("sigreturn-bytes",)),
    ("unwinders", "pthread_cancel unwinds through it", ("sigreturn-bytes", "fde-before-sigreturn")),
    ("unwinders", "perf with libunwind asks for the section .eh_frame_hdr", ("section-frames",)),
    ("gdb", "reads the section table to find notes in memory", ("section-table", "section-note", "notes", "build-id")),
    ("together", "ET_DYN", ("et-dyn",)),
    ("together", "one PT_LOAD", ("one-load",)),
    ("together", "R-X", ("load-flags", "no-write")),
    ("together", "offset = vaddr = 0", ("load-at-zero",)),
    ("together", "filesz = memsz", ("load-size",)),
    ("together", "PT_DYNAMIC R", ("dynamic-flags",)),
    ("together", "both hashes", ("dt-hash", "dt-gnu-hash")),
    ("together", "VERSYM and VERDEF", ("dt-versym", "dt-verdef")),
    ("together", "STT_FUNC GLOBAL", ("symbol-type", "symbol-notype", "symbol-bind")),
    ("together", "soname linux-vdso.so.1", ("soname",)),
    ("together", "no NEEDED", ("no-needed",)),
    ("together", "no TEXTREL", ("no-textrel",)),
    ("together", "no TLS", ("no-tls",)),
    ("together", "no RELRO", ("no-relro",)),
    ("together", "no INTERP", ("no-interp",)),
    ("together", "relocation tags only with value 0", ("no-relocations",)),
    ("together", "every address below p_memsz", ("pointers-inside", "segments-inside", "symbol-inside")),
)  # fmt: skip

# What Linux's own images break on a kernel that is not Linux.
BASES = {
    "riscv64-linux-5.10.262-gcc10-defconfig.so": set(),
    "riscv64-linux-6.1.192.so": set(),
    "riscv64-linux-6.1.192-clang19-defconfig.so": set(),
    "riscv64-linux-6.12.117.so": set(),
    "riscv64-linux-6.12.118-clang19-defconfig.so": set(),
    "riscv64-linux-6.12.118-gcc14-defconfig-dbg.so": set(),
    "riscv64-linux-7.2.13.so": {"dt-hash"},
    "riscv64-linux-7.3.4-clang19-defconfig.so": set(),
    "riscv64-linux-7.3.4-gcc16-defconfig.so": {"dt-hash"},
    # their notes are aligned to 4 in a segment aligned to 8: readelf warns of them too
    "riscv64-linux-7.2.13-cfi.so": {"dt-hash", "code-known", "no-user-cfi", "notes"},
    "riscv64-linux-7.3.4-gcc16-defconfig-cfi.so": {"dt-hash", "code-known", "no-user-cfi", "notes"},
    # their clock reads Linux's data as well, and never asks the kernel
    "riscv64-made.so": {"code-asks-kernel"},
    "riscv64-made-gnu.so": {"code-asks-kernel", "dt-hash"},
    "riscv64-made-cfi.so": {"code-asks-kernel", "no-user-cfi"},
}


def check(image: bytes) -> Report:
    return verify(image, RISCV64)


def texts(report: Report) -> list[str]:
    return [finding.what for finding in report.findings]


def framed(name: str, **frame: Any) -> tuple[Function, ...]:
    """Return functions, one with other unwind information."""
    return tuple(replace(f, **frame) if f.name == f"__vdso_{name}" else f for f in functions(HEADER))


def one_frame_for_all() -> tuple[Function, ...]:
    """Return functions of which the FDE of the second describes those behind it too, as QEMU's vDSO for riscv64 has it."""
    sigreturn, first, *others = functions(HEADER)
    bare = [replace(f, cfi="", align=2) for f in others]
    return (sigreturn, replace(first, cfi="zR", more=sum(f.size for f in bare)), *bare)


@pytest.mark.parametrize(
    "image",
    [
        ours(),
        ours(-0x1000, -0x1000),
        ours(0, HEADER),
        ours(0x2000, 0x2000, load_size=0x1400),
        ours(eh_frame=False),
        ours(target=HEADER, functions=(*functions(HEADER), thunk("__vdso_time", "__vdso_clock_gettime"))),
        foreign(),
        foreign(undefined="riscv_isa_ext_keys"),
        foreign(functions=one_frame_for_all()),
        foreign(functions=framed("rt_sigreturn", gap=2, lead=2)),
        foreign(functions=framed("rt_sigreturn", short=2)),
        foreign(functions=framed("getcpu", more=2)),
        foreign(functions=(*functions(HEADER), raw("unused", RET, export=False, cfi="zR"))),
    ],
    ids=[
        "after",
        "before",
        "none",
        "two pages",
        "no unwind information",
        "a thunk",
        "foreign",
        "a harmless undefined",
        "one FDE for functions without frames",
        "an FDE that begins a nop before rt_sigreturn",
        "a symbol that is too short",
        "an FDE over padding",
        "an FDE of a function that nobody calls",
    ],
)
def test_a_good_image_has_no_finding(image: bytes) -> None:
    report = check(image)
    assert texts(report) == []
    assert report.rules == len(ALL_RULES)
    assert report.content == CONSUMERS


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: f"{s.rule}: {s.text}")
def test_a_sabotage_breaks_one_rule_and_only_it(sabotage: Sabotage) -> None:
    report = check(sabotage.image())
    assert report.broken == (sabotage.rule,), texts(report)
    for what in texts(report):
        assert sabotage.text in what
        assert "\n" not in what


def test_every_rule_has_a_sabotage() -> None:
    assert {sabotage.rule for sabotage in SABOTAGES} == ALL_RULES


@pytest.mark.parametrize(("consumer", "clause", "rules"), CLAUSES, ids=lambda value: str(value)[:40])
def test_every_clause_is_a_rule_that_names_its_consumer(consumer: str, clause: str, rules: tuple[str, ...]) -> None:
    assert rules, clause
    for name in rules:
        speaks_for = RULES[name].consumers
        assert consumer in (*speaks_for, "together") or "every program" in speaks_for, f"{clause}: {name}"


def test_every_consumer_has_clauses_and_every_rule_says_its_source() -> None:
    assert {*CONSUMERS} - {"every program", "the kernel", "binutils"} == {c for c, _clause, _rules in CLAUSES} - {"together"}
    for rule in RULES.values():
        assert len((rule.check.__doc__ or "").split(". ")) > 1 or "\n\n" in (rule.check.__doc__ or ""), rule.name


def test_a_finding_names_every_consumer_that_it_harms() -> None:
    patch = Patch(ours())
    patch.retag(elf64.DT_HASH)
    report = verify(patch.image, replace(RISCV64, musl_knew_hash=True))
    assert texts(report) == [
        f"musl up to 1.2.5 finds nothing: {NO_HASH}",
        f"{SELFTESTS} up to Linux 6.12 find nothing: {NO_HASH}",
    ]
    assert "glibc" in report.content
    assert "musl" not in report.content


def test_a_function_without_a_type_harms_who_asks_for_one_and_calls_it() -> None:
    """Not Go, which takes it; and nobody calls rt_sigreturn, which has no type in Linux's own vDSO for aarch64."""

    def without_type(image: bytes, name: str) -> list[str]:
        patch = Patch(image)
        patch.symbol(RISCV64.export(name), info=elf64.STB_GLOBAL << 4 | elf64.STT_NOTYPE)
        return texts(check(patch.image))

    said = f"{SELFTESTS} miss a function: __vdso_%s is STT_NOTYPE, not STT_FUNC"
    assert without_type(foreign(), "clock_gettime") == [said % "clock_gettime"]
    assert without_type(foreign(), "rt_sigreturn") == []
    assert without_type(ours(), "rt_sigreturn") == [said % "rt_sigreturn"]


def test_a_consumer_is_named_only_where_it_does_that_on_the_architecture() -> None:
    """On riscv64 musl has a clock in the vDSO from the release on that is content with DT_GNU_HASH."""
    patch = Patch(ours())
    patch.retag(elf64.DT_HASH)
    report = check(patch.image)
    assert texts(report) == [f"{SELFTESTS} up to Linux 6.12 find nothing: {NO_HASH}"]
    assert "musl" in report.content


def test_all_violations_are_listed_at_once() -> None:
    patch = Patch(ours())
    patch.retag(elf64.DT_HASH)
    patch.header(ehsize=0)
    patch.symbol("__vdso_gettimeofday", size=0)
    assert {*check(patch.image).broken} == {"dt-hash", "e-ehsize", "symbol-inside"}


@pytest.mark.parametrize(
    ("target", "beside", "broken"),
    [
        (0x2FF8, Beside(0, 2), ()),
        (0x2FF8, Beside(0, 1), ("code-inside",)),
        (0x2FF8, Beside(4, 0), ("code-inside",)),
        (-0x4000, Beside(4, 0), ()),
        (-0x4008, Beside(4, 0), ("code-inside",)),
        (-0x8, Beside(1, 3), ()),
        (0x800000, Beside(64, 64), ("code-inside",)),
    ],
)
def test_where_pages_of_the_kernel_lie_can_be_told(target: int, beside: Beside, broken: tuple[str, ...]) -> None:
    assert verify(foreign(functions=functions(target)), RISCV64, beside).broken == broken


def test_what_is_told_goes_before_our_note() -> None:
    assert verify(ours(), RISCV64, Beside(0, 0)).broken == ("code-inside",)
    assert verify(ours(), RISCV64, Beside(0, 1)).broken == ()


@pytest.mark.parametrize("count", [1, 2, MOST_LISTED, MOST_LISTED + 1, MOST_LISTED + 3])
def test_addresses_are_listed_in_the_order_of_the_code_that_forms_them(count: int) -> None:
    """Each stands there once, and of those behind the first few only their number."""
    targets = [0x40000 + 0x1000 * (5 * number % 8) for number in range(count)]  # not in their own order
    places: list[int] = []

    def code(address: int, _all: Mapping[str, int]) -> bytes:
        places[:] = [address + 8 * number for number in range(count + 1)]
        reads = zip(places, [*targets, targets[0]], strict=True)
        return b"".join(snippets.read(place, target) for place, target in reads) + snippets.call(169) + RET

    made = Function("__vdso_gettimeofday", 8 * (count + 1) + 10, code)
    image = foreign(functions=tuple(made if f.name == made.name else f for f in functions(HEADER)))
    (what,) = texts(check(image))
    listed = [f"{target:#x} at 0x{place + 4:x}" for place, target in zip(places, targets, strict=False)]
    more = f" and {count - MOST_LISTED} more" if count > MOST_LISTED else ""
    assert f" forms {', '.join(listed[:MOST_LISTED])}{more} (image 0x0 to" in what


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        (-16 * PAGE, "kernel-pages"),
        (-16 * PAGE - 8, "code-inside"),
        (17 * PAGE - 8, "kernel-pages"),
        (17 * PAGE, "code-inside"),
    ],
)
def test_pages_of_a_kernel_are_near(target: int, rule: str) -> None:
    """Of an image without our note, sixteen pages on each side of its one may be the kernel's."""
    assert check(foreign(functions=functions(target))).broken == (rule,)


def test_a_frame_that_changes_inside_of_a_function_is_its_own_affair() -> None:
    """Exports before and behind what the FDE describes have another one, or none."""
    patch = Patch(ours())
    at = fde(patch, 1)
    patch.data[at + 17 : at + 20] = FRAME_IN_THE_MIDDLE
    start = at + 8 + patch.get(at + 8, "<i")
    places = [symbol.value for symbol in read_vdso("ours.so", patch.image, RISCV64).exports.values()]
    assert min(places) < start < max(places)
    assert check(patch.image).broken == ()


def test_pages_that_are_needed_are_one_finding_and_then_one_line() -> None:
    image = foreign(functions=functions(-0x4000))
    (what,) = texts(check(image))
    assert what.endswith("beside the image: -0x4000 to -0x3000; DATA=before:4 says that it does")
    report = verify(image, RISCV64, Beside(4, 0))
    assert report.needs == "-0x4000 to -0x3000"
    assert "  it reads pages of the kernel at -0x4000 to -0x3000\n" in report_text(report, "their.so")
    assert check(ours()).needs == ""


def test_a_section_table_on_a_page_of_data_is_none() -> None:
    """As llvm-strip leaves an image whose load takes all of its pages."""
    patch = Patch(foreign(load_size=0x1000))
    start, size = patch.ehdr.shoff, patch.ehdr.shnum * elf64.SHDR.size
    assert start >= 0x1000
    assert check(patch.image).broken == ()
    (llvm, bionic, *_others) = texts(verify(patch.image, RISCV64, Beside(0, 1)))
    assert llvm.startswith("LLVM libc finds nothing: ")
    assert bionic.endswith(f"section table from {start:#x} to {start + size:#x}, the pages of the image end at 0x1000")


def test_a_weak_export_of_others_is_no_finding() -> None:
    patch = Patch(foreign())
    patch.symbol("__vdso_getcpu", info=elf64.STB_WEAK << 4 | elf64.STT_FUNC)
    assert texts(check(patch.image)) == []


def test_text_of_a_report() -> None:
    patch = Patch(foreign())
    patch.retag(elf64.DT_HASH)
    patch.put(7, "B", 9)
    text = report_text(check(patch.image), "their.so")
    others = ", ".join(consumer for consumer in CONSUMERS if consumer not in ("rustix", SELFTESTS))
    assert text == (
        "their.so\n"
        "  rustix\n    rustix refuses the image: EI_OSABI is 0x9, neither SYSV (0x0) nor GNU (0x3)\n"
        f"  {SELFTESTS}\n    {SELFTESTS} up to Linux 6.12 find nothing: {NO_HASH}\n"
        f"  nothing else found for {others}\n"
        f"{len(ALL_RULES)} rules run, 2 findings from 2 rules: ei-osabi, dt-hash\n"
    )


def test_text_of_one_finding() -> None:
    text = report_text(check(b"hello"), "README.md")
    assert text.splitlines()[-1].endswith("rules run, 1 finding from 1 rule: readable")


def test_text_of_a_good_report() -> None:
    text = report_text(check(ours()), "vdso.so")
    assert text == f"vdso.so\n  nothing found for {', '.join(CONSUMERS)}\n{len(ALL_RULES)} rules run, 0 findings\n"


@pytest.mark.parametrize("path", [path for path in bases() if path.name in BASES], ids=lambda path: path.name)
def test_a_base_is_told_which_pages_it_needs_and_what_it_breaks(path: Path) -> None:
    """Where its pages are there, a Linux from 5.10 on breaks no more than it does on Linux itself."""
    report = check(path.read_bytes())
    assert {*report.broken} == {"kernel-pages"} | BASES[path.name]
    (pages,) = (finding.what for finding in report.findings if finding.rule == "kernel-pages")
    beside = pages_beside(pages.partition("DATA=")[2].partition(" ")[0])
    assert beside is not None
    told = verify(path.read_bytes(), RISCV64, Beside(*beside))
    assert {*told.broken} == BASES[path.name]
    assert told.needs


@pytest.mark.parametrize("path", [path for path in bases() if not path.name.startswith("riscv64")], ids=lambda path: path.name)
def test_a_base_for_another_machine_gets_one_finding(path: Path) -> None:
    report = verify(path.read_bytes(), RISCV64, name=path.name)
    assert report.broken == ("architecture",)
    (finding,) = report.findings
    assert finding.what.startswith(f"{path.name} is {32 if 'compat' in path.name else 64}-bit little-endian ELF for ")


@pytest.mark.parametrize("image", [b"", b"\x7fELF", b"not ELF at all" * 9, bytes(0x1000)])
def test_garbage_is_one_finding(image: bytes) -> None:
    report = verify(image, RISCV64, name="x.bin")
    assert report.broken == ("readable",)
    assert texts(report)[0].startswith("x.bin is not readable as ELF: ")


GOOD = (ours(), foreign(), foreign(replace(Spec(), hashes=("gnu",), sections=False)))
WORDS = (0, 1, 2, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@settings(max_examples=200, deadline=None, database=None)
@given(st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 0x800), st.integers(1, 255)), min_size=1, max_size=8))
def test_random_bytes_never_raise(image: bytes, flips: list[tuple[int, int]]) -> None:
    data = bytearray(image)
    for at, flip in flips:
        data[at % len(data)] ^= flip
    assert all("\n" not in what for what in texts(check(bytes(data))))


@settings(max_examples=200, deadline=None, database=None)
@given(st.sampled_from(GOOD), st.integers(0, 0x200), st.sampled_from(WORDS))
def test_extreme_words_never_raise(image: bytes, index: int, word: int) -> None:
    patch = Patch(image)
    patch.put(4 * index, "<I", word)
    assert check(patch.image).rules > 0


@pytest.mark.parametrize("image", GOOD, ids=["ours", "foreign", "bare"])
def test_a_truncated_image_is_a_finding(image: bytes) -> None:
    for size in range(0, len(image), 61):
        assert check(image[:size]).findings, hex(size)


@pytest.mark.parametrize(
    ("harms", "words"),
    [((), "The image is."), (((EVERY, "fails"), ("nobody", "fails")), "The image is."), (((EVERY, "fails"),), "")],
    ids=["no consumer", "an unknown one", "no demand in words"],
)
def test_a_rule_says_what_it_demands_and_for_whom(harms: tuple[tuple[str, str], ...], words: str) -> None:
    def check(_subject: Any) -> Iterator[str]:
        yield ""

    check.__doc__ = words
    with pytest.raises(AssertionError, match="new"):
        registry.rule("new", *harms)(check)
    assert "new" not in RULES

# SPDX-License-Identifier: MIT
"""What becomes of each export, by the architecture's table, by POLICY, and by what its code proves."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from arch.riscv64.snippets import NOP, RET
from elf_builder import FUNCTIONS, PREFIX, Function, Spec, assemble, raw, reader
from elf_builder import build as build_base
from image_builder import Patch
from spliced import plain_code, spliced, with_functions
from stub_build import compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.errors import VdsoError
from vdso.image.analysis import analyse
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso
from vdso.policy.base_check import refuse_base
from vdso.policy.decide import Decision, decide, intended, parse_policy, unsafe
from vdso.verify import verify

CLOCK = PREFIX + "clock_gettime"
READ_SSCRATCH = bytes.fromhex("73250014") + RET
LOAD_0X100 = bytes.fromhex("03350010") + RET
OURS = {PREFIX + name: f"{name}.c" for name in ("clock_gettime", "gettimeofday", "clock_getres")}
USUAL = {
    "rt_sigreturn": "keep",
    "clock_gettime": "replace",
    "gettimeofday": "replace",
    "clock_getres": "replace",
    "getcpu": "keep",
    "flush_icache": "keep",
    "riscv_hwprobe": "syscall",
}
"""The design's policy for each export of `FUNCTIONS`."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


def base(*functions: Function) -> Vdso:
    """Return the usual base with these functions, in place of those of the same name or added."""
    return read_vdso("base.so", build_base(with_functions(*functions)), RISCV64)


def policies(vdso: Vdso, overrides: dict[str, str] | None = None) -> dict[str, str]:
    return {RISCV64.short(name): kind for name, kind in intended(vdso, overrides or {}, OURS).items()}


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("", {}),
        ("getcpu:hide", {"getcpu": "hide"}),
        ("getcpu:hide,riscv_hwprobe:syscall", {"getcpu": "hide", "riscv_hwprobe": "syscall"}),
        (" getcpu : keep , , flush_icache:replace,", {"getcpu": "keep", "flush_icache": "replace"}),
        (f"{PREFIX}getcpu:hide", {"getcpu": "hide"}),
    ],
)
def test_policy_is_read_as_pairs(text: str, table: dict[str, str]) -> None:
    assert parse_policy(text, RISCV64) == table


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("getcpu", "`getcpu` is not EXPORT:KIND; KIND is one of replace, syscall, keep, hide"),
        ("getcpu:", "`getcpu:` is not EXPORT:KIND"),
        ("getcpu:gone", "`getcpu:gone` is not EXPORT:KIND"),
        ("keep", "`keep` is not EXPORT:KIND"),
        ("getcpu:add", "`getcpu:add` is not EXPORT:KIND"),
        ("getcpu:hide:keep", "`getcpu:hide:keep` is not EXPORT:KIND"),
        ("getcpu:hide,getcpu:keep", "`getcpu` stands in it twice; leave one of them out"),
        (f"getcpu:hide,{PREFIX}getcpu:hide", "`getcpu` stands in it twice"),
    ],
)
def test_policy_that_is_no_list_of_pairs_is_refused(text: str, what: str) -> None:
    with pytest.raises(VdsoError, match="^POLICY: " + re.escape(what)):
        parse_policy(text, RISCV64)


def test_exports_of_linux_have_the_policy_of_the_table() -> None:
    assert policies(base()) == USUAL
    assert policies(base(plain_code(PREFIX + "getrandom", 100)))["getrandom"] == "hide"


def test_exports_come_in_the_order_of_their_addresses() -> None:
    vdso = read_vdso("base.so", build_base(Spec(functions=FUNCTIONS[::-1])), RISCV64)
    assert list(policies(vdso)) == list(USUAL)[::-1]


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (plain_code(PREFIX + "other", 20), "keep"),
        (reader(PREFIX + "other", 20), "hide"),
        (raw(PREFIX + "other", NOP), "hide"),
        (raw(PREFIX + "other", b"\x00\x80" + RET), "hide"),
        (raw(PREFIX + "other name", NOP + RET), "hide"),
    ],
    ids=[
        "keeps to itself",
        "reads Linux's data",
        "runs into what follows",
        "an unknown instruction",
        "no name for C",
    ],
)
def test_an_export_that_no_table_has_is_kept_if_its_code_proves_safe(function: Function, kind: str) -> None:
    vdso = base(replace(function, gap=2))
    assert policies(vdso)[RISCV64.short(function.name)] == kind


def test_the_users_word_goes_before_the_stub_and_the_stub_before_the_table() -> None:
    assert intended(base(), {}, {**OURS, PREFIX + "getcpu": "mine.c"})[PREFIX + "getcpu"] == "replace"
    assert intended(base(), {"getcpu": "hide"}, {**OURS, PREFIX + "getcpu": "mine.c"})[PREFIX + "getcpu"] == "hide"
    assert policies(base(), {"clock_gettime": "syscall"})["clock_gettime"] == "syscall"


def test_a_word_on_what_is_not_exported_is_refused() -> None:
    what = "POLICY: base.so has no export `getrandom`; it has clock_getres, clock_gettime, flush_icache, getcpu,"
    with pytest.raises(VdsoError, match=re.escape(what)):
        intended(base(), {"getrandom": "hide"}, OURS)


def test_a_decision_names_the_code_that_comes_in() -> None:
    decided = decide(base(), {"flush_icache": "hide"}, OURS)
    kinds = {**USUAL, "flush_icache": "hide"}
    stubs = {"replace": PREFIX + "{}", "syscall": PREFIX + "syscall_{}", "keep": "", "hide": ""}
    assert decided == tuple(Decision(PREFIX + name, kind, stubs[kind].format(name)) for name, kind in kinds.items())


def test_what_the_user_adds_comes_last() -> None:
    added = {PREFIX + "hz": "hz.c", PREFIX + "boot": "boot.c", PREFIX + "getcpu": "cpu.c"}
    decided = decide(base(), {}, {**OURS, **added}, tuple(added))
    assert len(decided) == len(USUAL) + 2
    assert decided[-2:] == tuple(Decision(PREFIX + name, "add", PREFIX + name) for name in ("hz", "boot"))
    assert Decision(PREFIX + "getcpu", "replace", PREFIX + "getcpu") in decided


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("clock_gettime:hide", "`clock_gettime:hide`: programs find no other clock of a vDSO; leave clock_gettime as it is"),
        ("rt_sigreturn:hide", "`rt_sigreturn:hide`: the kernel has signal handlers return to it"),
        (
            "rt_sigreturn:syscall",
            "`rt_sigreturn:syscall`: no plain system call keeps its contract; this works for ",
        ),
        ("getcpu:replace", f"`getcpu:replace`: there is no {PREFIX}getcpu in the stub sources; give one in EXTRA_SRC"),
        ("riscv_hwprobe:keep", "`riscv_hwprobe:keep` is unsafe: its code at 0x"),
        ("two words:keep", "`two words:keep`: vdso.h and vdso.rs can have no such name; take hide for two words"),
        ("two words:syscall", "`two words:syscall`: vdso.h and vdso.rs can have no such name"),
        ("hz:keep", "`hz` is not in the base: hz.c adds it; take __vdso_hz out of there, or out of POLICY"),
    ],
)
def test_a_policy_that_can_not_be_is_refused(override: str, what: str) -> None:
    vdso = base(plain_code(PREFIX + "two words", 20))
    with pytest.raises(VdsoError, match="^POLICY: " + re.escape(what)):
        decide(vdso, parse_policy(override, RISCV64), {**OURS, PREFIX + "hz": "hz.c"}, (PREFIX + "hz",))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (plain_code(CLOCK, 20), ""),
        (reader(CLOCK, 20), "{at[4]:#x} forms the address -0x4000, outside of the image (0 to {size:#x})"),
        (raw(CLOCK, b"\x00\x80"), "{at[0]:#x} can't be followed: an instruction, an address or a jump target is not known"),
        (raw(CLOCK, b"\x02\x85"), "{at[0]:#x} can't be followed: an instruction, an address or a jump target is not known"),
        (
            raw(CLOCK, READ_SSCRATCH),
            "{at[0]:#x} reads a register that only a kernel sets, and another one may set it otherwise",
        ),
        (raw(CLOCK, LOAD_0X100), "{at[0]:#x} forms the absolute address 0x100, outside of the image (0 to {size:#x})"),
    ],
    ids=[
        "nothing",
        "an address outside",
        "an unknown instruction",
        "an unknown jump",
        "state of the kernel",
        "an absolute address",
    ],
)
def test_the_reason_against_keeping_code_names_the_place(function: Function, reason: str) -> None:
    vdso = base(function)
    start = vdso.exports[CLOCK].value
    why = reason.format(at=range(start, start + 20), size=len(vdso.data))
    assert unsafe(vdso, CLOCK) == (f"its code at {why}" if why else "")


def test_data_in_the_image_may_be_read() -> None:
    """But not a byte behind it, though the data page of an image would lie there: a kept function knows nothing of ours."""
    size = len(base(reader(CLOCK, 20)).data)
    for target, safe in ((size - 8, True), (size, False), (0, True), (-8, False)):
        assert (unsafe(base(reader(CLOCK, 20, target)), CLOCK) == "") == safe


def test_overrides_reach_the_image(compiled: list[Path], tmp_path: Path) -> None:
    made = spliced(build_base(Spec()), compiled, tmp_path, overrides="getcpu:syscall,flush_icache:hide")
    policies = {e.short: e.policy for e in made.image.exports}
    assert (policies["getcpu"], policies["flush_icache"]) == ("syscall", "hide")
    getcpu = next(e for e in made.image.exports if e.short == "getcpu")
    assert getcpu.address is not None
    assert analyse(made.image.data, getcpu.address, RISCV64).numbers == {168}
    assert b"flush_icache" not in made.image.data
    assert verify(made.image.data, RISCV64).findings == ()


def only(*names: str) -> Vdso:
    """Return a base that exports rt_sigreturn and these alone."""
    kept = tuple(f for f in FUNCTIONS if RISCV64.short(f.name) in (*names, "rt_sigreturn"))
    return read_vdso("base.so", build_base(Spec(functions=kept)), RISCV64)


ADDED = {name: Decision(PREFIX + name, "add", PREFIX + name) for name in ("clock_gettime", "gettimeofday", "clock_getres")}
GETCPU = Decision(PREFIX + "getcpu", "add", PREFIX + "syscall_getcpu")


@pytest.mark.parametrize(
    ("has", "overrides", "added"),
    [
        (("getcpu", "flush_icache"), {}, [*ADDED.values()]),
        (("clock_gettime", "getcpu"), {}, [ADDED["gettimeofday"], ADDED["clock_getres"]]),
        (("clock_gettime", "gettimeofday", "clock_getres"), {}, [GETCPU]),
        ((), {}, [*ADDED.values(), GETCPU]),
        ((), {"clock_getres": "hide", "getcpu": "hide"}, [ADDED["clock_gettime"], ADDED["gettimeofday"]]),
        (
            ("getcpu",),
            {"clock_getres": "syscall"},
            [
                ADDED["clock_gettime"],
                ADDED["gettimeofday"],
                replace(ADDED["clock_getres"], stub=PREFIX + "syscall_clock_getres"),
            ],
        ),
    ],
)
def test_what_programs_look_for_is_added_where_the_base_lacks_it(
    has: tuple[str, ...], overrides: dict[str, str], added: list[Decision]
) -> None:
    """As in Linux 5.4.286, whose vDSO has no clock."""
    vdso = only(*has)
    decided = decide(vdso, overrides, OURS)
    assert [d for d in decided if d.policy == "add"] == added
    assert [d.export for d in decided][: len(vdso.exports)] == list(vdso.exports)


def test_a_function_of_the_user_goes_before_what_would_be_added() -> None:
    mine = PREFIX + "getcpu"
    decided = decide(only("clock_gettime"), {}, {**OURS, mine: "mine.c"}, [mine])
    assert [d for d in decided if d.export == mine] == [Decision(mine, "add", mine)]


def test_a_base_without_a_clock_gets_one(compiled: list[Path], tmp_path: Path) -> None:
    made = spliced(build_base(Spec(functions=FUNCTIONS[:1])), compiled, tmp_path)
    assert {e.short: e.policy for e in made.image.visible} == {
        "rt_sigreturn": "keep", "clock_gettime": "add", "gettimeofday": "add", "clock_getres": "add", "getcpu": "add",
    }  # fmt: skip
    assert verify(made.image.data, RISCV64).findings == ()


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"clock_gettime": "hide"}, "`clock_gettime:hide`: programs find no other clock of a vDSO; leave clock_gettime out of"),
        ({"getcpu": "keep"}, "base.so has no export `getcpu`"),
        ({"flush_icache": "syscall"}, "base.so has no export `flush_icache`"),
    ],
)
def test_what_can_not_become_of_an_export_that_is_not_there_is_said(overrides: dict[str, str], what: str) -> None:
    with pytest.raises(VdsoError, match="^POLICY: " + re.escape(what)):
        decide(only(), overrides, OURS)


def test_a_hidden_getcpu_is_the_users_word_and_is_said(compiled: list[Path], tmp_path: Path) -> None:
    """rustix ends programs for lack of it, so `check` finds it, and the summary warns."""
    image = spliced(build_base(Spec()), compiled, tmp_path, overrides="getcpu:hide").image
    report = verify(image.data, RISCV64)
    assert [finding.what for finding in report.findings] == [
        "rustix ends every program that uses its threads: no __vdso_getcpu"
    ]
    assert (image.rules, image.asserted_and_gone) == (report.rules - 1, ["getcpu"])
    usual = spliced(build_base(Spec()), compiled, tmp_path).image
    assert (usual.rules, usual.asserted_and_gone) == (report.rules, [])


@pytest.mark.parametrize("offset", [0, 0x40, -8])
def test_code_that_writes_to_the_image_is_not_kept(offset: int) -> None:
    """The load of a base may be writable, as QEMU's is; that of an image is not."""
    vdso = base(Function(CPU_NAME, 12, lambda address, _all: store_at(offset, address)))
    assert "writes to" in unsafe(vdso, CPU_NAME) or "outside of the image" in unsafe(vdso, CPU_NAME)
    assert ("writes to" in unsafe(vdso, CPU_NAME)) == (offset >= 0)


CPU_NAME = PREFIX + "getcpu"


def waiting(word: int | None, *functions: Function) -> Vdso:
    """Return a base with a relocation of .rodata's first word, or of `word`."""
    made = assemble(replace(with_functions(*functions), relocations=1))
    patch = Patch(made.data)
    if word is not None:
        patch.put(patch.value(elf64.DT_RELA), "<Q", word)
    return read_vdso("base.so", patch.image, RISCV64)


def read_only_data(relocations: int, function: Function) -> int:
    return assemble(replace(with_functions(function), relocations=relocations)).sections[".rodata"][0]


@pytest.mark.parametrize("beyond", [0, 7, -8])
def test_code_that_reads_beside_a_word_with_a_relocation_is_not_kept(beyond: int) -> None:
    """Linux 6.1 without jump labels has such a word, which its clock reads; whoever keeps the clock keeps a crash."""
    at = read_only_data(1, reader(CPU_NAME, 12)) + beyond
    reads = reader(CPU_NAME, 12, at)
    assert f"reads beside {at - beyond:#x}, which waits for a relocation that nobody makes" in unsafe(
        waiting(None, reads), CPU_NAME
    )
    assert unsafe(base(reader(CPU_NAME, 12, read_only_data(0, reader(CPU_NAME, 12)))), CPU_NAME) == ""


def test_code_that_reads_nothing_is_kept_beside_relocations() -> None:
    assert unsafe(waiting(None, plain_code(CPU_NAME, 12)), CPU_NAME) == ""


@pytest.mark.parametrize("offset", [0, 4, -4])
def test_code_that_is_to_be_relocated_itself_is_not_kept(offset: int) -> None:
    at = waiting(None, plain_code(CPU_NAME, 12)).exports[CPU_NAME].value + offset
    assert f"its code at {at:#x} waits for a relocation" in unsafe(waiting(at, plain_code(CPU_NAME, 12)), CPU_NAME)


def test_second_names_of_exports_follow_them_in_silence(compiled: list[Path], tmp_path: Path) -> None:
    """One decision for both: replaced, a system call, kept, and gone."""
    names = [PREFIX + short for short in ("clock_gettime", "getcpu", "flush_icache", "riscv_hwprobe")]
    made = spliced(build_base(Spec(aliases=tuple(names))), compiled, tmp_path, overrides="flush_icache:hide")
    assert {d.export for d in made.plan.decisions} == set(made.base.exports)
    assert {RISCV64.short(name) for name in names} == set(made.base.aliases)
    symbols = {s.name: s for s in read_vdso("image.so", made.image.data, RISCV64).symbols}
    assert symbols.keys() >= {"clock_gettime", "getcpu", "riscv_hwprobe", *names} - {names[2]}
    assert not symbols.keys() & {"flush_icache", names[2]}
    for name in set(names) - {names[2]}:
        alias, symbol = symbols[RISCV64.short(name)], symbols[name]
        assert (alias.value, alias.size, alias.info) == (symbol.value, symbol.size, symbol.info)
    assert b"flush_icache" not in made.image.data
    assert verify(made.image.data, RISCV64).findings == ()


def test_a_name_without_the_prefix_that_leads_elsewhere_is_no_alias() -> None:
    """It would be the same constant of vdso.h."""
    with pytest.raises(VdsoError, match=f"exports {PREFIX}getcpu and getcpu, for which vdso.h can have no two names"):
        refuse_base(base(plain_code("getcpu", 20)))


def patched(*names: str) -> Vdso:
    """Return the usual base, in which Linux patches the first instruction of these functions at boot."""
    return read_vdso("base.so", build_base(Spec(patched=tuple(PREFIX + name for name in names))), RISCV64)


def test_code_that_is_patched_at_boot_does_no_harm_where_it_goes() -> None:
    """In what is replaced, hidden, or becomes a system call: unpatched it is whole code, and a running Linux has it patched."""
    sites = ("clock_gettime", "gettimeofday", "riscv_hwprobe", "getcpu")
    assert decide(patched(*sites), {"getcpu": "hide"}, OURS) == decide(base(), {"getcpu": "hide"}, OURS)
    assert policies(patched(*sites), {"getcpu": "syscall"})["getcpu"] == "syscall"


@pytest.mark.parametrize(
    ("export", "todo"),
    [("getcpu", "take syscall or hide for getcpu"), ("rt_sigreturn", "take the vDSO of another Linux, or BASE=minimal")],
)
def test_code_that_is_patched_at_boot_is_not_kept(export: str, todo: str) -> None:
    vdso = patched(export)
    at = vdso.exports[PREFIX + export].value
    what = f"POLICY: `{export}:keep` is unsafe: Linux patches its code at {at:#x} at boot, to suit the CPU; {todo}"
    with pytest.raises(VdsoError, match=f"^{re.escape(what)}$"):
        decide(vdso, {}, OURS)


def test_what_no_table_has_is_hidden_where_it_is_patched_at_boot() -> None:
    spec = with_functions(replace(plain_code(PREFIX + "other", 20), gap=2))
    for sites, kind in (((), "keep"), ((PREFIX + "other",), "hide")):
        assert policies(read_vdso("base.so", build_base(replace(spec, patched=sites)), RISCV64))["other"] == kind


def store_at(target: int, address: int) -> bytes:
    """Assemble auipc a5; sd a0, offset(a5); ret; nop."""
    high = (target - address + 0x800) & ~0xFFF
    low = target - address - high
    store = (low >> 5 & 0x7F) << 25 | 10 << 20 | 15 << 15 | 3 << 12 | (low & 31) << 7 | 0x23
    return struct.pack("<II", (high | 15 << 7 | 0x17) & 0xFFFFFFFF, store & 0xFFFFFFFF) + RET + NOP

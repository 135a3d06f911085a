# SPDX-License-Identifier: MIT
"""From a base to an image by the library alone: placements, tables, declared changes, and what tools say of the result."""

from __future__ import annotations

import hashlib
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, bases
from elf_builder import FUNCTIONS, PREFIX, Function, Spec, raw, thunk
from elf_builder import build as build_base
from elftools.elf.elffile import ELFFile
from vdso import base_check, extra, image_reader, inputs, objects, place, policy, splice, stubs, toolchain
from vdso.analysis import analyse, outside
from vdso.arch import RISCV64
from vdso.errors import VdsoError
from vdso.image import Image
from vdso.plan import Plan, from_json
from vdso.verify import verify

CROSS = "riscv64-linux-gnu-"
SOURCES, TEMPLATES = ROOT / "vdso_src", ROOT / "templates"
UNIMP = b"\0\0"
CLOCK = PREFIX + "clock_gettime"
# what 64-bit code of 122 bytes does not fit into
SMALL = 24


def function(name: str, size: int, export: bool = True) -> Function:
    """Code that reads nothing outside: a system call and a return, then nops."""
    return raw(name, bytes.fromhex("9308100773000000") + b"\x01\x00" * ((size - 10) // 2) + b"\x82\x80", export=export)


def with_functions(*made: Function) -> Spec:
    """The base's functions, those of the same name exchanged, others added."""
    named = {f.name: f for f in made}
    return Spec(functions=tuple(named.pop(f.name, f) for f in FUNCTIONS) + tuple(named.values()))


SYNTHETIC = {
    "both": Spec(),
    "gnu only": Spec(hashes=("gnu",)),
    "sysv only": Spec(hashes=("sysv",)),
    "no sections": Spec(sections=False),
    "undefined symbol": Spec(undefined="riscv_isa_ext_keys"),
    "no unwind": Spec(eh_frame=False),
    "symtab": Spec(symtab=True),
    "two pages": Spec(load_size=0x1234),
}
REAL = [path for path in bases("riscv64*.so") if "cfi" not in path.name]
ALL = [*SYNTHETIC, *REAL]


@dataclass(frozen=True)
class Made:
    base: Image
    plan: Plan
    linked: stubs.Linked
    elf: bytes
    result: splice.Spliced


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("objects")
    made = []
    for source in sorted(SOURCES.glob("*.c")):
        made.append(folder / f"stub_{source.stem}.o")
        includes = ["-I", SOURCES, "-I", SOURCES / "riscv64"]
        command = [f"{CROSS}gcc", *toolchain.CCFLAGS, *RISCV64.ccflags, *includes, "-c", source, "-o", made[-1]]
        subprocess.run(command, check=True)
    return made


def pipeline(data: bytes, compiled: list[Path], folder: Path, page: str = "after", overrides: str = "") -> Made:
    base = image_reader.read("base.so", data, RISCV64)
    base_check.refuse(base)
    parts = [objects.read(path.name, path.read_bytes(), path.name, RISCV64) for path in compiled]
    users = extra.exports([part for part in parts if part.name.startswith(inputs.EXTRA)], base.exports)
    defined = {s: part.source for part in parts for s in part.defined}
    decisions = policy.decide(base, policy.parse(overrides), defined, users)
    units = objects.units(parts, [d.stub for d in decisions if d.stub], page)
    plan = place.place(base, decisions, units, page)
    assert from_json(plan.to_json()) == plan
    (folder / "stubs.ld").write_text(stubs.script(plan, TEMPLATES))
    command = [f"{CROSS}ld", *toolchain.LDFLAGS, "-T", folder / "stubs.ld", "-o", folder / "stubs.elf", *compiled]
    subprocess.run(command, check=True)
    elf = (folder / "stubs.elf").read_bytes()
    linked = stubs.read("stubs.elf", elf, plan)
    return Made(base, plan, linked, elf, splice.splice(base, plan, linked))


def given(which: str | Path) -> bytes:
    return which.read_bytes() if isinstance(which, Path) else build_base(SYNTHETIC[which])


@pytest.fixture(
    params=[(b, p) for b in ALL for p in ("after", "before")], ids=lambda p: f"{getattr(p[0], 'name', p[0])}-{p[1]}"
)
def made(request: pytest.FixtureRequest, compiled: list[Path], tmp_path: Path) -> Made:
    which, page = request.param
    return pipeline(given(which), compiled, tmp_path, page)


def test_the_changes_are_declared_to_the_byte(made: Made) -> None:
    new, old = made.result.image, splice.padded(made.base.file, made.plan.size)
    declared = [at for change in made.result.changes for at in range(change.start, change.end)]
    assert declared == sorted(set(declared))
    assert declared == [at for at in range(len(new)) if new[at] != old[at]]
    assert all(change.what for change in made.result.changes)


def test_symbols_and_code_are_those_of_the_linked_stubs(made: Made) -> None:
    elf = ELFFile(io.BytesIO(made.elf))
    linked = {s.name: (s["st_value"], s["st_size"]) for s in elf.get_section_by_name(".symtab").iter_symbols()}
    sections = {s["sh_addr"]: s.data() for s in elf.iter_sections() if s.name.startswith(".vdso.")}
    dynsym = ELFFile(io.BytesIO(made.result.image)).get_section_by_name(".dynsym")
    shown = {s.name: (s["st_value"], s["st_size"]) for s in dynsym.iter_symbols()}
    replaced = [d for d in made.plan.decisions if d.stub]
    assert len(replaced) >= 3
    for decision in replaced:
        assert shown[decision.export] == linked[decision.stub]
        address, size = shown[decision.export]
        code = made.result.image[address : address + size]
        assert any(data[address - at :][:size] == code for at, data in sections.items() if at <= address)
    for decision in made.plan.decisions:
        if decision.policy == "keep":
            symbol = made.base.exports[decision.export]
            kept = slice(symbol.value, symbol.value + symbol.size)
            assert made.result.image[kept] == made.base.data[kept]
            assert shown[decision.export] == (symbol.value, symbol.size)
        if decision.policy == "hide":
            assert decision.export not in shown
            assert decision.export.encode() not in made.result.image


def test_nothing_of_the_replaced_functions_is_left(made: Made) -> None:
    kept = [r for d in made.plan.decisions if d.policy == "keep" for r in place.kept_ranges(made.base, [d])]
    for decision in made.plan.decisions:
        symbol = made.base.exports[decision.export]
        if decision.policy != "keep" and symbol.size >= 16:
            assert made.base.data[symbol.value : symbol.value + 16] not in made.result.image
    low, high = made.plan.text
    used = [*kept, *((u.address, u.address + u.size) for u in made.plan.units)]
    rest = [at for at in range(low, high) if not any(a <= at < b for a, b in used)]
    assert all(made.result.image[at] == 0 for at in rest), "code room that is not used must trap"


def test_tools_take_it_without_a_warning(made: Made, tmp_path: Path) -> None:
    (tmp_path / "vdso.so").write_bytes(made.result.image)
    for tool in (["readelf", "-aW"], ["objdump", "-d"], ["objdump", "-x"]):
        done = subprocess.run([CROSS + tool[0], *tool[1:], tmp_path / "vdso.so"], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "arning" not in done.stdout
        for decision in made.plan.decisions:
            assert (decision.export in done.stdout) == (decision.policy != "hide") or tool == ["objdump", "-x"]


def test_the_verifier_finds_nothing(made: Made) -> None:
    report = verify(made.result.image, RISCV64)
    assert report.findings == ()
    for export in made.result.exports:
        if export.address is not None:
            function = analyse(made.result.image, export.address, RISCV64)
            assert outside(function, made.plan.size, made.plan.data_offset) == ()
            assert function.unknown == ()


def test_the_build_id_is_that_of_the_content(made: Made, compiled: list[Path], tmp_path: Path) -> None:
    new = made.result.image
    ours = image_reader.read("vdso.so", new, RISCV64)
    at = new.index(bytes.fromhex(ours.build_id))
    assert hashlib.sha1(new[:at] + bytes(20) + new[at + 20 :]).hexdigest() == ours.build_id
    assert ours.build_id != made.base.build_id
    other = "before" if made.plan.data_offset > 0 else "after"
    changed = pipeline(made.base.file, compiled, tmp_path, other)
    assert image_reader.read("vdso.so", changed.result.image, RISCV64).build_id != ours.build_id


def test_pages_are_no_more_than_the_base_has(made: Made) -> None:
    assert made.plan.size <= -(-len(made.base.file) // 4096) * 4096
    assert made.plan.data_offset in (made.plan.size, -4096)


# Placement


def how(made: Made, name: str = "clock_gettime") -> str:
    return next(e.placement for e in made.result.exports if e.short == name)


def test_in_its_slot(compiled: list[Path], tmp_path: Path) -> None:
    made = pipeline(build_base(Spec()), compiled, tmp_path)
    export = next(e for e in made.result.exports if e.short == "clock_gettime")
    assert (export.placement, export.address) == ("slot", export.base_address)


def test_in_another_freed_slot(compiled: list[Path], tmp_path: Path) -> None:
    spec = with_functions(function(CLOCK, SMALL), function(PREFIX + "getrandom", 500))
    made = pipeline(build_base(spec), compiled, tmp_path)
    assert how(made) == "freed slot"
    assert how(made, "getrandom") == ""


def test_in_dead_local_code(compiled: list[Path], tmp_path: Path) -> None:
    """As in Linux 6.8: the export is a thunk of 22 bytes, the code a local function that nothing else reaches."""
    small = (function(PREFIX + name, SMALL) for name in ("gettimeofday", "clock_getres", "riscv_hwprobe"))
    spec = with_functions(thunk(CLOCK, "local"), *small, function("local", 600, export=False))
    assert how(pipeline(build_base(spec), compiled, tmp_path)) == "dead code"


def small_functions(*others: Function) -> Spec:
    names = ("clock_gettime", "gettimeofday", "clock_getres", "riscv_hwprobe")
    return with_functions(*(function(PREFIX + name, SMALL) for name in names), *others)


def test_in_the_tail(compiled: list[Path], tmp_path: Path) -> None:
    made = pipeline(build_base(small_functions()), compiled, tmp_path)
    assert how(made) == "tail"
    assert made.plan.size == 4096


def test_in_a_new_page(compiled: list[Path], tmp_path: Path) -> None:
    """A function that is kept fills the page."""
    made = pipeline(build_base(small_functions(function(PREFIX + "getcpu", 2432))), compiled, tmp_path)
    assert len(made.base.data) < 4096
    assert made.plan.size == 8192
    assert "new page" in {e.placement for e in made.result.exports}
    assert verify(made.result.image, RISCV64).findings == ()


def test_no_function_ends_where_rt_sigreturn_starts(made: Made) -> None:
    start = made.base.exports[PREFIX + "rt_sigreturn"].value
    assert all(unit.address + unit.size != start for unit in made.plan.units)
    assert all(fde.end != start for fde in image_reader.read("vdso.so", made.result.image, RISCV64).fdes)


def test_no_room_for_dt_hash_is_said(compiled: list[Path], tmp_path: Path) -> None:
    with pytest.raises(VdsoError, match=r"PT_DYNAMIC at 0x[0-9a-f]+ has 1 DT_NULL, 2 are needed"):
        pipeline(build_base(Spec(hashes=("gnu",), spare=0)), compiled, tmp_path)


# Sabotage


def test_a_byte_that_lief_changed_by_itself_is_found(
    compiled: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = splice.write

    def wrong(prepared: bytes, patches: object) -> bytes:
        written = bytearray(real(prepared, patches))  # type: ignore[arg-type]
        written[0x18] ^= 1
        return bytes(written)

    monkeypatch.setattr(splice, "write", wrong)
    with pytest.raises(AssertionError, match="another byte at 0x18"):
        pipeline(build_base(Spec()), compiled, tmp_path)


def test_a_change_that_no_patch_declares_is_found() -> None:
    with pytest.raises(AssertionError, match="undeclared"):
        splice.declared(b"abcd", b"abXd", [splice.Patch(0, b"ab", "first")])
    with pytest.raises(AssertionError, match="declared twice"):
        splice.declared(b"abcd", b"abXd", [splice.Patch(1, b"bX", "one"), splice.Patch(2, b"X", "two")])


# Policy


def test_overrides(compiled: list[Path], tmp_path: Path) -> None:
    made = pipeline(build_base(Spec()), compiled, tmp_path, overrides="getcpu:syscall,flush_icache:hide")
    policies = {e.short: e.policy for e in made.result.exports}
    assert (policies["getcpu"], policies["flush_icache"]) == ("syscall", "hide")
    getcpu = next(e for e in made.result.exports if e.short == "getcpu")
    assert getcpu.address is not None
    assert analyse(made.result.image, getcpu.address, RISCV64).numbers == {168}
    assert b"flush_icache" not in made.result.image
    assert verify(made.result.image, RISCV64).findings == ()


def test_keep_of_code_that_reads_linux_data_is_refused() -> None:
    base = image_reader.read("base.so", build_base(Spec()), RISCV64)
    with pytest.raises(VdsoError, match=r"`riscv_hwprobe:keep` is unsafe: its code at 0x[0-9a-f]+ forms the address -0x"):
        policy.decide(base, {"riscv_hwprobe": "keep"}, {CLOCK: "a", PREFIX + "gettimeofday": "b", PREFIX + "clock_getres": "c"})

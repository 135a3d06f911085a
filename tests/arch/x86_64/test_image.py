# SPDX-License-Identifier: MIT
"""Images for x86-64, of our own base and of Linux's: all rules hold, and each that is broken there is found."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from arch.x86_64.assembled import assemble
from arch.x86_64.programs import X86
from elftools.elf.elffile import ELFFile
from image_builder import Patch
from scons_build import build, scons
from vdso.arch.arch import HIDE
from vdso.arch.x86_64.facts import X86_64
from vdso.image.analysis import analyse
from vdso.image.reader import read_vdso
from vdso.verify import verify

CLOCK, DAY, TIME = map(X86_64.export, ("clock_gettime", "gettimeofday", "time"))
REAL = X86.linux()


def made(folder: Path, *words: str) -> bytes:
    return (build(folder, "ARCH=x86_64", *words) / "vdso.so").read_bytes()


@pytest.fixture(scope="module")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("minimal"), "BASE=minimal")


def test_nothing_is_found(minimal: bytes) -> None:
    assert verify(minimal, X86_64).findings == ()


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["lea -0x8000(%rip), %rdx"], "code-inside"),
        (["mov 0x8000(%rip), %rdx"], "code-inside"),
        (["cmp %rdx, 0x8000(%rip)"], "code-inside"),
        (["mov $0x1000, %edx", "mov (%rdx), %rdx"], "code-inside"),
        (["mov 0x1000, %rdx"], "code-inside"),
        (["xor %edx, %edx", "mov 8(%rdx), %rdx"], "code-inside"),
        (["lea 0(%rip), %rdx", "mov $0x8000, %ecx", "mov (%rdx,%rcx,8), %rdx"], "code-inside"),
        (["ja .-0x8000"], "code-inside"),
        (["mov $1, %edx", "shl $12, %rdx", "mov (%rdx), %rdx"], "code-known"),
        (["enclu"], "code-known"),
        (["jmp *%rdx"], "code-known"),
        (["call *%rdx"], "code-known"),
        (["rdtscp"], "code-known"),
        (["rdpid %rdx"], "code-known"),
        (["lsl %edx, %edx"], "code-known"),
        (["cpuid"], "code-known"),
        (["wrfsbase %rdx"], "code-registers"),
        (["rdgsbase %rdx"], "code-registers"),
        (["mov %rdx, %rsp"], "code-stack"),
        (["mov (%rdx), %rsp"], "code-stack"),
        (["lea (%rdx,%rcx), %rsp"], "code-stack"),
        (["xchg %rdx, %rsp"], "code-stack"),
        (["and $0x7ffff0, %rsp"], "code-stack"),
        (["or $8, %rsp"], "code-stack"),
        (["and $-65536, %rsp"], "code-stack"),
    ],
    ids=lambda value: "; ".join(value) if isinstance(value, list) else value,
)
def test_code_that_breaks_a_rule_is_found(minimal: bytes, lines: list[str], rule: str) -> None:
    """In gettimeofday, before its system call."""
    patch = Patch(minimal)
    symbol = patch.symbol_of(DAY)
    code = assemble([*lines, "mov $96, %eax", "syscall", "ret"])
    assert len(code) <= symbol.size
    patch.data[symbol.value : symbol.value + len(code)] = code
    assert verify(patch.image, X86_64).broken == (rule,)


def test_functions_that_overlap_or_leave_the_image_are_found(minimal: bytes) -> None:
    patch = Patch(minimal)
    first, second = sorted((CLOCK, DAY), key=lambda name: patch.symbol_of(name).value)  # compilers differ in their order
    patch.symbol(first, size=patch.symbol_of(second).value - patch.symbol_of(first).value + 1)
    assert "symbols-apart" in verify(patch.image, X86_64).broken
    patch = Patch(minimal)
    patch.symbol(DAY, value=0x10000)
    assert "symbol-inside" in verify(patch.image, X86_64).broken


def test_memory_of_a_thread_is_found(minimal: bytes) -> None:
    """It is no memory of the image, and a register that only a kernel sets says where it is."""
    patch = Patch(minimal)
    at = patch.symbol_of(DAY).value
    code = assemble(["mov %fs:0x28, %rdx", "mov $96, %eax", "syscall", "ret"])
    patch.data[at : at + len(code)] = code
    assert {*verify(patch.image, X86_64).broken} == {"code-known", "code-registers"}


@pytest.mark.parametrize(
    "lines",
    [
        ["push %rbp", "mov %rsp, %rbp", "sub $64, %rsp", "mov $96, %eax", "syscall", "leave", "ret"],
        ["push %rbp", "mov %rsp, %rbp", "and $-32, %rsp", "mov $96, %eax", "syscall", "mov %rbp, %rsp", "pop %rbp", "ret"],
        ["push %rbx", "call .+9", "pop %rbx", "jmp .+10", "nop", "mov $96, %eax", "syscall", "ret"],
    ],
    ids="; ".join,
)
def test_code_may_move_the_stack_by_constants(minimal: bytes, lines: list[str]) -> None:
    patch = Patch(minimal)
    at = patch.symbol_of(DAY).value
    code = assemble(lines)
    patch.data[at : at + len(code)] = code
    assert verify(patch.image, X86_64).findings == ()


@pytest.mark.parametrize("name", [CLOCK, DAY, TIME])
def test_a_clock_that_never_asks_the_kernel_is_found(minimal: bytes, name: str) -> None:
    patch = Patch(minimal)
    at = patch.symbol_of(name).value
    code = assemble(["xor %eax, %eax", "ret"])
    patch.data[at : at + len(code)] = code
    assert verify(patch.image, X86_64).broken == ("code-asks-kernel",)


def test_a_system_call_leaves_nothing_in_what_it_destroys(minimal: bytes) -> None:
    """An address in rcx or r11 is gone after it; one in rdx is not."""
    for register, broken in (("rcx", ()), ("r11", ()), ("rdx", ("code-inside",))):
        patch = Patch(minimal)
        at = patch.symbol_of(DAY).value
        code = assemble([f"mov $0x1000, %{register}", "mov $96, %eax", "syscall", f"mov (%{register}), %rax", "ret"])
        patch.data[at : at + len(code)] = code
        assert verify(patch.image, X86_64).broken == broken, register


@pytest.mark.parametrize(
    "words", [(), ("DATA_PAGE=before",), ("DATA_PAGE=none", "TIMEBASE_HZ=4200000000"), ("CROSS_COMPILE=llvm",)], ids=" ".join
)
@pytest.mark.parametrize("name", REAL)
def test_an_image_of_linux(name: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """It is patched at boot in what goes; second names follow their function; there is no more of what is hidden."""
    image = made(tmp_path, f"BASE={X86.vdso(name)}", *words)
    facts = json.loads((tmp_path / "vdso.json").read_text())
    policies = {X86_64.short(export["name"]): export["policy"] for export in facts["exports"]}
    assert policies == dict(X86_64.policy)
    assert len(read_vdso("base.so", X86.vdso(name).read_bytes(), X86_64).patched) >= 7
    assert verify(image, X86_64).findings == ()
    table = ELFFile(io.BytesIO(image)).get_section_by_name(".dynsym")
    places = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
    hidden = {short for short, policy in X86_64.policy.items() if policy == HIDE}
    assert places.keys() - {"", X86_64.version} == {
        name for short in X86_64.policy.keys() - hidden for name in (short, X86_64.export(short))
    }
    assert all(places[short] == places[X86_64.export(short)] for short in X86_64.policy.keys() - hidden)
    assert not [short for short in hidden if short.encode() in image]


@pytest.mark.parametrize("name", REAL)
def test_each_policy_that_can_be_is_made(name: str, tmp_path: Path) -> None:
    words = "clock_getres:syscall,gettimeofday:syscall,time:syscall,getcpu:hide,futex_robust_list64_try_unlock:keep"
    assert verify(made(tmp_path, f"BASE={X86.vdso(name)}", f"POLICY={words}"), X86_64).broken == ("asserted-exports",)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("short", ["getcpu", "sgx_enter_enclave", "getrandom", "time"])
def test_what_is_not_provable_is_not_kept(name: str, short: str, tmp_path: Path) -> None:
    done = scons("ARCH=x86_64", f"BASE={X86.vdso(name)}", f"POLICY={short}:keep", f"OUT={tmp_path}")
    assert done.returncode == 2
    assert f"`{short}:keep` is unsafe" in done.stderr


@pytest.mark.parametrize("name", REAL)
def test_a_base_as_a_running_linux_has_it(name: str, tmp_path: Path) -> None:
    """With `rdtscp` or `lfence; rdtsc` in place of `rdtsc`, and `rdpid` of `lsl`, whole pages of it: the same policy."""
    base = X86.vdso(name)
    vdso = read_vdso("base.so", base.read_bytes(), X86_64)
    for called, counter in (("rdtscp", "rdtscp"), ("lfence", "lfence; rdtsc")):
        data = bytearray(base.read_bytes())
        for place in vdso.patched:
            code = (
                assemble(counter.split("; "))
                if data[place.start : place.start + 2] == b"\x0f\x31"
                else assemble(["rdpid %rax"])
            )
            assert len(code) <= place.size
            data[place.start : place.start + place.size] = code.ljust(place.size, b"\x90")
        dump = tmp_path / f"{called}.dump"
        dump.write_bytes(bytes(data).ljust(-(-len(data) // 4096) * 4096, b"\0"))
        assert verify(made(tmp_path / called, f"BASE={dump}"), X86_64).findings == ()


def test_a_call_leaves_the_stack_as_it_is() -> None:
    code = assemble(["call .+6", "ret", "ret"])
    function = analyse(code.ljust(64, b"\xcc"), 0, X86_64)
    assert function.calls == (6,)
    assert not function.writes
    assert not function.unknown

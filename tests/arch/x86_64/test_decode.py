# SPDX-License-Identifier: MIT
"""What the decoder says of an instruction is what Unicorn does, and what objdump calls it; what it does not know is unknown."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from functools import cache

import pytest
import unicorn
from arch.x86_64.assembled import ACCESSES, COMPUTED, assemble, assemble_each, words
from arch.x86_64.programs import X86
from effect_registers import reads_of, writes_of
from unicorn import x86_const as regs
from vdso.arch.effects import (
    Add,
    Bits,
    Branch,
    Clobber,
    Const,
    Effect,
    Jump,
    KernelState,
    Memory,
    Return,
    SystemCall,
    Trap,
)
from vdso.arch.x86_64.decode import _EFFECTS, _state, decode, text
from vdso.image.reader import read_vdso

CODE, DATA, SIZE = 0x10000, 0x200000, 0x10000
MASK = (1 << 64) - 1
OLD = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp")
NAMES = [*OLD, *(f"r{i}" for i in range(8, 16)), *(f"v{i}" for i in range(4))]
NUMBERS = {name: getattr(regs, f"UC_X86_REG_{name.upper().replace('V', 'XMM')}") for name in NAMES}
INSTRUCTIONS = words(COMPUTED) + words(ACCESSES)
FLAGS = 0xCD5
"""Those of arithmetic, and the direction's, which stays 0."""
READS_FLAGS = re.compile(r"cmov|set|adc|sbb|rc[lr]|lahf|rdtsc|bs[fr]|sh[lr]d")
"""Instructions whose results hang on flags, on the time, or on what they leave undefined."""


def effect_of(line: str, at: int = 0) -> Effect | None:
    code = assemble([line])
    decoded = decode(bytes(at) + code, at)
    assert decoded is None or decoded[0] == len(code)
    return decoded[1] if decoded else None


@dataclass(frozen=True)
class Run:
    """What one instruction did: the registers before and after it, and [start, end) of its accesses."""

    before: dict[str, int]
    after: dict[str, int]
    reads: tuple[tuple[int, int], ...]
    writes: tuple[tuple[int, int], ...]


@cache
def engine() -> unicorn.Uc:
    made = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    made.mem_map(CODE, 0x1000, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
    made.mem_map(DATA, SIZE)
    return made


def run(code: bytes, values: dict[str, int], flags: int) -> Run:
    """Run the one instruction in the middle of a page of code, with these registers."""
    machine, at = engine(), CODE + 0x800
    machine.mem_write(CODE, bytes(range(256)) * 16)
    machine.mem_write(at, code)
    machine.mem_write(DATA, random.Random(9).randbytes(SIZE))
    for name, value in values.items():
        machine.reg_write(NUMBERS[name], value)
    machine.reg_write(regs.UC_X86_REG_EFLAGS, flags | 2)
    reads: list[tuple[int, int]] = []
    writes: list[tuple[int, int]] = []

    def accessed(_engine: unicorn.Uc, access: int, address: int, size: int, _value: int, _data: object) -> None:
        (writes if access == unicorn.UC_MEM_WRITE else reads).append((address, address + size))

    hook = machine.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, accessed)
    machine.emu_start(at, at + len(code), count=8)
    machine.hook_del(hook)
    after = {name: machine.reg_read(number) for name, number in NUMBERS.items()}
    return Run(values, after, tuple(reads), tuple(writes))


def registers(rng: random.Random) -> dict[str, int]:
    values = {name: rng.getrandbits(128 if name.startswith("v") else 64) for name in NUMBERS}
    places = {"rsp": 0x4000, "rbp": 0x6000, "rdi": 0x8000 + 16 * rng.randrange(-64, 64)}
    return values | {name: DATA + at for name, at in places.items()} | {"rsi": rng.randrange(-0x80, 0x80) * 8 & MASK}


@pytest.fixture(scope="module")
def code() -> dict[str, bytes]:
    made = dict(zip(INSTRUCTIONS, assemble_each(INSTRUCTIONS), strict=True))
    assert all(made.values())
    return made


@pytest.mark.parametrize("line", INSTRUCTIONS)
def test_it_does_what_is_said_and_nothing_else(line: str, code: dict[str, bytes]) -> None:
    """Registers that change, what the result depends on, constants, and the bytes that are read and written."""
    decoded = decode(bytes(0x800) + code[line], 0x800)
    assert decoded is not None
    size, effect = decoded
    assert size == len(code[line])
    rng = random.Random(line)
    for _ in range(6):
        values, flags = registers(rng), rng.getrandbits(12) & FLAGS & ~0x400
        if line.startswith("rep "):
            values["rcx"] = rng.randrange(1, 6)
        kept = reads_of(effect) | {"rsp", "rbp", "rdi"}
        others = {name: value if name in kept else registers(rng)[name] for name, value in values.items()}
        one, two = run(code[line], values, flags), run(code[line], others, flags)
        for done in (one, two):
            changed = {name for name in NAMES if done.after[name] != done.before[name]}
            assert changed <= writes_of(effect), changed
            check_value(effect, done)
        if isinstance(effect, Memory):
            check_access(effect, one)
        else:
            assert not one.reads
            assert not one.writes
        if not READS_FLAGS.match(line):
            for name in writes_of(effect) - {"rsp"}:
                assert one.after[name] == two.after[name], f"{name} depends on what is not named"


def test_every_sort_is_tried(code: dict[str, bytes]) -> None:
    """Each name of the table is that of an instruction above, or of those below; conditions stand for each other."""
    seen = {
        re.sub("^(lock|rep) ", "", line).split()[0] for octets in code.values() for _, _, line in text(octets, 0, len(octets))
    }
    conditions = {name for name in _EFFECTS if re.match("cmov|set|j", name)}
    elsewhere = {"call", "ret", "syscall", "int3", "ud2", "hlt", "rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"}
    kernels = {name for name, make in _EFFECTS.items() if make is _state}
    assert _EFFECTS.keys() - seen - conditions - elsewhere - kernels == {"div", "idiv", "cmpxchg8b"}


def check_value(effect: Effect, done: Run) -> None:
    match effect:
        case Const(register=register, value=value, relative=relative):
            expected = value + CODE if relative else value
        case Add(register=register, source=source, immediate=immediate):
            expected = done.before[source] + immediate
        case Bits(register=register, source=source, keep=keep, bits=bits):
            expected = done.before[source] & keep | bits
        case Memory(base=base, step=step, into=into) if step:
            register, expected = into or base, done.before[base] + step
        case _:
            return
    assert done.after[register] == expected & MASK


def check_access(effect: Memory, done: Run) -> None:
    """Refuse an access that begins elsewhere than at the address that the effect gives."""
    if effect.target is not None:
        address = CODE + effect.target
    else:
        index = done.before[effect.index] if effect.index else 0
        address = (done.before[effect.base] if effect.base else 0) + (index << effect.shift) + effect.offset & MASK
    touched = done.writes if effect.stores else done.reads
    assert touched, "nothing was accessed"
    assert min(start for start, _ in touched) == address
    assert bool(done.writes) <= effect.stores


def test_where_it_goes_on() -> None:
    table: dict[str, Effect] = {
        "jmp .+64": Jump(0x140),
        "jmp .+0x400": Jump(0x500),
        "call .-64": Jump(0xC0, link=""),
        "ja .+8": Branch(0x108, ()),
        "js .-0x1000": Branch(-0xF00, ()),
        "jrcxz .+8": Branch(0x108, ("rcx",)),
        "jmp *%rcx": Jump(None, base="rcx"),
        "notrack jmp *%rcx": Jump(None, base="rcx"),
        "call *%rax": Jump(None, base="rax", link=""),
        "ret": Return(),
        "rep ret": Return(),
        "syscall": SystemCall(),
        "int3": Trap(),
        "ud2": Trap(),
        "hlt": Trap(),
    }
    assert {line: effect_of(line, 0x100) for line in table} == table


def test_what_is_of_threads_and_of_the_kernel_is_told_apart() -> None:
    assert effect_of("rdfsbase %rax") == Clobber(("rax",), ("fs",))
    assert effect_of("wrgsbase %rax") == Clobber(("gs",), ("rax",))
    assert effect_of("rdtsc") == Clobber(("rax", "rdx"), ())
    for line in (
        "rdtscp", "rdpid %rax", "rdpmc", "cpuid", "xgetbv", "lsl %ecx, %eax", "lar %ecx, %eax", "verr %ax", "sgdt (%rdi)",
        "sidt (%rdi)", "sldt %eax", "str %eax", "smsw %eax", "mov %ds, %eax", "mov %fs:0x28, %rax", "mov %rax, %gs:(%rdi)",
        "cmp %fs:0(%rcx), %rax", "lock addl $1, %gs:(%rdi)", "mov %fs, %eax",
    ):  # fmt: skip
        assert isinstance(effect_of(line), KernelState), line
    assert effect_of("mov %eax, %ds") == KernelState(("ds",), ("rax",))
    loaded = effect_of("mov %fs:0x28, %rax")
    assert isinstance(loaded, KernelState)
    assert (loaded.results, loaded.uses) == (("rax",), ("fs",))


@pytest.mark.parametrize(
    "line",
    [
        "enclu", "int $0x80", "sysenter", "iretq", "ret $8", "lret", "wrmsr", "rdmsr", "wrpkru", "in %dx, %al", "out %al, %dx",
        "clflush (%rdi)", "xlat", "movsb", "rep movsb", "enter $16, $0", "pushfq", "popfq",
        "pop %rsp", "pop (%rdi)", "push (%rdi)",
        "push %ax", "jmp *(%rax)", "call *8(%rax)", "mov (%edi), %rax",
        "mov 8(%eip), %rax", "mov %cs:(%rdi), %rax", "std", "swapgs", "vmcall", "lods %ds:(%rsi), %al",
        "vpaddd %ymm0, %ymm1, %ymm2", "fld1", "loop .", "xbegin .", "lea 8(%eip), %rax", "data16 ret",
        "data16 jmp .+64", "cli",
    ],
)  # fmt: skip
def test_what_is_not_followed_is_unknown(line: str) -> None:
    code = assemble([line])
    assert decode(code, 0) is None


def test_what_is_cut_off_is_unknown() -> None:
    code = assemble(["mov 0x12345678(%rdi,%rsi,8), %rax"])
    assert decode(code, 0) is not None
    for size in range(len(code)):
        assert decode(code[:size], 0) is None
    assert decode(code, len(code)) is None
    assert list(text(code[:-1] + b"\x90", len(code), len(code))) == []
    assert list(text(b"\x06\x90", 0, 2)) == [(0, 1, ".byte 0x06"), (1, 1, "nop")]


def test_filler_traps_wherever_it_is_entered() -> None:
    assert all(decode(b"\xcc" * 9, at) == (1, Trap()) for at in range(9))


@pytest.mark.parametrize("base", ["minimal", *X86.linux()])
def test_every_instruction_of_a_base_is_objdumps(base: str) -> None:
    """All of Linux's code but enclu is known, as long as objdump says, and named as objdump names it."""
    command = ["x86_64-linux-gnu-objdump", "-d", "-M", "intel", "-w", "-j", ".text", str(X86.vdso(base))]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    data = X86.vdso(base).read_bytes()
    found = re.findall(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t?(?:rep |lock |cs |data16 |repz )*(\S*)", shown, re.M)
    code = sum(symbol.size for symbol in read_vdso(base, data, X86.arch).exports.values())
    assert sum(len(bytes.fromhex(octets)) for _, octets, _ in found) >= code
    unknown, differ = set(), set()
    for place, octets, name in found:
        at = int(place, 16)
        decoded = decode(data, at)
        if decoded is None:
            unknown.add(name)
            continue
        [(_, size, line), *_] = text(data, at, at + 15)
        assert size == decoded[0] == len(bytes.fromhex(octets)), place
        ours = re.sub(r"^(rep|lock|repe) ", "", line).split()[0]
        if ours != name:
            differ.add((ours, name))
    assert unknown <= {"enclu"}
    assert differ <= {("stosq", "stos")}

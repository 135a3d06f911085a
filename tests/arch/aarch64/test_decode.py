# SPDX-License-Identifier: MIT
"""What the decoder says of an instruction is what Unicorn does, and what LLVM calls it; what it does not know is unknown."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from functools import cache

import pytest
import unicorn
from arch.aarch64.assembled import ACCESSES, COMPUTED, assemble, words
from arch.aarch64.programs import ARM
from effect_registers import reads_of, writes_of
from unicorn import arm64_const as regs
from vdso.arch.aarch64.decode import decode, text
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
from vdso.image.reader import read_vdso

CODE, DATA, SIZE = 0x10000, 0x200000, 0x10000
MASK = (1 << 64) - 1
NAMES = [*(f"x{i}" for i in range(31)), "sp", *(f"v{i}" for i in range(4))]
NUMBERS = {name: getattr(regs, f"UC_ARM64_REG_{name.upper()}") for name in NAMES}
NUMBERS |= {"tpidr_el0": regs.UC_ARM64_REG_TPIDR_EL0}
INSTRUCTIONS = words(COMPUTED) + words(ACCESSES)


def effect_of(line: str, at: int = 0) -> Effect | None:
    decoded = decode(bytes(at) + assemble([line]), at)
    assert decoded is None or decoded[0] == 4
    return decoded[1] if decoded else None


@dataclass(frozen=True)
class Run:
    """What one instruction did: the registers before and after it, the memory, and [start, end) of its accesses."""

    before: dict[str, int]
    after: dict[str, int]
    memory: bytes
    reads: tuple[tuple[int, int], ...]
    writes: tuple[tuple[int, int], ...]


@cache
def engine() -> unicorn.Uc:
    made = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
    made.ctl_set_cpu_model(regs.UC_CPU_ARM64_MAX)
    made.mem_map(CODE, 0x1000, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
    made.mem_map(DATA, SIZE)
    return made


def run(code: bytes, values: dict[str, int]) -> Run:
    """Run the one instruction in the middle of a page of code, with these registers."""
    machine, at = engine(), CODE + 0x800
    machine.mem_write(CODE, bytes(range(256)) * 16)
    machine.mem_write(at, code)
    machine.mem_write(DATA, random.Random(9).randbytes(SIZE))
    for name, value in values.items():
        machine.reg_write(NUMBERS[name], value)
    reads: list[tuple[int, int]] = []
    writes: list[tuple[int, int]] = []

    def accessed(_engine: unicorn.Uc, access: int, address: int, size: int, _value: int, _data: object) -> None:
        (writes if access == unicorn.UC_MEM_WRITE else reads).append((address, address + size))

    hook = machine.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, accessed)
    machine.emu_start(at, at + 4, count=1)
    machine.hook_del(hook)
    after = {name: machine.reg_read(number) for name, number in NUMBERS.items()}
    return Run(values, after, bytes(machine.mem_read(DATA, SIZE)), tuple(reads), tuple(writes))


def registers(rng: random.Random) -> dict[str, int]:
    values = {name: rng.getrandbits(128 if name.startswith("v") else 64) for name in NUMBERS}
    return values | {"sp": DATA + 0x8000, "x4": DATA + 0x8000 + 16 * rng.randrange(-64, 64), "x5": rng.randrange(0, 0x200) * 8}


@pytest.fixture(scope="module")
def code() -> dict[str, bytes]:
    made = {}
    whole = assemble(INSTRUCTIONS)
    assert len(whole) == 4 * len(INSTRUCTIONS)
    for index, line in enumerate(INSTRUCTIONS):
        made[line] = whole[4 * index : 4 * index + 4]
    return made


@pytest.mark.parametrize("line", INSTRUCTIONS)
def test_it_does_what_is_said_and_nothing_else(line: str, code: dict[str, bytes]) -> None:
    """Registers that change, what the result depends on, constants, and the bytes that are read and written."""
    decoded = decode(bytes(0x800) + code[line], 0x800)
    assert decoded is not None
    effect = decoded[1]
    rng = random.Random(line)
    for _ in range(4):
        values = registers(rng)
        if "w5" in line:  # of which only the lower half counts
            small = rng.randrange(-0x200 if "sxtw" in line else 0, 0x200) * 8
            values["x5"] = small & 0xFFFFFFFF | rng.getrandbits(32) << 32
        kept = reads_of(effect) | {"x4", "sp"}
        others = {name: value if name in kept else registers(rng)[name] for name, value in values.items()}
        one, two = run(code[line], values), run(code[line], others)
        for done in (one, two):
            changed = {name for name in NAMES if done.after[name] != done.before[name]}
            assert changed <= writes_of(effect), changed
            check_value(effect, done)
        if isinstance(effect, Memory):
            check_access(effect, one, line)
        elif not re.match(r"mrs|cs|c[in]|adc|sbc|ngc|fmov d0|mov v0", line):  # these read flags, or keep a part
            assert all(one.after[name] == two.after[name] for name in writes_of(effect)), "it depends on what is not named"


def check_value(effect: Effect, done: Run) -> None:
    match effect:
        case Const(register=register, value=value, relative=relative):
            expected = value + CODE if relative else value
        case Add(register=register, source=source, immediate=immediate):
            expected = done.before[source] + immediate
        case Bits(register=register, source=source, keep=keep, bits=bits):
            expected = done.before[source] & keep | bits
        case Memory(base=base, step=step) if step:
            register, expected = base, done.before[base] + step
        case _:
            return
    assert done.after[register] == expected & MASK


def check_access(effect: Memory, done: Run, line: str) -> None:
    """Refuse an access that begins elsewhere than at the address that the effect gives."""
    if effect.target is not None:
        address = CODE + effect.target
    else:
        index = done.before[effect.index] if effect.index else 0
        bits = abs(effect.index_bits)
        index &= (1 << bits) - 1
        if effect.index_bits < 0 and index >> bits - 1:
            index -= 1 << bits
        address = done.before[effect.base] + (index << effect.shift) + effect.offset & MASK
    touched = done.writes if effect.stores and not line.startswith("cas") else done.reads
    assert touched, "nothing was accessed"
    assert min(start for start, _ in touched) == address
    assert effect.stores or not done.writes
    assert bool(done.writes) <= effect.stores


def test_where_it_goes_on() -> None:
    table: dict[str, Effect] = {
        "b .+64": Jump(0x140),
        "bl .-64": Jump(0xC0, link="x30"),
        "b.hi .+8": Branch(0x108, ()),
        "cbz x3, .+8": Branch(0x108, ("x3",)),
        "cbnz w3, .-8": Branch(0xF8, ("x3",)),
        "tbz x3, #63, .+16": Branch(0x110, ("x3",)),
        "tbnz w3, #1, .+16": Branch(0x110, ("x3",)),
        "br x3": Jump(None, base="x3"),
        "blr x3": Jump(None, base="x3", link="x30"),
        "ret": Return(),
        "ret x3": Jump(None, base="x3"),
        "retaa": Return(),
        "svc #0": SystemCall(),
        "udf #0": Trap(),
        "brk #1": Trap(),
        "paciasp": Clobber(("x30",), ("x30", "sp")),
    }
    assert {line: effect_of(line, 0x100) for line in table} == table


def test_registers_of_threads_and_of_the_kernel_are_told_apart() -> None:
    assert effect_of("mrs x0, tpidr_el0") == Clobber(("x0",), ("tpidr_el0",))
    assert effect_of("msr tpidr_el0, x0") == Clobber(("tpidr_el0",), ("x0",))
    assert effect_of("mrs x0, cntvct_el0") == Clobber(("x0",), ())
    for line in ("mrs x0, ctr_el0", "mrs x0, cntfrq_el0", "mrs x0, tpidrro_el0", "mrs x0, midr_el1"):
        assert effect_of(line) == KernelState(("x0",), ()), line
    assert effect_of("msr daifset, #2") == KernelState((), ())


@pytest.mark.parametrize(
    "line",
    ["dc zva, x0", "ic ivau, x0", "hvc #0", "smc #0", "eret", "wfi", "tlbi vmalle1", "ld1 {v0.4s}, [x4], x5", "braa x0, x1"],
)
def test_what_is_not_followed_is_unknown(line: str) -> None:
    assert effect_of(line) is None


def test_what_is_no_whole_word_is_unknown() -> None:
    nop = assemble(["nop"])
    assert decode(nop * 2, 4) is not None
    assert decode(nop * 2, 2) is None
    assert decode(nop[:3], 0) is None
    assert decode(nop, 4) is None
    assert list(text(nop + b"\x01\x02", 4, 6)) == [(4, 2, ".word 0x00000201")]


@pytest.mark.parametrize("name", ["minimal", *ARM.linux()])
def test_every_instruction_of_a_base_is_llvms(name: str) -> None:
    """All of Linux's code up to getrandom's vectors is known, and named as LLVM names it but for aliases."""
    base = ARM.vdso(name)
    shown = subprocess.run(
        ["llvm-objdump-19", "-d", "--no-show-raw-insn", str(base)], check=True, capture_output=True, text=True
    ).stdout
    data = base.read_bytes()
    found = re.findall(r"^ *([0-9a-f]+): *\t(\S+)", shown, re.M)
    assert 4 * len(found) >= sum(symbol.size for symbol in read_vdso(name, data, ARM.arch).exports.values())
    unknown, differ = set(), set()
    for place, name in found:
        at = int(place, 16)
        [(_, _, line)] = text(data, at, at + 4)
        if name == "<unknown>":
            continue
        if decode(data, at) is None:
            unknown.add(name)
        ours = line.split()[0]
        if ours != name:
            differ.add((ours, name))
    assert unknown <= {"ld1", "st1", "mrs"}
    assert differ <= {("mov", "movz"), ("hint", "bti")}

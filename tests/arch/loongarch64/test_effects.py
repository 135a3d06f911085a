# SPDX-License-Identifier: MIT
"""What the decoder says of each instruction is what QEMU does: registers and memory that change, and what they depend on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from arch.loongarch64 import words
from arch.loongarch64.executed import ANCHOR, BUFFER, DATA, MIDDLE, After, Case, address_of, contents, place, run
from vdso.arch.effects import Add, Bits, Clobber, Const, Effect, KernelState, Memory
from vdso.arch.loongarch64.decode import INSTRUCTIONS, NAMES, Instruction, decode, text

MANY = 6
PAGE = 4096
MASK = (1 << 64) - 1
EDGES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, MASK)
RAISE = ("asrtle.d", "asrtgt.d")  # where a comparison holds


@dataclass(frozen=True)
class Pair:
    """A case, and one that agrees with it only in the registers that the instruction is said to read."""

    name: str
    effect: Effect
    cases: tuple[Case, Case]
    afters: tuple[After, After]


def reads(effect: Effect) -> tuple[str, ...]:
    match effect:
        case Add(source=source) | Bits(source=source):
            return (source,)
        case Memory(base=base, index=index, uses=uses):
            return (*filter(None, (base, index)), *uses)
        case Clobber(uses=uses) | KernelState(uses=uses):
            return uses
    return ()


def writes(effect: Effect) -> set[str]:
    match effect:
        case Memory(results=registers) | Clobber(results=registers) | KernelState(results=registers):
            return set(registers)
        case Const(register=register) | Add(register=register) | Bits(register=register):
            return {register}
    raise AssertionError(effect)


def possible(instruction: Instruction, effect: Effect) -> bool:
    """Tell whether a program can run it: an access needs a base of its own, an atomic one a result of its own."""
    if instruction.name in RAISE:
        return False
    match effect:
        case Memory(base=base, index=index, results=results, uses=uses):
            atomic = instruction.name.startswith("am")
            return base not in ("zero", index) and not (atomic and {*results} & {base, *uses})
    return isinstance(effect, Const | Add | Bits | Clobber | KernelState)


def found(word: int, address: int) -> tuple[Effect, str]:
    """Return effect and text of `word` at its place in a page, which is address 0."""
    at = address & PAGE - 1
    code = bytes(at) + word.to_bytes(4, "little")
    decoded = decode(code, at)
    assert decoded is not None
    [(_, _, line)] = text(code, at, at + 4)
    return decoded[1], line


def chosen(rng: random.Random) -> Iterator[tuple[Instruction, int]]:
    for instruction in INSTRUCTIONS:
        for word in random.Random(instruction.name).sample(words.of(instruction, rng, 400), 200):
            yield instruction, word


def registers(effect: Effect, rng: random.Random) -> list[int]:
    values = [0] + [rng.choice((rng.getrandbits(64), rng.choice(EDGES))) for _ in range(31)]
    if isinstance(effect, Memory):
        values[NAMES.index(effect.base)] = MIDDLE + 8 * rng.randrange(-1000, 1000)
        if effect.index and effect.index != "zero":
            values[NAMES.index(effect.index)] = 8 * rng.randrange(-1000, 1000) & MASK
    return values


def other(values: Sequence[int], effect: Effect, rng: random.Random) -> list[int]:
    kept = {NAMES.index(name) for name in reads(effect)}
    return [value if number in kept or not number else rng.getrandbits(64) for number, value in enumerate(values)]


@pytest.fixture(scope="module")
def buffer() -> bytes:
    return contents(4)


@pytest.fixture(scope="module")
def pairs(buffer: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    rng = random.Random(3)
    cases: list[Case] = []
    taken: dict[str, int] = {}
    told: list[tuple[str, Effect]] = []
    for instruction, word in chosen(rng):
        effect, line = found(word, place(len(cases)))
        if taken.get(instruction.name, 0) == MANY or "$r21" in line or not possible(instruction, effect):
            continue
        taken[instruction.name] = taken.get(instruction.name, 0) + 1
        values = registers(effect, rng)
        for these in (values, other(values, effect, rng)):
            address = address_of(effect, these) if isinstance(effect, Memory) else 0
            cases.append(Case(word, place(len(cases)), tuple(these), address))
        told += [(instruction.name, found(word, case.at)[0]) for case in cases[-2:]]
    afters = run(cases, buffer, tmp_path_factory.mktemp("executed"))
    assert {name for name, effect in told if isinstance(effect, Const)} >= {"pcalau12i", "lu12i.w"}
    return [Pair(told[i][0], told[i][1], (cases[i], cases[i + 1]), (afters[i], afters[i + 1])) for i in range(0, len(cases), 2)]


def test_every_instruction_that_goes_on_is_run(pairs: list[Pair]) -> None:
    plain = {"addi.d", "ldx.w", "stptr.d", "sc.w", "amadd_db.d", "bstrins.d", "rdtime.d", "cpucfg", "preld", "dbar"}
    ran = {pair.name for pair in pairs}
    assert ran >= plain
    left = {instruction.name for instruction in INSTRUCTIONS} - ran
    branches = {"beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez", "b", "bl", "jirl"}
    assert left == {*RAISE, *branches, "syscall", "break"}


def test_only_what_is_named_changes(pairs: list[Pair]) -> None:
    for pair in pairs:
        for case, after in zip(pair.cases, pair.afters, strict=True):
            changed = {
                NAMES[number] for number in range(32) if number != ANCHOR and after.registers[number] != case.registers[number]
            }
            assert changed <= writes(pair.effect), f"{pair.name} {case.word:#x}"


def test_the_result_depends_on_what_is_read_only(pairs: list[Pair]) -> None:
    for pair in pairs:
        if isinstance(pair.effect, Clobber) and pair.effect.results and not pair.name.startswith("rdtime"):
            number = NAMES.index(*pair.effect.results)
            one, two = (after.registers[number] for after in pair.afters)
            assert one == two, f"{pair.name} {pair.cases[0].word:#x}"


def test_constants_have_their_values(pairs: list[Pair]) -> None:
    for pair in pairs:
        for case, after in zip(pair.cases, pair.afters, strict=True):
            effect, _ = found(case.word, case.at)
            match effect:
                case Const(register=register, value=value, relative=relative):
                    expected = value + (case.at & -PAGE) & MASK if relative else value
                case Add(register=register, source=source, immediate=immediate):
                    expected = case.registers[NAMES.index(source)] + immediate & MASK
                case Bits(register=register, source=source, keep=keep, bits=bits):
                    expected = case.registers[NAMES.index(source)] & keep | bits
                case _:
                    continue
            if register != "zero":
                assert after.registers[NAMES.index(register)] == expected, f"{pair.name} {case.word:#x}"


def test_accesses_are_where_they_are_said_to_be(pairs: list[Pair], buffer: bytes) -> None:
    for pair in pairs:
        if not isinstance(pair.effect, Memory):
            continue
        for case, after in zip(pair.cases, pair.afters, strict=True):
            what = f"{pair.name} {case.word:#x}"
            here = case.address - DATA
            assert 0 <= here < BUFFER, what
            result, source = (next(iter(names), "") for names in (pair.effect.results, pair.effect.uses))
            assert bool(source) == pair.effect.stores
            failed = pair.name.startswith("sc.")  # without a load-linked before it
            if result and result != "zero":
                value = after.registers[NAMES.index(result)]
                assert value & 0xFF == (0 if failed else buffer[here]), what
            if source and not result:
                assert after.memory[0] == case.registers[NAMES.index(source)] & 0xFF, what
            if not source or failed:
                assert after.memory == buffer[here : here + 8], what
            if pair.name.startswith("amswap"):
                assert source
                assert after.memory[0] == case.registers[NAMES.index(source)] & 0xFF, what

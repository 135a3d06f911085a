# SPDX-License-Identifier: MIT
"""What stays of a base: the code of kept functions, the data in the image that it reads, and its unwind information."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arch.riscv64.snippets import NOP
from elf_builder import FUNCTIONS, PREFIX, Function, Spec, raw, reader, sigreturn, system_call, thunk
from elf_builder import build as build_base
from spliced import plain_code, with_functions
from vdso.arch.riscv64.facts import RISCV64
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso
from vdso.place.kept import kept_fdes, kept_spans
from vdso.policy.decide import Decision
from vdso.ranges import Span

CLOCK, CPU, CACHE, SIGRETURN = (PREFIX + name for name in ("clock_gettime", "getcpu", "flush_icache", "rt_sigreturn"))


def read(*functions: Function) -> Vdso:
    return read_vdso("base.so", build_base(Spec(functions=functions)), RISCV64)


def kept(base: Vdso, *names: str) -> tuple[Span, ...]:
    """Return what stays where these exports are kept and all others hidden."""
    return kept_spans(base, [Decision(name, "keep" if name in names else "hide") for name in base.exports])


def local(name: str) -> Function:
    return plain_code(name, 40, export=False)


def test_nothing_stays_of_what_is_replaced_hidden_or_asked_by_system_call() -> None:
    base = read(*FUNCTIONS)
    policies = ("replace", "syscall", "hide", "replace", "hide", "syscall", "replace")
    assert kept_spans(base, [Decision(name, kind) for name, kind in zip(base.exports, policies, strict=True)]) == ()


def test_a_kept_function_stays_to_its_last_byte() -> None:
    """Also bytes that it never runs: what its symbol covers is its own."""
    base = read(sigreturn(), plain_code(CLOCK, 100), raw(CPU, b"\x82\x80" + NOP * 20))
    assert kept(base, CPU) == (base.exports[CPU].span,)
    assert base.exports[CPU].size == 42


def test_neighbours_are_one_span() -> None:
    base = read(system_call(CPU, 168), sigreturn(), plain_code(CLOCK, 100))
    start = base.exports[CPU].value
    assert base.exports[SIGRETURN].value == start + 12
    assert kept(base, CPU, SIGRETURN) == (Span(start, 10), Span(start + 12, 8))
    base = read(plain_code(CPU, 12), sigreturn(), plain_code(CLOCK, 100))
    assert kept(base, CPU, SIGRETURN) == (Span(base.exports[CPU].value, 20),)


def test_local_code_that_a_kept_function_runs_stays_with_it() -> None:
    base = read(sigreturn(), thunk(CPU, "local"), plain_code(CLOCK, 100), local("local"))
    end = base.exports[CLOCK].span.end
    assert kept(base, CPU) == (base.exports[CPU].span, Span(end, 40))
    assert kept(base, SIGRETURN) == (base.exports[SIGRETURN].span,)


@pytest.mark.parametrize("offset", [0, 10, 38])
def test_data_between_functions_that_a_kept_one_reads_stays(offset: int) -> None:
    """All up to the next function or table: nobody knows how long it is."""
    base = read(sigreturn(), plain_code(CLOCK, 100), local("data"), reader(CPU, 20))
    data = Span(base.exports[CLOCK].span.end, 40)
    base = read(sigreturn(), plain_code(CLOCK, 100), local("data"), reader(CPU, 20, data.start + offset))
    assert kept(base, CPU) == (Span(data.start, 60),)
    assert kept(base, SIGRETURN) == (base.exports[SIGRETURN].span,)


def test_a_function_that_jumps_into_another_keeps_that_code_and_no_more() -> None:
    base = read(sigreturn(), thunk(CPU, CLOCK), plain_code(CLOCK, 100), local("after"))
    assert kept(base, CPU) == (Span.between(base.exports[CPU].value, base.exports[CLOCK].span.end),)


def test_unwind_information_stays_with_the_whole_function_that_it_is_for() -> None:
    base = read_vdso("base.so", build_base(with_functions(plain_code(CLOCK, 100))), RISCV64)
    of = {fde.span: fde for fde in base.fdes}
    cpu, cache = base.exports[CPU].span, base.exports[CACHE].span
    assert kept_fdes(base, kept(base, CPU)) == [of[cpu]]
    assert kept_fdes(base, kept(base, CPU, CACHE)) == [of[cpu], of[cache]]
    assert kept_fdes(base, kept(base, CLOCK)) == []
    assert kept_fdes(base, [Span(cpu.start, cpu.size - 1)]) == [replace(of[cpu], size=cpu.size - 1)]


def test_one_fde_for_several_functions_is_cut_to_those_that_stay() -> None:
    """As in QEMU's vDSO for riscv64: it describes all functions, none of which has a frame."""
    cpu, cache = system_call(CPU, 168), replace(system_call(CACHE, 259), cfi="", align=2)
    base = read(sigreturn(), plain_code(CLOCK, 100), replace(cpu, more=cache.size), cache)
    (both,) = (fde for fde in base.fdes if fde.start == base.exports[CPU].value)
    for name in (CPU, CACHE):
        (one,) = kept_fdes(base, kept(base, name))
        assert one == replace(both, start=base.exports[name].value, size=base.exports[name].size)
    assert kept_fdes(base, kept(base, CPU, CACHE)) == [both]


def test_of_rules_that_change_only_the_end_is_cut() -> None:
    cpu, cache = system_call(CPU, 168), replace(system_call(CACHE, 259), cfi="", align=2)
    base = read(sigreturn(), plain_code(CLOCK, 100), replace(cpu, more=cache.size, rules=b"\x44\x0e\x10"), cache)
    (one,) = kept_fdes(base, kept(base, CPU))
    assert one.span == base.exports[CPU].span
    assert kept_fdes(base, kept(base, CACHE)) == []


def test_a_nop_that_leads_into_rt_sigreturn_stays_with_it() -> None:
    base = read(plain_code(CLOCK, 100), replace(sigreturn(), gap=2, lead=2))
    start, (fde,) = base.exports[SIGRETURN].value, base.fdes
    assert fde.span == Span(start - 2, 10)
    assert kept(base, SIGRETURN) == (fde.span,)
    assert kept_fdes(base, kept(base, SIGRETURN)) == [fde]


def test_what_leads_into_a_function_and_is_another_one_does_not_stay() -> None:
    base = read(plain_code(CLOCK, 100), replace(sigreturn(), lead=4))
    assert kept(base, SIGRETURN) == (base.exports[SIGRETURN].span,)


def test_a_symbol_that_is_too_short_cuts_nothing() -> None:
    """ld for Linux 4.15 made the symbol of rt_sigreturn two bytes shorter than its code."""
    base = read(replace(sigreturn(), short=2), plain_code(CLOCK, 100))
    assert base.exports[SIGRETURN].size == 6
    assert kept(base, SIGRETURN) == (Span(base.exports[SIGRETURN].value, 8),)
    assert [fde.size for fde in kept_fdes(base, kept(base, SIGRETURN))] == [8]

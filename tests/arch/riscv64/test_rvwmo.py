# SPDX-License-Identifier: MIT
"""The model itself: classic litmus tests, as machine code, against the verdicts that RVWMO is known to give.

The verdicts are those of herd7 with the RISC-V model of the manual's authors, and of the figures in the manual.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from arch.riscv64.code_trace import Tracer
from arch.riscv64.litmus_of_code import items
from arch.riscv64.rvwmo import Program, Source, order, outcomes
from arch.riscv64.rvwmo_reduce import reduce
from linked_code import DATA, compile_source, link

PLACES = {"s0": DATA, "s1": DATA + 64, "s2": DATA + 128, "s3": DATA + 192}  # x, y, z, w; all 0 at first
NEVER, SOMETIMES = False, True


@dataclass(frozen=True)
class Litmus:
    """harts: the code of each; reads: what their loads return in turn; memory: what x, y, z hold in the end."""

    name: str
    harts: tuple[str, ...]
    reads: tuple[int, ...]
    verdict: bool
    memory: tuple[tuple[str, int], ...] = ()


W_X, W_Y = "li t0,1; sd t0,0(s0)", "li t0,1; sd t0,0(s1)"
R_X, R_Y, R_Z = "ld a0,0(s0)", "ld a1,0(s1)", "ld a2,0(s2)"
RW = "fence rw,rw"
ADDR = "xor t1,{0},{0}; add t2,{1},t1"  # an address that depends on a load only syntactically
DATA_ON = "xor t1,{0},{0}; ori t0,t1,1"
CTRL = "bnez {0},1f; 1:"


def then(*parts: str) -> str:
    return "; ".join(parts)


MP_W = then(W_X, "fence w,w", W_Y)
CLASSICS = [
    Litmus("MP", (then(W_X, W_Y), then(R_Y, R_X)), (1, 0), SOMETIMES),
    Litmus("MP+fence.w.w+po", (MP_W, then(R_Y, R_X)), (1, 0), SOMETIMES),
    Litmus("MP+po+fence.r.r", (then(W_X, W_Y), then(R_Y, "fence r,r", R_X)), (1, 0), SOMETIMES),
    Litmus("MP+fence.w.w+fence.r.r", (MP_W, then(R_Y, "fence r,r", R_X)), (1, 0), NEVER),
    Litmus("MP+fence.w.w+fence.r.w", (MP_W, then(R_Y, "fence r,w", R_X)), (1, 0), SOMETIMES),
    Litmus("MP+fence.w.w+fence.ir.ir", (MP_W, then(R_Y, "fence ir,ir", R_X)), (1, 0), NEVER),
    Litmus("MP+fence.w.w+addr", (MP_W, then(R_Y, ADDR.format("a1", "s0"), "ld a0,0(t2)")), (1, 0), NEVER),
    Litmus("MP+fence.w.w+ctrl", (MP_W, then(R_Y, CTRL.format("a1"), R_X)), (1, 0), SOMETIMES),
    Litmus("MP+amo+fence.r.r", (then(W_X, "fence w,w", "li t0,1; amoswap.d zero,t0,(s1)"), then(R_Y, "fence r,r", R_X)),
           (0, 1, 0), NEVER),
    Litmus("SB", (then(W_X, R_Y), then(W_Y, R_X)), (0, 0), SOMETIMES),
    Litmus("SB+fence.rw.rws", (then(W_X, RW, R_Y), then(W_Y, RW, R_X)), (0, 0), NEVER),
    Litmus("SB+fence.w.rs", (then(W_X, "fence w,r", R_Y), then(W_Y, "fence w,r", R_X)), (0, 0), NEVER),
    Litmus("SB+fence.r.ws", (then(W_X, "fence r,w", R_Y), then(W_Y, "fence r,w", R_X)), (0, 0), SOMETIMES),
    Litmus("SB+rfi-fence.r.rs", (then(W_X, R_X, "fence r,r", R_Y), then(W_Y, R_Y, "fence r,r", R_X)), (1, 0, 1, 0),
           SOMETIMES),
    Litmus("SB+amo-rfi-fence.r.rs", (then("li t0,1; amoswap.d zero,t0,(s0)", R_X, "fence r,r", R_Y),
                                     then("li t0,1; amoswap.d zero,t0,(s1)", R_Y, "fence r,r", R_X)),
           (0, 1, 0, 0, 1, 0), NEVER),
    Litmus("SB+rfi-addrs", (then(W_X, R_X, ADDR.format("a0", "s1"), "ld a1,0(t2)"),
                            then(W_Y, R_Y, ADDR.format("a1", "s0"), "ld a0,0(t2)")), (1, 0, 1, 0), SOMETIMES),
    Litmus("SB+amo-rfi-addrs", (then("li t0,1; amoswap.d zero,t0,(s0)", R_X, ADDR.format("a0", "s1"), "ld a1,0(t2)"),
                                then("li t0,1; amoswap.d zero,t0,(s1)", R_Y, ADDR.format("a1", "s0"), "ld a0,0(t2)")),
           (0, 1, 0, 0, 1, 0), NEVER),
    Litmus("LB", (then(R_X, W_Y), then(R_Y, W_X)), (1, 1), SOMETIMES),
    Litmus("LB+datas", (then(R_X, DATA_ON.format("a0"), "sd t0,0(s1)"), then(R_Y, DATA_ON.format("a1"), "sd t0,0(s0)")),
           (1, 1), NEVER),
    Litmus("LB+ctrls", (then(R_X, CTRL.format("a0"), W_Y), then(R_Y, CTRL.format("a1"), W_X)), (1, 1), NEVER),
    Litmus("LB+addrs", (then(R_X, ADDR.format("a0", "s1"), "li t0,1; sd t0,0(t2)"),
                        then(R_Y, ADDR.format("a1", "s0"), "li t0,1; sd t0,0(t2)")), (1, 1), NEVER),
    Litmus("LB+addr-po+data", (then(R_X, ADDR.format("a0", "s2"), "ld a2,0(t2)", W_Y),
                               then(R_Y, DATA_ON.format("a1"), "sd t0,0(s0)")), (1, 0, 1), NEVER),  # rule 13
    Litmus("CoRR", (W_X, then(R_X, R_X)), (1, 0), NEVER),
    Litmus("CoRW", (then(R_X, W_X), R_X), (1, 1), NEVER),
    Litmus("CoWR", (then(W_X, R_X), "li t0,2; sd t0,0(s0)"), (0,), NEVER),
    Litmus("CoWW", (then(W_X, "li t0,2; sd t0,0(s0)"), R_X), (2,), NEVER, (("s0", 1),)),
    Litmus("2+2W", (then("li t0,2; sd t0,0(s0)", W_Y), then("li t0,2; sd t0,0(s1)", W_X)), (), SOMETIMES,
           (("s0", 2), ("s1", 2))),
    Litmus("2+2W+fence.w.ws", (then("li t0,2; sd t0,0(s0)", "fence w,w", W_Y),
                               then("li t0,2; sd t0,0(s1)", "fence w,w", W_X)), (), NEVER, (("s0", 2), ("s1", 2))),
    Litmus("S+fence.w.w+data", (then("li t0,2; sd t0,0(s0)", "fence w,w", W_Y),
                                then(R_Y, DATA_ON.format("a1"), "sd t0,0(s0)")), (1,), NEVER, (("s0", 2),)),
    Litmus("R+fence.w.w+fence.w.r", (then(W_X, "fence w,w", W_Y), then("li t0,2; sd t0,0(s1)", "fence w,r", R_X)),
           (0,), NEVER, (("s1", 2),)),
    Litmus("R+fence.w.w+po", (then(W_X, "fence w,w", W_Y), then("li t0,2; sd t0,0(s1)", R_X)),
           (0,), SOMETIMES, (("s1", 2),)),
    # multi-copy atomic: harts that see a store see it at the same time
    Litmus("IRIW", (W_X, W_Y, then(R_X, R_Y), then(R_Y, R_X)), (1, 0, 1, 0), SOMETIMES),
    Litmus("IRIW+fence.r.rs", (W_X, W_Y, then(R_X, "fence r,r", R_Y), then(R_Y, "fence r,r", R_X)), (1, 0, 1, 0), NEVER),
    Litmus("WRC+data+addr", (W_X, then(R_X, DATA_ON.format("a0"), "sd t0,0(s1)"),
                             then(R_Y, ADDR.format("a1", "s0"), "ld a0,0(t2)")), (1, 1, 0), NEVER),
    # speculation may forward a store behind a branch (PPOCA), not one that waits for its data (PPOAA, rule 12)
    Litmus("MP+fence.w.w+ctrl-rfi-addr", (MP_W, then(R_Y, CTRL.format("a1"), "li t0,1; sd t0,0(s2)", R_Z,
                                                     ADDR.format("a2", "s0"), "ld a0,0(t2)")), (1, 1, 0), SOMETIMES),
    Litmus("MP+fence.w.w+data-rfi-addr", (MP_W, then(R_Y, DATA_ON.format("a1"), "sd t0,0(s2)", R_Z,
                                                     ADDR.format("a2", "s0"), "ld a0,0(t2)")), (1, 1, 0), NEVER),
    Litmus("MP+fence.w.w+addr-data-rfi-addr", (
        MP_W, then(R_Y, ADDR.format("a1", "s3"), "ld a3,0(t2)", DATA_ON.format("a3"), "sd t0,0(s2)", R_Z,
                   ADDR.format("a2", "s0"), "ld a0,0(t2)"), "li t0,2; sd t0,0(s2)"), (1, 0, 1, 0), NEVER),
    # two loads of one place may pass each other if they return the same store (RSW), else not (RDW)
    Litmus("RSW", (MP_W, then(R_Y, ADDR.format("a1", "s2"), "ld a2,0(t2)", "ld a3,0(s2)", ADDR.format("a3", "s0"),
                              "ld a0,0(t2)")), (1, 0, 0, 0), SOMETIMES),
    Litmus("RDW", (MP_W, then(R_Y, ADDR.format("a1", "s2"), "ld a2,0(t2)", "ld a3,0(s2)", ADDR.format("a3", "s0"),
                              "ld a0,0(t2)"), "li t0,1; sd t0,0(s2)"), (1, 0, 1, 0), NEVER),
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """programs, and for each hart the value of each of its accesses where it stores."""

    programs: list[Program]
    values: list[list[int]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("classics")
    lines = ["\t.text"]
    for number, litmus in enumerate(CLASSICS):
        for hart, code in enumerate(litmus.harts):
            lines += [f"\t.type t{number}_{hart}, @function", f"t{number}_{hart}: {code}; ret"]
    (folder / "classics.S").write_text("\n".join(lines) + "\n")
    linked = link(folder, [compile_source(folder / "classics.S", folder / "classics.o")])
    tracer = Tracer(linked.image, DATA)
    tests = {}
    for number, litmus in enumerate(CLASSICS):
        runs = []
        for hart in range(len(litmus.harts)):
            tracer.page = bytes(4096)
            runs.append(tracer.run(linked.functions[f"t{number}_{hart}"], PLACES).steps)
        programs = [order(items([steps])) for steps in runs]
        tests[litmus.name] = Made(programs, [[step.value for step in steps if step.size] for steps in runs])
    return tests


def seen(litmus: Litmus, made: Made, reads: tuple[tuple[Source, ...], ...], memory: dict[int, Source]) -> bool:
    def value(source: Source) -> int:
        return made.values[source[0]][source[1]] if isinstance(source, tuple) else 0

    accesses = [(a, s) for p, r in zip(made.programs, reads, strict=True) for a, s in zip(p.accesses, r, strict=True)]
    returned = tuple(value(source) for access, source in accesses if access.reads)
    assert len(returned) == len(litmus.reads)
    return returned == litmus.reads and all(value(memory[PLACES[place]]) == v for place, v in litmus.memory)


@pytest.mark.parametrize("litmus", CLASSICS, ids=lambda litmus: litmus.name)
def test_classics(litmus: Litmus, made: dict[str, Made]) -> None:
    test = made[litmus.name]
    found = outcomes(test.programs)
    assert found
    assert any(seen(litmus, test, o.reads, dict(o.memory)) for o in found) == litmus.verdict


@pytest.mark.parametrize("litmus", CLASSICS, ids=lambda litmus: litmus.name)
def test_leaving_out_what_is_private_changes_no_outcome(litmus: Litmus, made: dict[str, Made]) -> None:
    programs = made[litmus.name].programs
    reduced = reduce(programs)
    assert {reduced.whole(o) for o in outcomes(reduced.programs)} == {o.reads for o in outcomes(programs)}

# SPDX-License-Identifier: MIT
"""Each byte of a base and of an image belongs to one region, and what matters more has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from elf_builder import PREFIX, Spec, raw, sigreturn, thunk
from elf_builder import build as build_base
from image_builder import Patch
from spliced import SYNTHETIC, Made, given, plain_code, spliced
from stub_build import compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.elf.elf64 import PAGE
from vdso.image.reader import read_vdso
from vdso.policy.decide import intended
from vdso.show import regions
from vdso.show.regions import Region, of_base, of_image
from vdso.tables import kinds

CPU, CACHE, CLOCK = (PREFIX + name for name in ("getcpu", "flush_icache", "clock_gettime"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


@pytest.fixture(params=SYNTHETIC)
def made(request: pytest.FixtureRequest, compiled: list[Path], tmp_path: Path) -> Made:
    return spliced(given(request.param), compiled, tmp_path, overrides="flush_icache:hide")


def names(found: tuple[Region, ...], kind: str) -> set[str]:
    return {region.name for region in found if region.kind == kind}


def tiles(found: tuple[Region, ...], size: int) -> bool:
    """Tell whether the regions follow each other without a gap, from 0 to `size`."""
    ends = [0, *(region.end for region in found)]
    return [region.start for region in found] == ends[:-1] and ends[-1] == size


def test_regions_tile_the_pages_of_a_base(made: Made) -> None:
    base = made.base
    found = of_base(base, intended(base, {}, ()))
    assert tiles(found, -(-len(base.data) // PAGE) * PAGE)
    assert found[0] == Region(base.headers, "headers", "ELF header, program headers")
    assert names(found, "table") == {name for name, span in base.tables.items() if span.size}
    assert {region.kind for region in found} <= set(regions.KINDS)
    for name, symbol in base.exports.items():
        here = regions.at(found, symbol.value)
        assert here is not None
        assert (here.span, here.name) == (symbol.span, name)
    last = found[-1]
    assert (last.kind, last.name, last.start) == ("rest", "behind the load", len(base.data))


def test_functions_have_the_kind_of_what_becomes_of_them(made: Made) -> None:
    kinds_of = {region.name: region.kind for region in of_base(made.base, intended(made.base, {"flush_icache": "hide"}, ()))}
    expected = {CPU: "keep", CACHE: "hide", CLOCK: "replace"}
    assert {name: kinds_of.get(name) for name in expected} == {
        name: kind if name in made.base.exports else None for name, kind in expected.items()
    }


def test_local_code_that_exports_reach_is_told_from_what_nothing_reaches() -> None:
    functions = (
        sigreturn(),
        thunk(CLOCK, "local"),
        raw("idle", bytes(32), export=False),
        plain_code("local", 64, export=False),
    )
    base = read_vdso("base.so", build_base(Spec(functions=functions)), RISCV64)
    found = of_base(base, intended(base, {}, ()))
    local = regions.at(found, base.exports[CLOCK].span.end + 32)
    idle = regions.at(found, base.exports[CLOCK].span.end + 31)
    assert local is not None
    assert idle is not None
    assert (local.kind, local.name, local.size) == ("code", "local code", 64)
    assert (idle.kind, idle.name) == ("rest", "not reached")


def test_regions_tile_an_image(made: Made) -> None:
    found = of_image(made.base, made.plan, made.image.exports)
    assert tiles(found, made.plan.size)
    for export in made.image.exports:
        if export.span is None:
            assert export.name not in {region.name for region in found}
        else:
            here = regions.at(found, export.span.start)
            assert here is not None
            assert (here.span, here.kind, here.name) == (export.span, export.policy, export.name)
    for area in made.plan.areas:
        shown = regions.at(found, area.span.start)
        assert shown is not None
        assert shown == Region(area.span, "table", ".eh_frame_hdr, .eh_frame" if area.name == kinds.UNWIND else area.name)
    for name in kinds.KEPT:
        assert name in names(found, "table")
    for region in found:
        data = made.image.data[region.start : region.end]
        if region.kind == "trap":
            assert made.plan.text.covers(region.span)
            assert data == bytes(region.size)
        if region.kind == "rest":
            assert (region.name, data) == ("zeros", bytes(region.size))


def test_functions_of_one_place_are_one_region_with_both_names() -> None:
    patch = Patch(build_base(Spec(sections=False)))
    symbols = patch.value(elf64.DT_SYMTAB)
    patch.symbol(CACHE, value=patch.get(symbols + 24 * patch.index(CPU) + 8, "<Q"))
    base = read_vdso("base.so", patch.image, RISCV64)
    place = base.exports[CPU].span
    found = of_base(base, intended(base, {}, ()))
    assert regions.at(found, place.start) == Region(place, "keep", f"{CACHE}, {CPU}")


def test_there_is_no_region_beyond_the_last_byte(made: Made) -> None:
    found = of_image(made.base, made.plan, made.image.exports)
    assert regions.at(found, made.plan.size) is None
    assert regions.at(found, -1) is None
    assert regions.at(found, made.plan.size - 1) == found[-1]

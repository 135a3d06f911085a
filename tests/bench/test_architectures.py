# SPDX-License-Identifier: MIT
"""What a call takes on each architecture, ours beside Linux's own, counted in one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from bases import bases
from exact_clock import UPTIME_CLOCKS
from vdso.arch import ARCHES

from bench.architectures import MEASURED
from bench.calls import CLOCKS, GETRANDOM
from bench.counting import Count, counts
from bench.limits import OTHER_COMPILER
from bench.measured import Measured
from bench.modes import Made, Mode, make
from bench.subject import Subject, ours, theirs

COMPARED = "linux-7.2.13"
MODES = (Mode("after"), Mode("before"), Mode("none", 12_345_678), Mode("none", 5_800_000_000))


@pytest.fixture(scope="module", params=MEASURED.values(), ids=MEASURED)
def measured(request: pytest.FixtureRequest) -> Measured:
    row: Measured = request.param
    return row


def linux(measured: Measured) -> list[Path]:
    return [path for path in bases(f"{measured.arch.name}-linux-*.so") if "cfi" not in path.name]


@pytest.fixture(scope="module")
def blobs(measured: Measured, tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    base = [*linux(measured), "minimal"][0]
    return make(tmp_path_factory.mktemp(measured.arch.name), base, MODES, measured.arch)


def by_call(subject: Subject) -> dict[tuple[str, str], Count]:
    return {(call.export, call.case): count for call, count in counts(subject).items()}


def test_each_architecture_is_measured() -> None:
    assert MEASURED.keys() == ARCHES.keys()


def test_ours_take_what_the_limits_say(measured: Measured, blobs: list[Made]) -> None:
    """Exactly so with the compiler that they are for: what takes less has a new limit."""
    most, more = measured.most, 0 if measured.most.counted_by(blobs[0].facts) else OTHER_COMPILER
    without = []
    for made in blobs:
        found = by_call(ours(made, measured))
        if made.mode.hz is None:
            assert {found["clock_gettime", clock].system_calls for clock in CLOCKS} == {0}
            taken = [found["clock_gettime", clock].instructions for clock in CLOCKS] + [found["gettimeofday", ""].instructions]
        else:
            served = {name for name in CLOCKS if not found["clock_gettime", name].system_calls}
            assert served == {name for name, clock in CLOCKS.items() if clock in UPTIME_CLOCKS}
            without.append(found["clock_gettime", "MONOTONIC"].instructions)
            continue
        limits = [most.clock] * len(CLOCKS) + [most.day]
        assert taken == limits if not more else all((n or 99) <= m + more for n, m in zip(taken, limits, strict=True))
        assert found["clock_gettime", "PROCESS_CPUTIME_ID"].system_calls == 1
        assert found[GETRANDOM.export, ""].instructions is None
    assert max(n or 99 for n in without) <= most.without + more


def test_linux_answers_on_the_page_made_for_it_and_takes_more(measured: Measured, blobs: list[Made]) -> None:
    first = by_call(ours(blobs[0], measured))
    for path in linux(measured):
        subject = theirs(path, measured)
        assert subject is not None
        found = by_call(subject)
        assert {found["clock_gettime", clock].system_calls for clock in CLOCKS} == {0}
        took = found["clock_gettime", "MONOTONIC"].instructions
        assert took == measured.linux or COMPARED not in path.name
        for export, case in (("clock_gettime", "MONOTONIC"), ("gettimeofday", ""), ("clock_getres", "MONOTONIC")):
            assert (first[export, case].instructions or 99) < (found[export, case].instructions or 0), (path.name, export)


def test_linux_of_another_architecture_is_none_to_compare_with(measured: Measured) -> None:
    others = [path for name in ARCHES if name != measured.arch.name for path in linux(MEASURED[name])]
    assert [path.name for path in others if theirs(path, measured) is not None] == []

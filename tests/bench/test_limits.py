# SPDX-License-Identifier: MIT
"""The verdict of a bench: what is missed is marked, and is the status where it is the same on every machine."""

from __future__ import annotations

from typing import Any

import pytest
from native import Native, Turn

from bench import limits
from bench.architectures import MEASURED
from bench.calls import CLOCKS
from bench.measured import Most


def column(gettime: int, day: int = 32) -> dict[str, Any]:
    counts = {"clock_gettime": gettime, "gettimeofday": day}
    cases = [("clock_gettime", clock) for clock in CLOCKS] + [("gettimeofday", ""), ("getcpu", "")]
    return {"calls": [{"export": name, "case": case, "instructions": counts.get(name, 3)} for name, case in cases]}


def times(imports: list[str], idle: float, clean: float) -> dict[str, Any]:
    return {
        "nothing to do": {
            "runs": 15, "empty": 0.1, "build": 0.1 * idle, "ratio": idle, "limit": 1.05, "imports": imports
        },
        "from clean": {"runs": 9, "parts": {}, "whole": 0.4, "build": 0.4 * clean, "ratio": clean, "limit": 1.2},
        "a further variant": {"count": 50, "each": 0.04, "later": 0.044, "limit": 0.12},
    }  # fmt: skip


MOST = Most(clock=30, day=32, without=23, tool=("gcc", " 12."))
CORES = [{"core": "U74", "cycles": {"after": (27.0, 30.0), "none": (22.0, 25.0), "Linux 7.2": (42.0, 46.0)}}]
WIDE = [{"core": "Nanhu", "cycles": {"after": (5.0, 20.0), "Linux 7.2": (8.0, 21.0)}}]


def found(**changed: Any) -> list[limits.Limit]:
    columns = {"after": column(30), "before": column(30), "none 10 MHz": column(21), "none 12.345678 MHz": column(23)}
    more = changed.get("times") or times([], 1.04, 1.1)
    instructions = limits.of_instructions(columns | changed.get("columns", {}), MOST, changed.get("more", 0))
    return instructions + limits.of_cycles(changed.get("cores", CORES)) + limits.of_times(more)


def test_all_hold() -> None:
    held = found()
    assert [str(limit.limit) for limit in held] == ["30", "32", "23", "0.85", "0", "1.05", "1.2", "0.12", "1.2"]
    text = limits.text(held)
    assert "MISSED" not in text
    assert text.endswith("\nbench: the 4 exact limits hold; all others hold\n")
    assert limits.status(held) == 0


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"columns": {"before": column(31)}}, "instructions of clock_gettime"),
        ({"columns": {"after": column(30, day=33)}}, "instructions of gettimeofday"),
        ({"columns": {"none 1 GHz": column(24)}}, "instructions of clock_gettime(MONOTONIC), no page"),
        ({"columns": {"after": column(33)}, "more": limits.OTHER_COMPILER}, "instructions of clock_gettime"),
        ({"times": times(["lief"], 1.0, 1.0)}, "imports of lief by a build with nothing to do"),
    ],
)
def test_an_exact_limit_that_is_missed_is_the_status(changed: dict[str, Any], what: str) -> None:
    held = found(**changed)
    assert [limit.what for limit in held if limit.missed] == [what]
    lines = limits.text(held).splitlines()
    assert [line for line in lines if line.endswith("  MISSED")] == [line for line in lines if line.startswith(f"  {what} ")]
    assert lines[-1] == f"bench: missed, and the status is 1: {what}; all others hold"
    assert limits.status(held) == 1


def test_another_compiler_may_take_two_more() -> None:
    assert limits.status(found(columns={"after": column(32, day=34), "none 1 GHz": column(25)}, more=2)) == 0
    assert limits.OTHER_COMPILER == 2


@pytest.mark.parametrize(
    ("arch", "tool", "version"),
    [
        ("riscv64", "gcc", "riscv64-linux-gnu-gcc (Debian 12.2.0-13) 12.2.0"),
        ("aarch64", "gcc", "aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0"),
        ("loongarch64", "clang", "Debian clang version 19.1.7 (3~deb12u1)"),
    ],
)
def test_the_compiler_that_limits_are_for_is_known(arch: str, tool: str, version: str) -> None:
    most = MEASURED[arch].most
    assert most.counted_by({"tools": {tool: version}})
    assert not most.counted_by({"tools": {tool: version.replace("12.2.0", "14.2.0").replace("19.1", "21.1")}})
    assert not most.counted_by({"tools": {"another": version}})


def test_a_call_on_this_machine_is_held_to_linuxs_own() -> None:
    assert limits.of_this_machine(None) == []
    slow, fast = (limits.of_this_machine(Native([Turn(ours, 60.0, 240.0)], 10**9, "tsc")) for ours in (54.6, 53.4))
    assert [limit.missed for limit in (*slow, *fast)] == [True, False]
    assert limits.status(slow) == 0


def test_what_a_machine_alone_can_miss_is_told_and_no_status() -> None:
    held = found(cores=[*CORES, *WIDE], times=times([], 1.4, 1.34))
    missed = ["cycles on Nanhu, in those of Linux 7.2", "nothing to do, in times of an empty SConstruct"]
    missed.append("from clean, in times of its parts")
    assert [limit.what for limit in held if limit.missed] == missed
    text = limits.text(held)
    assert text.count("  MISSED, as it was measured here\n") == 3
    assert "                0.95  at most 0.85  MISSED, as it was measured here\n" in text
    last = text.splitlines()[-1]
    assert last == f"bench: the 4 exact limits hold; missed, as it was measured here: {'; '.join(missed)}"
    assert limits.status(held) == 0

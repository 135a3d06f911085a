# SPDX-License-Identifier: MIT
"""How long the build takes, against what it can't do without: `build_times.py ROOT OUT [NAME=VALUE...]`.

* Nothing to do: `scons vdso` once more, against scons with an empty SConstruct, in turns; the median of the ratios, in
  seconds of CPU, which a busy machine moves less. What a run and the programs that it starts import is read from Python's own
  log: LIEF must not be among it (then the status is 1).
* From clean, the base at hand: against the sum of its parts, each timed alone right after it: the interpreter with `import
  lief`, one compile and one link, which are the build's own first ones, as `V=1` prints them; the median of the ratios.
* A further variant: what one more `env.Vdso` in a SConstruct costs, in seconds of CPU; of the first ones and of as many more,
  so that it shows whether the cost is linear.

ROOT is the checkout. All that is written lies in OUT/bench, the result in OUT/bench/build_times.json, in seconds. Other
words are variables for the build; without a BASE among them it is OUT/base.so where that is, else `minimal`. It is a part
of `scons bench` (see __main__) and a program of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

SCONS = (sys.executable, "-m", "SCons", "-Q")
LARGE = frozenset(("lief", "elftools", "capstone", "jinja2", "zstandard"))
# What the two ratios, a further variant and the ratio of later to earlier variants may be at most.
IDLE_LIMIT, CLEAN_LIMIT, VARIANT_LIMIT, LINEAR_LIMIT = 1.05, 1.2, 0.12, 1.2
TOOL = re.compile(r"\S*(gcc|cc|clang|ld)(\.bfd|\.lld)?(-[\d.]+)? ")
VARIANTS = """
DefaultEnvironment(tools=[])
arch = {"VDSO_ARCH": ARGUMENTS["ARCH"]} if "ARCH" in ARGUMENTS else {}
env = Environment(tools=["vdso"], toolpath=[ARGUMENTS["TOOLS"]], **arch)
base = env.VdsoBase("base.so", ARGUMENTS["BASE"])
for number in range(int(ARGUMENTS["COUNT"])):
    Default(env.Vdso(f"variant{number}", base, VDSO_LOAD_ADDR=hex(0x300000000 + 0x1000 * number)))
"""


@dataclass(frozen=True)
class Idle:
    """Medians of `runs` pairs, in seconds of CPU; `imports`: what of the large packages a run with nothing to do imports."""

    runs: int
    empty: float
    build: float
    ratio: float
    limit: float
    imports: list[str]


@dataclass(frozen=True)
class Clean:
    """Medians of `runs` builds, each followed by its parts, in seconds; `whole` is their sum."""

    runs: int
    parts: dict[str, float]
    whole: float
    build: float
    ratio: float
    limit: float


@dataclass(frozen=True)
class Variants:
    """Seconds of CPU of a further variant: of the first `count`, and of as many more."""

    count: int
    each: float
    later: float
    limit: float


def run(command: Sequence[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"build_times: {shlex.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def seconds(command: Sequence[str], cwd: Path) -> float:
    start = time.perf_counter()
    run(command, cwd)
    return time.perf_counter() - start


def cpu_seconds(command: Sequence[str], cwd: Path) -> float:
    """Return what the command and all its children took of the CPUs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command, cwd)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(command: Sequence[str], cwd: Path) -> set[str]:
    """Return the top-level modules that a Python command, and each Python that it starts, imports."""
    log = run(command, cwd, PYTHONPROFILEIMPORTTIME="1").stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in log.splitlines() if line.startswith("import")}


def tool_commands(log: str) -> tuple[list[str], list[str]]:
    """Return the first compile and the first link among the commands that a build printed with V=1."""
    commands = [shlex.split(line) for line in log.splitlines() if TOOL.match(line)]
    compiles = [command for command in commands if "-c" in command]
    links = [command for command in commands if "-c" not in command]
    if not compiles or not links:
        sys.exit(f"build_times: no compile or no link among what V=1 printed:\n{log}")
    return compiles[0], links[0]


def idle(build: Sequence[str], work: Path, runs: int) -> Idle:
    """Measure builds with nothing to do, in `work`, where `build` has already been run."""
    nothing = work / "empty"
    nothing.mkdir()
    (nothing / "SConstruct").touch()
    empty = [*SCONS, "."]
    for command, cwd in ((empty, nothing), (build, work)):
        said = run(command, cwd).stdout
        if "is up to date" not in said:
            sys.exit(f"build_times: {shlex.join(command)}: something to do still\n{said}")
    pairs = [(cpu_seconds(empty, nothing), cpu_seconds(build, work)) for _ in range(runs)]
    return Idle(
        runs=runs,
        empty=median(first for first, _ in pairs),
        build=median(second for _, second in pairs),
        ratio=median(second / first for first, second in pairs),
        limit=IDLE_LIMIT,
        imports=sorted(imported(build, work) & LARGE),
    )


def clean(build: Sequence[str], out: Path, root: Path, work: Path, runs: int) -> Clean:
    """Measure builds from clean, each into a new folder, and after each its parts: a busy machine slows both."""
    shutil.rmtree(out)
    compile_one, link_one = tool_commands(run([*build, "V=1"], work).stdout)
    parts: dict[str, list[float]] = {"interpreter and lief": [], "one compile": [], "one link": []}
    times = []
    for _ in range(runs):
        shutil.rmtree(out)
        times.append(seconds(build, work))
        parts["interpreter and lief"].append(seconds([sys.executable, "-c", "import lief"], work))
        parts["one compile"].append(seconds(compile_one, root))
        parts["one link"].append(seconds(link_one, root))
    wholes = [sum(pieces) for pieces in zip(*parts.values(), strict=True)]
    return Clean(
        runs=runs,
        parts={name: median(pieces) for name, pieces in parts.items()},
        whole=median(wholes),
        build=median(times),
        ratio=median(took / whole for took, whole in zip(times, wholes, strict=True)),
        limit=CLEAN_LIMIT,
    )


def variants(root: Path, work: Path, variables: Sequence[str], count: int) -> Variants:
    """Measure builds of one variant, of `count` more, and of twice as many more, each from clean."""
    took = []
    for number in (1, 1 + count, 1 + 2 * count):
        folder = work / f"variants{number}"
        folder.mkdir()
        (folder / "SConstruct").write_text(VARIANTS, encoding="utf-8")
        words = [f"TOOLS={root / 'site_scons' / 'site_tools'}", f"COUNT={number}"]
        took.append(cpu_seconds([*SCONS, *words, *variables], folder))
        shutil.rmtree(folder)
    one, some, all_of_them = took
    return Variants(count, (some - one) / count, (all_of_them - some) / count, VARIANT_LIMIT)


def measure(
    root: Path, out: Path, work: Path, variables: Sequence[str], runs: int = 15, clean_runs: int = 9, count: int = 50
) -> dict[str, Any]:
    """Return all of it as plain data, without variants if `count` is 0. The builds run in `work`, which is made anew."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    variables = list(variables)
    if not any(word.startswith("BASE=") for word in variables):
        base = out / "base.so"
        if base.is_file():
            shutil.copy(base, work / "base.so")
        variables.append(f"BASE={work / 'base.so'}" if base.is_file() else "BASE=minimal")
    # What scons hands down to its children would make these runs unlike those that a user starts; and a user's Python
    # compiles a module once: here into a folder of its own, which the first run fills.
    for name in ("SCONSFLAGS", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(work / "pycache")

    result = work / "out"
    build = [*SCONS, "-C", str(root), "vdso", f"OUT={result}", *variables]
    run(build, work)
    nothing = idle(build, work, runs)
    fresh = clean(build, result, root, work, clean_runs)
    report = {"variables": variables, "nothing to do": asdict(nothing), "from clean": asdict(fresh)}
    if count:
        report["a further variant"] = asdict(variants(root, work, variables, count))
    return report


def text(report: dict[str, Any]) -> str:
    """Return the result of measure() as text for a person."""
    words = [f"{name}={Path(value).name}" for name, _, value in (word.partition("=") for word in report["variables"])]
    nothing, fresh = Idle(**report["nothing to do"]), Clean(**report["from clean"])
    lines = [
        f"build times, {' '.join(words)}, medians in seconds",
        f"  nothing to do    {nothing.build:6.3f}   ratio {nothing.ratio:.2f} (limit {nothing.limit}), {nothing.runs} pairs",
        f"    empty SConstruct        {nothing.empty:6.3f}",
        f"    imports of {', '.join(sorted(LARGE))}: {', '.join(nothing.imports) or 'none'}",
        f"  from clean       {fresh.build:6.3f}   ratio {fresh.ratio:.2f} (limit {fresh.limit}), {fresh.runs} runs",
        f"    sum of its parts        {fresh.whole:6.3f}",
        *(f"      {name:22}{part:6.3f}" for name, part in fresh.parts.items()),
    ]
    if "a further variant" in report:
        more = Variants(**report["a further variant"])
        linear = f"{more.later / more.each:.2f} (limit {LINEAR_LIMIT}) times that for {more.count} more"
        lines.append(f"  a further variant{more.each:6.3f}   of CPU (limit {more.limit}), {more.count} of them; {linear}")
    return "\n".join(lines) + "\n"


def status(report: dict[str, Any]) -> int:
    """Return 1 if a build with nothing to do imports LIEF, else 0."""
    return 1 if "lief" in report["nothing to do"]["imports"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("variables", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--runs", type=int, default=15, help="pairs of runs with nothing to do (default 15)")
    parser.add_argument("--clean-runs", type=int, default=9, help="runs from clean (default 9)")
    parser.add_argument("--variants", type=int, default=50, help="variants of which the cost of one is told (default 50)")
    args = parser.parse_args()
    work = args.out.resolve() / "bench"
    report = measure(args.root.resolve(), args.out.resolve(), work, args.variables, args.runs, args.clean_runs, args.variants)
    (work / "build_times.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(text(report), end="")
    return status(report)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""The fuzz property, at a bounded length: one error of ours, or an image that proof and look-up accept; never a hang.

`python -m fuzz` is the same at full length (docs/reliability.md).
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from elf_builder import PT_GNU_RELRO
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_builder import Patch, ours
from repository import IMPORTS
from vdso import verify
from vdso.arch import ARCHES, DEFAULT
from vdso.elf import elf64
from vdso.tables import symbol_tables
from vdso.verify.findings import Report
from verify.sabotages import CLOCK, DAY, FAR, bump, chain_end, drop_first, gnu, gnu_chain, rename_version, used_bucket

from fuzz import cases, covered, fields, found, harness, runner
from fuzz.architectures import FUZZED
from fuzz.cases import case
from fuzz.choices import Choices, seeded
from fuzz.looker import LOOKERS, Looker
from fuzz.way import (
    ACCEPTED,
    CONTAINER,
    ENDINGS,
    FINDING,
    FINDINGS,
    HEADER,
    KEEPS,
    MODEL,
    PASSED_HEADER,
    POLICY,
    RULES,
    TAKEN,
    Case,
    Disagreement,
    Way,
)

RUNS = {arch: 250 for arch in FUZZED} | {DEFAULT.name: 700}
FULL_RUNS = {arch: 20_000 for arch in FUZZED} | {DEFAULT.name: 100_000}
LED_RUNS = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def way(folder: Path) -> Iterator[Way]:
    made = Way(folder, FUZZED[DEFAULT.name])
    yield made
    made.close()


@pytest.fixture(scope="module")
def known(way: Way) -> runner.Tally:
    return runner.run(way, "fuzz.found:case", 0, len(found.FOUND))


@pytest.fixture(scope="module", params=FUZZED)
def each_way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    made = Way(tmp_path_factory.mktemp("fuzz-each"), FUZZED[request.param])
    yield made
    made.close()


@pytest.mark.parametrize("number", range(len(found.FOUND)), ids=[each.name for each in found.FOUND])
def test_what_was_found_stays_mended(number: int, known: runner.Tally) -> None:
    assert known.violations.get(number) is None
    assert known.ends[number] == found.FOUND[number].ends


def refuse_vacuous(tally: runner.Tally) -> None:
    """Refuse a run that leaves a stage of the way untried, or whose cases hardly get beyond the first."""
    seen = set(tally.ends.values())
    assert {CONTAINER, FINDING, HEADER, MODEL, ACCEPTED, FINDINGS} <= seen
    assert {POLICY, RULES} & seen
    assert tally.share(PASSED_HEADER) >= 0.2
    assert tally.share(TAKEN) >= 0.03


def test_a_bounded_run(each_way: Way, full: bool) -> None:
    runs = (FULL_RUNS if full else RUNS)[each_way.arch.name]
    tally = runner.run(each_way, runner.RANDOM, 0, runs)
    print(each_way.arch.name, tally.table(), tally.summary(), sep="\n")
    assert tally.violations == {}
    assert tally.runs == runs
    refuse_vacuous(tally)


def test_every_seed_is_what_it_is_said_to_be(each_way: Way) -> None:
    """Begin with no base and no image that is refused before it is changed: such cases would try nothing."""
    seeds = each_way.seeds
    assert {each_way.end(Case("model", base)) for base in seeds.sound} == {ACCEPTED}
    assert {each_way.end(Case("image", image)) for image in seeds.images} == {KEEPS}
    assert {each_way.end(Case("file", file)) for file in seeds.strange} - {ACCEPTED}


def test_a_run_whose_bases_are_all_refused_is_vacuous(each_way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = each_way.seeds
    monkeypatch.setattr(each_way, "seeds", replace(seeds, sound=(bytes(64),), images=seeds.strange, strange=(bytes(64),)))
    monkeypatch.setattr(cases, "mutate", lambda data, *_how: data)
    monkeypatch.setattr(cases, "build_base", lambda _spec: bytes(64))
    tally = runner.Tally({number: each_way.end(case(seeded(number), each_way.seeds)) for number in range(100)})
    with pytest.raises(AssertionError):
        refuse_vacuous(tally)


def test_the_cases_reach_the_branches(way: Way, full: bool) -> None:
    tally, counts = covered.covered(way, 20_000 if full else 150)
    print("branches:", covered.shown(counts))
    assert tally.violations == {}
    for part, (took, of) in counts.items():
        assert took / of > 0.5, part


def test_two_runs_are_the_same_cases(each_way: Way) -> None:
    for number in range(20):
        made = [case(Choices(random.Random(number).randrange), each_way.seeds) for _ in range(2)]
        assert made[0] == made[1]


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_hypothesis(way: Way, data: st.DataObject) -> None:
    assert way.end(case(Choices(lambda count: data.draw(st.integers(0, count - 1))), way.seeds)) in ENDINGS


def corpus(folder: Path) -> Path:
    """Make files of bytes that the harness begins with."""
    folder.mkdir()
    for number in range(32):
        (folder / str(number)).write_bytes(random.Random(number).randbytes(400))
    return folder


ATHERIS = importlib.util.find_spec("atheris") is not None  # it has wheels for x86-64 alone


def led(folder: Path, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*IMPORTS, os.environ.get("PYTHONPATH", "")])
    command = [
        sys.executable,
        "-m",
        "fuzz.harness",
        str(folder),
        DEFAULT.name,
        "-seed=1",
        *options,
        str(corpus(tmp_path / "corpus")),
    ]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def test_led_by_coverage(folder: Path, way: Way, tmp_path: Path, full: bool) -> None:
    """The harness of atheris; where there is none, hypothesis hands out the bytes."""
    if not ATHERIS:
        fed_by_hypothesis(way)
        return
    done = led(folder, tmp_path, f"-runs={LED_RUNS * (100 if full else 1)}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(re.findall(r"number_of_executed_units: (\d+)", done.stderr)[0]) >= LED_RUNS
    covered = [int(count) for count in re.findall(r"cov: (\d+)", done.stderr)]
    assert covered[-1] > 2 * covered[0] or covered[-1] > 1000


def fed_by_hypothesis(way: Way) -> None:
    @settings(max_examples=LED_RUNS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=harness.MOST_BYTES))
    def run(data: bytes) -> None:
        assert way.end(case(harness.answers(data), way.seeds)) in ENDINGS

    run()


# Can all this fail?


def ends_badly(kind: str) -> str:
    """Return a module whose case number 1 of three goes wrong in the worker, and no other."""
    return f"""
import os, signal, sys, time
from fuzz.way import Case
sys.modules["__main__"].SECONDS = 3
def case(number, way):
    if number == 1:
        {kind}
    return Case("model", b"")
"""


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("os.abort()", "the process ended with status -6"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the process ended with status -11"),
        ("time.sleep(600)", "Hang: not done after 3 seconds"),
        ("signal.signal(signal.SIGALRM, signal.SIG_IGN); time.sleep(600)", "silent for 4 seconds"),
        ("bytes(8 << 30)", "MemoryError"),
        ("raise ValueError('a bug')", "ValueError: a bug"),
    ],
    ids=["SIGABRT", "SIGSEGV", "a hang", "a hang in native code", "memory", "an exception"],
)
def test_a_violation_is_seen_and_the_run_goes_on(
    kind: str, says: str, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends_badly.py").write_text(ends_badly(kind))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(runner, "SILENCE", 4 if "SIG_IGN" in kind else 120)
    tally = runner.run(way, "ends_badly:case", 0, 3)
    assert list(tally.violations) == [1]
    assert tally.violations[1].startswith(says)
    assert sorted(tally.ends) == [0, 2]


def test_led_by_coverage_sees_a_violation(folder: Path, way: Way, tmp_path: Path) -> None:
    if not ATHERIS:
        with pytest.raises(AttributeError):
            fed_by_hypothesis(Way.__new__(Way))
        return
    assert way.folder == folder
    for kind in ("page", "none"):
        (tmp_path / kind).symlink_to(folder / kind)
    (tmp_path / "lookup").write_text("#!/bin/sh\nexit 3\n")  # as if a sanitizer had ended it
    (tmp_path / "lookup").chmod(0o755)
    done = led(tmp_path, tmp_path, f"-runs={LED_RUNS}")
    assert done.returncode != 0
    assert "EOFError: lookup ended with status 3" in done.stdout + done.stderr


def test_a_disagreement_is_a_violation(each_way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that lead nowhere, and a proof that is blind: the look-up sees it."""
    given_base = Case("model", each_way.seeds.sound[0])
    assert each_way.end(given_base) == ACCEPTED
    gnu_table = symbol_tables._gnu_table

    def blind_filter(hashes: list[int], buckets: int) -> bytes:
        table = gnu_table(hashes, buckets)
        return table[:16] + bytes(8) + table[24:]

    monkeypatch.setattr(symbol_tables, "_gnu_table", blind_filter)
    with pytest.raises(AssertionError, match=r"breaks rules that its base keeps: .*bloom filter of DT_GNU_HASH rejects"):
        each_way.end(given_base)
    monkeypatch.setattr("vdso.pipeline.verify", lambda *_a, **_k: Report(len(verify.RULES), (), ()))
    with pytest.raises(Disagreement, match=r"glibc finds __\w+ at -, the record says 0x"):
        each_way.end(given_base)


@pytest.fixture(scope="module")
def looker(way: Way) -> Looker:
    return way.looker


def test_every_library_finds_what_is_there_and_nothing_else(looker: Looker) -> None:
    built = ours()
    answers = looker(built, [CLOCK, DAY, "__vdso_absent", "LINUX_4.15"])
    address = Patch(built).get(Patch(built).value(elf64.DT_SYMTAB) + 24 * Patch(built).index(CLOCK) + 8, "<Q")
    assert answers[CLOCK] == (f"{address:#x}",) * len(LOOKERS)
    assert answers["__vdso_absent"] == ("-",) * len(LOOKERS)


OF_A_VERSION = set(range(2, 9))
"""Those of LOOKERS that ask for a version."""


def test_the_version_is_that_of_the_architecture(each_way: Way, tmp_path: Path) -> None:
    """Show an image to the libraries of its architecture, and to those of one whose exports have another version."""
    arch, built = each_way.arch, each_way.seeds.images[-1]
    clock, other = arch.export("clock_gettime"), next(a for a in ARCHES.values() if a.version != arch.version)
    strangers = Looker(tmp_path, other)
    found, missed = each_way.looker(built, [clock])[clock], strangers(built, [clock])[clock]
    strangers.close()
    assert len(set(found)) == 1
    assert {number for number, answer in enumerate(missed) if answer != found[number]} == OF_A_VERSION


def circle(patch: Patch) -> None:
    patch.put(chain_end(patch), "<I", patch.get(used_bucket(patch)))


def version_of(patch: Patch) -> None:
    patch.put(patch.value(elf64.DT_VERSYM) + 2 * patch.index(CLOCK), "<H", 1)


def swap(patch: Patch, size: int, first: int, second: int) -> None:
    """Let two records of `size` bytes change places."""
    one, other = patch.data[first : first + size], patch.data[second : second + size]
    patch.data[first : first + size], patch.data[second : second + size] = other, one


def dynamic_first(patch: Patch) -> None:
    swap(patch, elf64.PHDR.size, patch.phdr(elf64.PT_LOAD)[0], patch.phdr(elf64.PT_DYNAMIC)[0])


def symbols_first(patch: Patch) -> None:
    swap(patch, elf64.DYN.size, patch.tag(elf64.DT_HASH), patch.tag(elf64.DT_SYMTAB))


def ending_bits(patch: Patch) -> None:
    """Clear the bits that end the chains of DT_GNU_HASH."""
    for at in range(gnu_chain(patch) - 4 * 20, gnu_chain(patch) + 4, 4):
        patch.put(at, "<I", patch.get(at) & ~1)


EACH = set(range(len(LOOKERS)))


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda p: p.retag(elf64.DT_HASH), {1, 2, 5, 7, 10}),
        (lambda p: p.retag(elf64.DT_GNU_HASH), {3, 4, 6}),
        (drop_first, {1, 5, 7, 10}),
        (circle, {1, 5, 7, 10}),
        (lambda p: bump(p, gnu_chain(p, CLOCK)), {0, 4, 6}),
        (lambda p: p.put(p.value(elf64.DT_GNU_HASH) + 16, "<Q", 0), {0}),
        (lambda p: gnu(p, 2, 3), {0, 3, 4, 6}),
        (lambda p: gnu(p, 2, 0), {0, 3, 4, 6}),
        (lambda p: p.put(p.value(elf64.DT_HASH) + 4, "<I", 2), {2, 5}),
        (version_of, OF_A_VERSION),
        (rename_version, OF_A_VERSION),
        (lambda p: p.symbol(CLOCK, shndx=0), {2, 3, 4, 5, 7}),
        (lambda p: p.symbol(CLOCK, info=0x11), {4, 5, 6, 7, 10}),
        (lambda p: p.symbol(CLOCK, info=0x02), {0, 1, 2, 3, 4, 5, 6, 7}),
        (lambda p: p.segment(elf64.PT_DYNAMIC, offset=0x20), {2, 3, 4, 5, 6, 7, 8, 9}),
        (lambda p: p.segment(elf64.PT_LOAD, vaddr=0x1000), EACH),
        (lambda p: p.set(elf64.DT_STRTAB, FAR), EACH),
        (lambda p: p.segment(elf64.PT_GNU_EH_FRAME, type=elf64.PT_TLS), {0, 1, 10}),
        (lambda p: p.set(elf64.DT_RELAENT, 12), {0, 1, 10}),
        (dynamic_first, {8}),
        (lambda p: p.header(shnum=0), {8, 9}),
        (lambda p: p.section(elf64.SHT_DYNSYM, entsize=0), {8}),
        (lambda p: p.segment(elf64.PT_LOAD, flags=elf64.PF_R), {6, 7}),
        (lambda p: p.segment(elf64.PT_GNU_EH_FRAME, type=PT_GNU_RELRO), {6, 7}),
        (symbols_first, {10}),
    ],
    ids=["no DT_HASH", "no DT_GNU_HASH", "a bucket's head", "a circle", "a hash", "a bloom filter", "its size", "no word of it",
         "nchain", "a version", "its name", "undefined", "an object", "local", "p_offset", "p_vaddr", "strings", "TLS",
         "DT_RELAENT", "PT_DYNAMIC first", "no sections", "sh_entsize", "flags", "RELRO", "DT_SYMTAB first"],
)  # fmt: skip
def test_each_library_has_rules_of_its_own(change: Callable[[Patch], object], wrong: set[int], looker: Looker) -> None:
    """`wrong`: those of LOOKERS that no longer find a function where it is."""
    patch = Patch(ours())
    names = [CLOCK, DAY, "__vdso_getcpu", "__vdso_rt_sigreturn", "__vdso_clock_getres", *(f"absent{i}" for i in range(8))]
    good = looker(patch.image, names)
    change(patch)
    bad = looker(patch.image, names)
    assert {i for name in names for i in range(len(LOOKERS)) if bad[name][i] != good[name][i]} == wrong


def test_the_parser_of_the_mutations_knows_every_table(each_way: Way) -> None:
    groups = {"header", "segments", "dynamic", "symbols", "code", "version table", "versions", "notes", "strings"}
    some = {"hash", "gnu hash", "frame header", "frames", "sections"}
    seeds = each_way.seeds
    seen = [set(fields.read(data, seeds.fuzzed).fields) for data in (*seeds.sound, *seeds.images)]
    assert all(groups <= each for each in seen)
    assert set().union(*seen) == groups | some

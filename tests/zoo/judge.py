# SPDX-License-Identifier: MIT
"""What becomes of a vDSO as a base, and what `check` says of it as it is: as much as can be tried without a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fuzz.looker import Looker
from kernels.runtimes import RUNTIMES, launch, system_calls
from spliced import spliced
from vdso import pipeline
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.image.reader import read_vdso
from vdso.variables import pages_beside
from vdso.verify import Beside, verify

from .build import PLAIN, Built

REASONS = {"compat_vdso": "32-bit compat vDSO", "vdso_cfi": "user-CFI vDSO"}
"""The reason that a vDSO which is no base must be refused with."""
PROGRAMS = ("glibc 2.36, static", "glibc 2.36", "musl 1.2.6, static", "Go")


@dataclass(frozen=True)
class Verdict:
    """What came of one file.

    refused     the error of the base's reader; "" for one that is accepted
    wrong       why it should have been refused, or accepted, in a line each: these must be none
    findings    the rules that `check` finds broken once it is told of the kernel's pages
    untrue      those of them that tell no harm: these must be none
    rules       how many rules hold on the image
    programs    how many programs ran on the image without a system call
    """

    refused: str
    wrong: tuple[str, ...]
    findings: tuple[str, ...]
    untrue: tuple[str, ...]
    rules: int
    programs: int


class Judge:
    """compiled: the object files of the stubs."""

    def __init__(self, folder: Path, compiled: list[Path]) -> None:
        self._folder, self._compiled, self._looker = folder, compiled, Looker(folder, RISCV64)

    def verdict(self, built: Built) -> Verdict:
        """Return what becomes of a vDSO, and whether that is right."""
        try:
            base = pipeline.base_in("vdso.so", built.data, RISCV64)
            made = spliced(base, self._compiled, self._folder)
        except (VdsoError, AssertionError) as error:
            return Verdict(str(error), tuple(wrong_refusal(built.kind, error)), (), (), 0, 0)
        wrong = [] if built.kind == PLAIN else [f"a {built.kind} is accepted"]
        image = made.image.data
        exports = read_vdso("image.so", image, RISCV64).exports
        for name, found in self._looker(image, list(exports)).items():
            expected = f"{exports[name].value:#x}"
            wrong += [f"{name} is found at {', '.join(sorted(set(found)))}, not {expected}"] if set(found) != {expected} else []
        findings = findings_of(built.data)
        untrue = tuple(rule for rule in findings if not is_true(rule, base))
        ran = 0
        path = self._folder / "vdso.so"
        path.write_bytes(image)
        for name in PROGRAMS:
            run = launch(RUNTIMES[name], path, made.plan.data_offset, self._folder / "log")
            complaint = system_calls(RUNTIMES[name], run) or (f"status {run.status}" if run.status else "")
            wrong += [f"{name}: {complaint}"] if complaint else []
            ran += not complaint
        return Verdict("", tuple(wrong), findings, untrue, made.image.rules, ran)


def wrong_refusal(kind: str, error: Exception) -> list[str]:
    """Return what is wrong with a refusal: that there is one, or its reason."""
    if kind == PLAIN or isinstance(error, AssertionError):
        return [f"refused: {error}"]
    return [] if REASONS[kind] in str(error) else [f"refused for another reason than that it is a {REASONS[kind]}: {error}"]


def findings_of(vdso: bytes) -> tuple[str, ...]:
    """Return the rules that `check` finds broken once it is told of the pages that it itself names."""
    report = verify(vdso, RISCV64)
    told = [
        finding.what.partition("DATA=")[2].partition(" ")[0] for finding in report.findings if finding.rule == "kernel-pages"
    ]
    beside = pages_beside(told[0]) if told else None
    return verify(vdso, RISCV64, Beside(*beside)).broken if beside else report.broken


def is_true(rule: str, vdso: bytes) -> bool:
    """Tell whether a finding on a vDSO that Linux itself works with tells a harm.

    The want of DT_HASH does. So does a word that waits for a relocation: Linux 6.1 without jump labels reads it while the
    kernel writes the clock, and takes the 0 that it finds for an address.
    """
    base = read_vdso("vdso.so", vdso, RISCV64)
    return (rule == "dt-hash" and ".hash" not in base.tables) or (rule == "no-relocations" and bool(base.relocated))

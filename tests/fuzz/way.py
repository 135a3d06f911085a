# SPDX-License-Identifier: MIT
"""The property: whatever comes in ends with one error of ours, or with an image that proof and look-up accept.

`Way.end` takes an input the whole way of a build, in one process, and says where it ended. Whatever it raises is a
violation: another exception than VdsoError never belongs to a user's file.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stub_build import PREFIX as CROSS
from stub_build import compile_stub
from vdso import base_check, find, image_reader, objects, place, policy, steps, stubs, toolchain
from vdso.arch import RISCV64
from vdso.blob import Export
from vdso.containers import payloads
from vdso.errors import VdsoError
from vdso.inputs import TEMPLATES
from vdso.plan import from_json
from vdso.verify import verify
from vdso.verify.reader import open_elf
from vdso.verify.reader import read as read_subject

from .looker import LOOKERS, Looker

NAME = "given.so"
ABSENT = "__vdso_absent"
STUBS = ("clock_getres", "clock_gettime", "gettimeofday", "syscalls")
HZ = 10_000_000
LONGEST = 10_000  # characters of an error

ENDINGS = (
    "unpacked: error",
    "find: no vDSO",
    "ELF header: error",
    "model: error",
    "model: no base",
    "policy: error",
    "placement: error",
    "splice: error",
    "proof: the base breaks a rule",
    "accepted image",
    "check: findings",
    "check: no findings",
)
CONTAINER, FINDING, HEADER, MODEL, REFUSED, POLICY, PLACE, SPLICE, RULES, ACCEPTED, FINDINGS, KEEPS = ENDINGS
PASSED_HEADER = (MODEL, REFUSED, POLICY, PLACE, SPLICE, RULES, ACCEPTED, FINDINGS, KEEPS)
TAKEN = (ACCEPTED, KEEPS)


class Disagreement(Exception):
    """The proof accepts an image, and a C library would not find in it what the record promises."""


@dataclass(frozen=True)
class Case:
    """entry    "file": as BASE=given.so; "model": as the base that was extracted; "image": as IMAGE=given.so of `check`"""

    entry: str
    data: bytes
    data_page: str = "after"
    policy: str = ""


@dataclass
class Way:
    """Compiled once: the stubs and the look-up."""

    folder: Path
    looker: Looker = field(init=False)
    linked: dict[tuple[str, str], bytes] = field(default_factory=dict)
    objects: dict[str, Sequence[objects.Object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.looker = Looker(self.folder)
        for kind, defines in {"page": (), "none": ("VDSO_DATA_PAGE_NONE", f"VDSO_TIMEBASE_HZ={HZ}")}.items():
            folder = self.folder / kind
            folder.mkdir(exist_ok=True)
            files = [folder / f"{source}.o" for source in STUBS]
            for file in files:
                if not file.exists():
                    compile_stub(folder, file.stem, *defines).rename(file)
            self.objects[kind] = [objects.read(file.name, file.read_bytes(), file.stem, RISCV64) for file in files]

    def end(self, case: Case) -> str:
        """Where the case ended, one of ENDINGS."""
        data = case.data
        if case.entry == "image":
            return self._check(data)
        if case.entry == "file":
            try:
                data = find.find(NAME, data, RISCV64)
            except VdsoError as error:
                return FINDING if _one_line(error) and _unpacks(case.data) else CONTAINER
        try:
            base = image_reader.read(NAME, data, RISCV64)
        except VdsoError as error:
            return MODEL if _one_line(error) and _passes_header(data) else HEADER
        reached = REFUSED
        try:
            base_check.refuse(base)
            reached = POLICY
            kind = "none" if case.data_page == "none" else "page"
            used = self.objects[kind]
            defined = {symbol: each.source for each in used for symbol in each.defined}
            decisions = policy.decide(base, policy.parse(case.policy), defined)
            reached = PLACE
            units = objects.units(used, [decision.stub for decision in decisions if decision.stub], case.data_page)
            planned = from_json(place.place(base, decisions, units, case.data_page).to_json())
            reached = SPLICE
            linked = stubs.read("stubs.elf", self._link(kind, stubs.script(planned, TEMPLATES)), planned)
            spliced, _ = steps.spliced_and_verified(base, planned, linked, "image.so")
        except VdsoError as error:
            if error.file == "LIEF":
                raise AssertionError(f"LIEF can't do what the model lets pass: {error}") from error
            return RULES if _one_line(error) and "no sound image" in error.what else reached
        image_reader.read("image.so", spliced.image, RISCV64)
        odd = [e.name for e in spliced.exports if e.address is not None and not base_check.EXPORT.fullmatch(e.name)]
        if odd:
            raise Disagreement(f"no names for C and Rust: {odd}")
        self._look(spliced.image, spliced.exports)
        return ACCEPTED

    def _check(self, data: bytes) -> str:
        report = verify(data, RISCV64, name=NAME)
        for finding in report.findings:
            if "\n" in finding.what:
                raise AssertionError(f"a finding of more than a line: {finding.what!r}")
        if report.findings:
            return FINDINGS if _passes_header(data) else HEADER
        elffile = open_elf(data)
        assert not isinstance(elffile, str)
        found = [s for s in read_subject(data, elffile, RISCV64, None).exports if s.defined]
        self._look(data, [Export(str(s), policy.KEEP, s.value, s.size, s.value, s.size, "") for s in found])
        return KEEPS

    def _look(self, data: bytes, exports: Sequence[Export]) -> None:
        exports = [export for export in exports if base_check.EXPORT.fullmatch(export.name)]  # others can't be asked for
        names = [export.name for export in exports]
        answers = self.looker(data, [*names, ABSENT])
        promised = {export.name: "-" if export.address is None else f"{export.address:#x}" for export in exports}
        for name, wanted in {**promised, ABSENT: "-"}.items():
            for looker, found in zip(LOOKERS, answers[name], strict=True):
                if found != wanted:
                    raise Disagreement(f"{looker} finds {name} at {found}, the record says {wanted}")

    def _link(self, kind: str, script: str) -> bytes:
        """stubs.elf; the same placement is linked once."""
        known = kind, script
        if known not in self.linked:
            path, out = self.folder / "stubs.ld", self.folder / "stubs.elf"
            path.write_text(script)
            files = [self.folder / kind / object.name for object in self.objects[kind]]
            subprocess.run([f"{CROSS}ld", *toolchain.LDFLAGS, "-T", path, "-o", out, *files], check=True, capture_output=True)
            self.linked[known] = out.read_bytes()
        return self.linked[known]

    def close(self) -> None:
        self.looker.close()


def _one_line(error: VdsoError) -> bool:
    if "\n" in str(error) or not error.what or len(str(error)) > LONGEST:
        raise AssertionError(f"no error of one line: {error!r}")
    return True


def _unpacks(data: bytes) -> bool:
    try:
        return any(True for _ in payloads(NAME, data))
    except VdsoError:
        return False


def _passes_header(data: bytes) -> bool:
    """Whether the ELF header and the program headers are accepted."""
    reader = image_reader.Reader(NAME, data, RISCV64)
    try:
        reader.segments(reader.header())
    except VdsoError:
        return False
    return True

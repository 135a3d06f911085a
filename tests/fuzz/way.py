# SPDX-License-Identifier: MIT
"""The property: whatever comes in ends with one error of ours, or with an image that proof and look-up accept.

`Way.end` takes an input the whole way of a build, in one process, and says where it ended. Whatever it raises is a
violation: another exception than VdsoError never belongs to a user's file.
"""

from __future__ import annotations

import subprocess
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import stub_build
from vdso import pipeline
from vdso.arch.arch import KEEP, Arch
from vdso.data_page import DataPage
from vdso.emit.blob import Image
from vdso.errors import VdsoError
from vdso.extract.find import find
from vdso.image.reader import read_vdso
from vdso.place.linked import linker_script, read_linked
from vdso.place.plan import plan_from_json
from vdso.policy.base_check import nameable
from vdso.policy.decide import parse_policy
from vdso.splice.changes import Export
from vdso.stubs import toolchain
from vdso.stubs.objects import Object, read_object
from vdso.verify import verify
from vdso.verify.reader import open_elf, read_subject

from . import bases
from .fuzzed import Fuzzed
from .looker import LOOKERS, ONE_WALK, Looker

NAME = "given.so"
LIBRARY = Path(pipeline.__file__).parent
ABSENT = "__vdso_absent"
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


# Module of the library that a step of the way enters to the ending of an error that is raised from there.
STAGES = {
    "policy/base_check": REFUSED,
    "policy/decide": POLICY,
    "place/units": PLACE,
    "place/placement": PLACE,
    "place/linked": SPLICE,
    "splice/splice": SPLICE,
}


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
    """The way of one architecture. Compiled once: the stubs and the look-up."""

    folder: Path
    fuzzed: Fuzzed
    looker: Looker = field(init=False)
    linked: dict[tuple[str, str], bytes] = field(default_factory=dict)
    objects: dict[str, Sequence[Object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.looker = Looker(self.folder, self.arch)
        for kind, defines in {"page": (), "none": ("VDSO_DATA_PAGE_NONE", f"VDSO_TIMEBASE_HZ={HZ}")}.items():
            folder = self.folder / kind
            folder.mkdir(exist_ok=True)
            files = [folder / f"{source}.o" for source in stub_build.names(self.arch)]
            for file in files:
                if not file.exists():
                    made = stub_build.compile_stub(
                        folder, file.stem, *defines, compiler=stub_build.first(self.arch).cc, arch=self.arch
                    )
                    made.rename(file)
            self.objects[kind] = [read_object(file.name, file.read_bytes(), file.stem, False, self.arch) for file in files]

    @property
    def arch(self) -> Arch:
        return self.fuzzed.arch

    @cached_property
    def seeds(self) -> bases.Seeds:
        """Return what cases begin with; among the images are those that a build makes of `minimal` and of the newest Linux."""
        own = [Case("model", bases.minimal(self.arch).read_bytes(), page) for page in ("after", "before", "none")]
        others = [Case("model", base) for base in bases.real(self.fuzzed)[-1:]]
        return bases.seeds(self.fuzzed, [self.image(case).data for case in own + others])

    def end(self, case: Case) -> str:
        """Run the case, and return where it ended, one of ENDINGS."""
        if case.entry == "image":
            return self._check(case.data)
        try:
            image = self.image(case)
        except VdsoError as error:
            if error.file == "LIEF":
                raise AssertionError(f"LIEF can't do what the model lets pass: {error}") from error
            return _ending(error)
        read_vdso("image.so", image.data, self.arch)
        odd = [export.name for export in image.visible if not nameable(export.name, self.arch)]
        if odd:
            raise Disagreement(f"no names for C and Rust: {odd}")
        self._look(image.data, image.exports, LOOKERS)
        return ACCEPTED

    def image(self, case: Case) -> Image:
        """Return the image that a build makes. VdsoError where it makes none."""
        data = find(NAME, case.data, self.arch) if case.entry == "file" else case.data
        base = pipeline.base(NAME, data, self.arch)
        page = DataPage(case.data_page)
        kind = "none" if page is DataPage.NONE else "page"
        plan = pipeline.plan(base, self.objects[kind], parse_policy(case.policy, self.arch), page)
        plan = plan_from_json(plan.to_json())
        stubs = read_linked("stubs.elf", self._link(kind, linker_script(plan)), plan)
        return pipeline.image(base, plan, stubs, page, "image.so")

    def _check(self, data: bytes) -> str:
        report = verify(data, self.arch, name=NAME)
        for finding in report.findings:
            if "\n" in finding.what:
                raise AssertionError(f"a finding of more than a line: {finding.what!r}")
        if report.findings:
            return FINDINGS if _passes_header(data, self.arch) else HEADER
        elffile = open_elf(data)
        assert not isinstance(elffile, str)
        subject = read_subject(data, elffile, self.arch, None)
        exports = [
            Export(str(s), self.arch.short(str(s)), KEEP, s.value, s.size, s.value, s.size, "")
            for s in subject.exports
            if s.defined
        ]
        # lld's own order of PT_DYNAMIC is no finding on what others made
        self._look(data, exports, [looker for looker in LOOKERS if subject.ours or looker != ONE_WALK])
        return KEEPS

    def _look(self, data: bytes, exports: Sequence[Export], lookers: Sequence[str]) -> None:
        exports = [export for export in exports if nameable(export.name, self.arch)]  # others can't be asked for
        names = [export.name for export in exports]
        answers = self.looker(data, [*names, ABSENT])
        promised = {export.name: "-" if export.address is None else f"{export.address:#x}" for export in exports}
        for name, wanted in {**promised, ABSENT: "-"}.items():
            for looker, found in zip(LOOKERS, answers[name], strict=True):
                if looker in lookers and found != wanted:
                    raise Disagreement(f"{looker} finds {name} at {found}, the record says {wanted}")

    def _link(self, kind: str, script: str) -> bytes:
        """Return stubs.elf; the same placement is linked only once."""
        known = kind, script
        if known not in self.linked:
            path, out = self.folder / "stubs.ld", self.folder / "stubs.elf"
            path.write_text(script)
            files = [self.folder / kind / stub.name for stub in self.objects[kind]]
            linker = stub_build.first(self.arch).ld
            subprocess.run([linker, *toolchain.LDFLAGS, "-T", path, "-o", out, *files], check=True, capture_output=True)
            self.linked[known] = out.read_bytes()
        return self.linked[known]

    def close(self) -> None:
        self.looker.close()


def _one_line(error: VdsoError) -> bool:
    if "\n" in str(error) or not error.what or len(str(error)) > LONGEST:
        raise AssertionError(f"no error of one line: {error!r}")
    return True


def _ending(error: VdsoError) -> str:
    """Return the ending that an error belongs to, by the code that raised it."""
    assert _one_line(error)
    frames = [(Path(f.filename), f.name) for f in traceback.extract_tb(error.__traceback__)]
    own = [(path.relative_to(LIBRARY).with_suffix("").as_posix(), name) for path, name in frames if LIBRARY in path.parents]
    modules = [module for module, _ in own]
    if modules[-1] == "pipeline":
        return RULES
    entered = modules[modules.index("pipeline") + 1] if "pipeline" in modules else modules[0]
    if entered == "image/reader":
        return HEADER if {"_header", "_segments"} & {name for _, name in own} else MODEL
    if entered == "extract/find":
        return FINDING if modules[-1] == "extract/find" else CONTAINER
    return STAGES[entered]


def _passes_header(data: bytes, arch: Arch) -> bool:
    """Tell whether the ELF header and the program headers are accepted."""
    try:
        read_vdso(NAME, data, arch)
    except VdsoError as error:
        return _ending(error) != HEADER
    return True

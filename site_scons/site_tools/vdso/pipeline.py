# SPDX-License-Identifier: MIT
"""The way from a base to a blob in memory, from bytes to bytes: base, plan, image, blob.

`scons/steps.py` goes the same way from files to files. Between `plan` and `image`, ld links the stubs by the script of
`place.linked.linker_script`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from .arch.arch import HIDE, Arch
from .data_page import DataPage
from .elf.elf64 import PAGE, pages
from .emit.blob import Image
from .emit.outputs import outputs as blob
from .errors import OTHER_BASE, VdsoError
from .extract.find import find
from .image.model import Vdso
from .image.reader import read_vdso
from .place.linked import Linked
from .place.placement import place
from .place.plan import Plan
from .place.units import units
from .policy.base_check import refuse_base
from .policy.decide import decide
from .splice.splice import splice
from .stubs.objects import Object
from .stubs.user_functions import user_exports
from .verify import ASSERTED, Finding, verify

__all__ = ["base", "base_in", "blob", "image", "plan"]


def base_in(name: str, file: bytes, arch: Arch) -> bytes:
    """Return exactly the bytes of the one plain vDSO in `file`, which messages call `name`.

    VdsoError where there is none, or where no image can be made of it.
    """
    found = find(name, file, arch)
    base(name, found, arch)
    return found


def base(name: str, file: bytes, arch: Arch) -> Vdso:
    """Read `file` as a base. VdsoError where no image can be made of it."""
    read = read_vdso(name, file, arch)
    refuse_base(read)
    return read


def plan(
    base: Vdso,
    objects: Sequence[Object],
    overrides: Mapping[str, str],
    data_page: DataPage,
    counter: int | None = None,
    page_size: int = PAGE,
) -> Plan:
    """Decide what becomes of each export, and give each stub its address.

    objects         the compiled stubs, ours and the user's
    overrides       export, without its prefix, to policy: what the user asked for
    counter         the offset of the counter in its page; None where an instruction reads the counter
    page_size       of the kernel

    VdsoError for an override that can't be, and for stubs that can't be placed.
    """
    users = user_exports(objects, base.exports, base.arch)
    defined = {symbol: file.source for file in objects for symbol in file.defined}
    decisions = decide(base, overrides, defined, users)
    stubs = [decision.stub for decision in decisions if decision.stub]
    return place(base, decisions, units(objects, stubs, data_page, counter is not None), data_page, counter, page_size)


def image(base: Vdso, plan: Plan, stubs: Linked, data_page: DataPage, name: str) -> Image:
    """Splice, then verify; `name` is what messages call the image.

    VdsoError where the image breaks a rule because its base does, or because of a function of the user; AssertionError (a bug)
    where it breaks any other rule.
    """
    spliced = splice(base, plan, stubs)
    report = verify(spliced.image, base.arch, name=name)
    asked_for = _asked_for(base, plan)
    findings = [finding for finding in report.findings if finding.rule not in asked_for]
    if findings:
        _blame(base, plan, findings, name)
    return Image(
        arch=base.arch.name,
        data=spliced.image,
        build_id=read_vdso(name, spliced.image, base.arch).build_id,
        base_sha256=hashlib.sha256(base.file).hexdigest(),
        maker=base.maker,
        base_pages=pages(len(base.data), plan.page_size),
        page_size=plan.page_size,
        data_page=data_page,
        data_offset=plan.data_offset,
        counter_offset=plan.counter_offset,
        exports=spliced.exports,
        changes=spliced.changes,
        rules=report.rules - len(asked_for),
    )


def _asked_for(base: Vdso, plan: Plan) -> set[str]:
    """Return the rules that the user's POLICY breaks: `decide` adds what rustix asserts, unless it is to be hidden."""
    visible = {d.export for d in plan.decisions if d.policy != HIDE}
    return set() if visible.issuperset(map(base.arch.export, base.arch.asserted)) else {ASSERTED}


def _blame(base: Vdso, plan: Plan, findings: Sequence[Finding], name: str) -> None:
    """Raise the error that names who can mend the findings: the user's function, the base, or us (AssertionError)."""
    for unit in (unit for unit in plan.units if unit.users):
        for finding in findings:
            if any(d.export in finding.what for d in plan.decisions if d.stub in unit.functions):
                raise VdsoError(unit.source, finding.what, "docs/user-functions.md tells what a function must do")
    broken = verify(base.file, base.arch, name=base.name).broken
    own = [finding.what for finding in findings if finding.rule not in broken]
    if own:
        raise AssertionError(f"{name} breaks rules that its base keeps: {'; '.join(own)}")
    inherited = "; ".join(finding.what for finding in findings)
    raise VdsoError(base.name, f"no sound image can be made of it: {inherited}", OTHER_BASE)

# SPDX-License-Identifier: MIT
"""The steps of the build, each from files to files: the only place where the library meets the disk.

A step computes everything, and checks it, before it writes anything; then each file appears whole. All of them take the
same: paths of the targets, paths of the sources, and the tool's construction variables without their `VDSO_`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from . import (
    base_check,
    extra,
    find,
    guard,
    image_reader,
    inputs,
    objects,
    place,
    plan,
    policy,
    release,
    stubs,
    templating,
    toolchain,
    variables,
)
from .arch import ARCHES, Arch
from .blob import from_facts
from .elf import pages
from .emit import emit as emit_outputs
from .errors import OTHER_BASE, VdsoError
from .image import Image
from .inputs import SOURCES, TEMPLATES
from .splice import Spliced
from .splice import splice as splice_image
from .verify import Report, verify

Paths = Sequence[Path]
Settings = Mapping[str, str]


def write(files: Mapping[Path, bytes]) -> None:
    """All files aside first, then each under its name: a full disk or a signal leaves the earlier ones.

    One that is there with these bytes is not touched: what Make, CMake or cargo compiled from it is still right.
    """
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}{guard.ASIDE}") for path in files}
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.read_bytes() == data:
                del aside[path]
            else:
                aside[path].write_bytes(data)
        for path, written in aside.items():
            written.replace(path)
    except OSError as error:
        raise VdsoError(str(error.filename or next(iter(files))), f"can't be written: {error.strerror}") from error
    finally:
        for path in aside.values():
            path.unlink(missing_ok=True)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VdsoError(str(path), f"can't be read: {error.strerror}") from error


def extract(targets: Paths, sources: Paths, settings: Settings) -> None:
    """base.so from a file that holds a vDSO."""
    arch, name = ARCHES[settings["ARCH"]], str(sources[0])
    found = find.find(name, read(sources[0]), arch)
    base_check.refuse(image_reader.read(name, found, arch))
    write({targets[0]: found})


def fetch(targets: Paths, _sources: Paths, settings: Settings) -> None:
    """base.so and what is known of it, from the kernel package of Debian. What was fetched stays, whatever SCons remembers."""
    from . import debian  # only who fetches pays for it

    arch = ARCHES[settings["ARCH"]]
    asked = f"{settings['BASE']} {arch.name} {settings['MIRROR']}".rstrip()
    if _fetched(targets[0], targets[1], asked):
        print("  KEPT    what was fetched before", flush=True)
        return
    kernel = debian.fetch(arch, settings["BASE"].partition(":")[2], settings["MIRROR"])
    name = f"{kernel.package} {kernel.version} ({kernel.suite})"
    for reason in kernel.passed_over:
        print(f"  PASSED  {reason}", flush=True)
    print(f"  FOUND   {name}", flush=True)
    found = find.find(name, kernel.data, arch)
    origin = release.Origin(kernel.package, kernel.version, kernel.source, kernel.source_version)
    told = {"asked": asked, "package": name, "sha256": hashlib.sha256(found).hexdigest(), "origin": asdict(origin)}
    write({targets[0]: found, targets[1]: json.dumps(told, indent=1, sort_keys=True).encode()})


def _fetched(base: Path, record: Path, asked: str) -> bool:
    """Is `base` what was fetched for the same settings?"""
    try:
        told = json.loads(record.read_bytes())
        return bool(told["asked"] == asked and told["sha256"] == hashlib.sha256(base.read_bytes()).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _base(path: Path, arch: Arch) -> Image:
    base = image_reader.read(str(path), read(path), arch)
    base_check.refuse(base)
    return base


def place_stubs(targets: Paths, sources: Paths, settings: Settings) -> None:
    """plan.json and stubs.ld from base.so and the object files; settings["MADE_FROM"]: what each source was made from."""
    arch = ARCHES[settings["ARCH"]]
    base = _base(sources[0], arch)
    named = list(zip(sources, settings["MADE_FROM"].split("\n"), strict=True))[1:]
    read_objects = [objects.read(path.name, read(path), source, arch) for path, source in named]
    defined = {symbol: object.source for object in read_objects for symbol in object.defined}
    users = extra.exports([object for object in read_objects if object.name.startswith(inputs.EXTRA)], base.exports)
    decisions = policy.decide(base, policy.parse(settings["POLICY"]), defined, users)
    units = objects.units(read_objects, [decision.stub for decision in decisions if decision.stub], settings["DATA_PAGE"])
    made = place.place(base, decisions, units, settings["DATA_PAGE"])
    write({targets[0]: made.to_json().encode(), targets[1]: stubs.script(made, TEMPLATES).encode()})


def splice(targets: Paths, sources: Paths, settings: Settings) -> None:
    """image.so and its story, image.json, from base.so, stubs.elf and plan.json: spliced and verified."""
    arch = ARCHES[settings["ARCH"]]
    base = _base(sources[0], arch)
    planned = plan.from_json(read(sources[2]).decode())
    linked = stubs.read(str(sources[1]), read(sources[1]), planned)
    spliced, report = spliced_and_verified(base, planned, linked, str(targets[0]))
    made = image_reader.read(str(targets[0]), spliced.image, arch)
    story = {
        "base_sha256": hashlib.sha256(base.file).hexdigest(),
        "base_pages": pages(len(base.data)),
        "linux": base.linux,
        "build_id": made.build_id,
        "data_offset": planned.data_offset,
        "rules": report.rules,
        "exports": [asdict(export) for export in spliced.exports],
        "changes": [asdict(change) for change in spliced.changes],
    }
    write({targets[0]: spliced.image, targets[1]: json.dumps(story, indent=1, sort_keys=True).encode()})


def spliced_and_verified(base: Image, planned: plan.Plan, linked: stubs.Linked, name: str) -> tuple[Spliced, Report]:
    """The image, which messages call `name`, and that it breaks no rule.

    VdsoError where it breaks one that its base breaks too, or a function of the user does; AssertionError (a bug) else.
    """
    spliced = splice_image(base, planned, linked)
    report = verify(spliced.image, base.arch, name=name)
    if not report.findings:
        return spliced, report
    broken = verify(base.file, base.arch, name=base.name).broken
    for unit in (unit for unit in planned.units if unit.object.startswith(inputs.EXTRA)):
        for finding in report.findings:
            if any(d.export in finding.what for d in planned.decisions if d.stub in unit.functions):
                raise VdsoError(unit.source, finding.what, "docs/user-functions.md tells what a function must do")
    own = [finding.what for finding in report.findings if finding.rule not in broken]
    if own:
        raise AssertionError(f"{name} breaks rules that its base keeps: {'; '.join(own)}")
    inherited = "; ".join(finding.what for finding in report.findings)
    raise VdsoError(base.name, f"no sound image can be made of it: {inherited}", OTHER_BASE)


def emit(targets: Paths, sources: Paths, settings: Settings) -> None:
    """The five outputs from image.so, image.json and all files that went in; then the summary, for a person to check."""
    data = read(sources[0])
    facts = {
        **json.loads(read(sources[1])),
        "arch": settings["ARCH"],
        "image_sha256": hashlib.sha256(data).hexdigest(),
        "data_page": settings["DATA_PAGE"],
        "timebase_hz": variables.timebase_hz(settings["DATA_PAGE"], settings["TIMEBASE_HZ"]),
        "load_addr": variables.load_addr(settings["LOAD_ADDR"]),
        "tools": _tools(settings),
        "inputs": inputs.named(sources[2:]),
    }
    blob = from_facts(facts, data)
    outputs = emit_outputs(blob, TEMPLATES, SOURCES)
    write({target: outputs[target.name] for target in targets})
    shown = templating.render(TEMPLATES, "summary.txt.j2", blob=blob, out=targets[0].parent)
    print(shown, end="", flush=True)


def dist(targets: Paths, sources: Paths, settings: Settings) -> None:
    """SHA256SUMS, and beside it archive and SBOM of each blob whose vdso.json is among the sources.

    settings["OWN"]: the folder of the blob whose base is our own. Of Debian's base work/base.so.json is a source too.
    """
    from .sbom import sbom

    records = [path for path in sources if path.name == "base.so.json"]
    program = next(path for path in sources if path.name == release.SELFTEST)
    made: dict[str, bytes] = {}
    for folder in (path.parent for path in sources if path.name == "vdso.json"):
        files = {name: read(folder / name) for name in (*inputs.OUTPUTS, "base.so")}
        facts = json.loads(files["vdso.json"])
        own = folder == Path(settings["OWN"])
        if not own:
            release.refuse_unknown(str(folder / "base.so"), facts["linux"])
        files |= {name: read(inputs.ROOT / place) for name, place in release.licences(own).items()}
        files[release.SELFTEST] = read(program)
        origin = next((_origin(record) for record in records if not own), None)
        packed = release.Release(facts, files, own, origin, inputs.named(inputs.selftest(facts["arch"])))
        made |= release.pack(packed, sbom(packed), TEMPLATES)
    made[release.SUMS] = release.sums(made)
    old = release.listed(targets[0])
    write({targets[0].parent / name: data for name, data in made.items()})
    for name in old.keys() - made.keys():  # of another Linux, which would be taken for one of this build's
        (targets[0].parent / name).unlink(missing_ok=True)
    for name in made:
        print(f"  MADE    {targets[0].parent / name}", flush=True)


def _origin(record: Path) -> release.Origin | None:
    """Where a fetched base came from; None where an older version fetched it, which did not ask."""
    told = json.loads(read(record)).get("origin")
    return release.Origin(**told) if told else None


def report(targets: Paths, sources: Paths, settings: Settings) -> None:
    """report.html from vdso.so, vdso.json, base.so and plan.json."""
    from . import report as page  # its parts are imported only where it is asked for

    blob = from_facts(json.loads(read(sources[1])), read(sources[0]))
    base = _base(sources[2], ARCHES[settings["ARCH"]])
    made = page.report(base, blob, plan.from_json(read(sources[3]).decode()))
    write({targets[0]: page.page(made, TEMPLATES)})


def _tools(settings: Settings) -> dict[str, str]:
    """Name to version of all that took part; of the compiler, which no lock file names, the SHA-256 of its programs too."""
    tools = {name: version(name) for name in ("scons", "lief", "pyelftools", "capstone", "jinja2")}
    parts = {name: toolchain.part(settings["CC"], name, settings["PATH"]) for name in ("cc1", "as")}
    for name, command in {"gcc": settings["CC"], "ld": settings["LD"], **parts}.items():
        program = shutil.which(command, path=settings["PATH"])
        if program is not None:
            told = f"{toolchain.version(program)}, " if name != "cc1" else ""  # which has gcc's, and does not say it
            tools[name] = f"{told}sha256 {inputs.sha256(Path(program))}"
    return tools

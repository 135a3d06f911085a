# SPDX-License-Identifier: MIT
"""The steps of a build: each reads files, calls `pipeline`, and writes files. A step has the name that the build prints.

A step computes and checks everything before it writes anything; then each file appears whole. All steps take the same
arguments: the paths of the targets, the sources, and the tool's construction variables without `VDSO_`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import SCons

from .. import layout, pipeline, templating, variables
from ..arch import ARCHES
from ..data_page import DataPage
from ..emit.blob import Blob, blob_from_facts, image_from_json
from ..emit.provenance import input_digests, output_templates, selftest_sources, stub_sources
from ..emit.tools import tool_versions
from ..extract.find import find
from ..place.linked import linker_script, read_linked
from ..place.plan import plan_from_json
from ..policy.decide import parse_policy
from ..release import archive
from ..stubs import included
from ..stubs.objects import read_object
from .files import read_file, write_files


@dataclass(frozen=True)
class Source:
    """A file that a step reads.

    made_from   what the build made it from, for messages; the file itself where it was not made
    users       the user wrote that file, not we
    """

    path: Path
    made_from: str
    users: bool

    def read(self) -> bytes:
        """Return the bytes of the file. VdsoError where it can't be read."""
        return read_file(self.path)


Targets = Sequence[Path]
Sources = Sequence[Source]
Settings = Mapping[str, str]


def extract(targets: Targets, sources: Sources, settings: Settings) -> None:
    """Make base.so from a file that holds a vDSO."""
    found = pipeline.base_in(str(sources[0].path), sources[0].read(), ARCHES[settings["ARCH"]])
    write_files({targets[0]: found})


def fetch(targets: Targets, _sources: Sources, settings: Settings) -> None:
    """Make base.so from a kernel package of Debian, and the record of where it came from.

    A base that was downloaded for the same settings stays, whatever SCons remembers.
    """
    from ..extract import debian  # imported late: only a download must pay for it

    arch = ARCHES[settings["ARCH"]]
    asked = f"{settings['BASE']} {arch.name} {settings['MIRROR']}".rstrip()
    if _fetched(targets[0], targets[1], asked):
        _tell(settings, "  KEPT    what was fetched before")
        return
    kernel = debian.fetch_kernel(
        arch, settings["BASE"].partition(":")[2], settings["MIRROR"], lambda line: _tell(settings, f"  {line}")
    )
    name = f"{kernel.package} {kernel.version} ({kernel.suite})"
    found = find(name, kernel.data, arch)
    origin = archive.Origin(kernel.package, kernel.version, kernel.source, kernel.source_version)
    record = {"asked": asked, "package": name, "sha256": hashlib.sha256(found).hexdigest(), "origin": asdict(origin)}
    write_files({targets[0]: found, targets[1]: json.dumps(record, indent=1, sort_keys=True).encode()})


def _tell(settings: Settings, text: str) -> None:
    """Print what a step has to tell, unless SCons was asked to be silent."""
    if not settings["SILENT"]:
        print(text, flush=True)


def _fetched(base: Path, record: Path, asked: str) -> bool:
    """Tell whether `base` was downloaded for the same settings, and is unchanged."""
    try:
        facts = json.loads(record.read_bytes())
        return bool(facts["asked"] == asked and facts["sha256"] == hashlib.sha256(base.read_bytes()).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def place(targets: Targets, sources: Sources, settings: Settings) -> None:
    """Make plan.json and stubs.ld from base.so and the object files."""
    arch = ARCHES[settings["ARCH"]]
    base = pipeline.base(str(sources[0].path), sources[0].read(), arch)
    objects = [read_object(s.path.name, s.read(), s.made_from, s.users, arch) for s in sources[1:]]
    policy, data_page = parse_policy(settings["POLICY"], arch), DataPage(settings["DATA_PAGE"])
    counter = variables.counter_word(settings["COUNTER"], arch)
    page_size = variables.page_size(settings["PAGE_SIZE"], arch)
    plan = pipeline.plan(base, objects, policy, data_page, counter, page_size)
    write_files({targets[0]: plan.to_json().encode(), targets[1]: linker_script(plan).encode()})


def splice(targets: Targets, sources: Sources, settings: Settings) -> None:
    """Make image.so, spliced and verified, and image.json from base.so, stubs.elf and plan.json."""
    base_so, linked, planned = sources
    base = pipeline.base(str(base_so.path), base_so.read(), ARCHES[settings["ARCH"]])
    plan = plan_from_json(planned.read().decode())
    stubs = read_linked(str(linked.path), linked.read(), plan)
    image = pipeline.image(base, plan, stubs, DataPage(settings["DATA_PAGE"]), str(targets[0]))
    write_files({targets[0]: image.data, targets[1]: image.to_json().encode()})


def emit(targets: Targets, sources: Sources, settings: Settings) -> None:
    """Make the five outputs from image.so, image.json, the user's sources and their records; then print the summary."""
    image = image_from_json(sources[1].read().decode(), sources[0].read())
    records = [source for source in sources[2:] if source.path.name.endswith(included.RECORD)]
    users = [source.path for source in sources[2:] if source not in records]
    ours = [*stub_sources(settings["ARCH"], image.maker.own), *output_templates(settings["ARCH"])]
    blob = Blob(
        image=image,
        load_addr=variables.load_addr(settings["LOAD_ADDR"], image.page_size),
        timebase_hz=variables.timebase_hz(image.data_page, settings["TIMEBASE_HZ"]),
        tools=tool_versions(SCons.__version__, settings["CC"], settings["LD"], settings["PATH"]),
        inputs=input_digests([*ours, *users, *included.included(source.read() for source in records)]),
    )
    made = pipeline.blob(blob)
    write_files({target: made[target.name] for target in targets})
    shown = templating.render("summary.txt.j2", blob=blob, image=image, out=targets[0].parent)
    _tell(settings, shown.removesuffix("\n"))


def dist(targets: Targets, sources: Sources, settings: Settings) -> None:
    """Make SHA256SUMS, and beside it the archive and the SBOM of each blob whose vdso.json is among the sources.

    The record of a base from Debian is a source too. Of two blobs from `minimal` the first is packed.
    """
    from ..release.sbom import sbom

    paths = [source.path for source in sources]
    records = [path for path in paths if path.name == Path(layout.FETCHED).name]
    program = next(path for path in paths if path.name == layout.SELFTEST)
    made: dict[str, bytes] = {}
    for folder in (path.parent for path in paths if path.name == layout.JSON):
        files = {name: read_file(folder / name) for name in (*layout.OUTPUTS, layout.BASE)}
        blob = blob_from_facts(json.loads(files[layout.JSON]), files[layout.SO])
        own = blob.image.maker.own
        archive.refuse_unknown(str(folder / layout.BASE), blob.image.maker)
        files |= {name: read_file(path) for name, path in archive.licences(own).items()}
        files[layout.SELFTEST] = read_file(program)
        origin = next((_origin(record) for record in records if not own), None)
        packed = archive.Release(blob, files, origin, input_digests(selftest_sources(blob.image.arch)))
        made = archive.pack(packed, sbom(packed)) | made
    made[archive.SUMS] = archive.sums(made)
    old = archive.listed(targets[0])
    write_files({targets[0].parent / name: data for name, data in made.items()})
    for name in old.keys() - made.keys():  # an archive of another Linux would be taken for one of this build
        (targets[0].parent / name).unlink(missing_ok=True)
    for name in made:
        _tell(settings, f"  MADE    {targets[0].parent / name}")


def _origin(record: Path) -> archive.Origin | None:
    """Return where a downloaded base came from; None where an older version of this tool did not record that."""
    origin = json.loads(read_file(record)).get("origin")
    return archive.Origin(**origin) if origin else None


def report(targets: Targets, sources: Sources, _settings: Settings) -> None:
    """Make report.html from vdso.so, vdso.json, base.so and plan.json."""
    from ..show import page  # imported late: only a report must pay for it

    image, facts, base_so, planned = sources
    blob = blob_from_facts(json.loads(facts.read()), image.read())
    base = pipeline.base(str(base_so.path), base_so.read(), ARCHES[blob.image.arch])
    write_files({targets[0]: page.html(page.shown(base, blob, plan_from_json(planned.read().decode())))})

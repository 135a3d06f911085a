# SPDX-License-Identifier: MIT
"""The same inputs give the same bytes wherever, whenever and by whomever, and vdso.json says what the inputs were."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bases import bases, minimal
from elf_builder import Spec, build
from faults import Scons, contents, copy_tree, other_user
from repository import ROOT
from vdso.arch import ARCHES, DEFAULT
from vdso.arch.arch import Arch

STUB = "long {}getcpu(void) {{ return 7; }}\n"
WEEKDAY = rb"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
DATES = re.compile(WEEKDAY + rb"|(?<!\d)((19|20)\d\d-\d\d-\d\d|\d\d:\d\d:\d\d)(?!\d)")  # also as in 2031-05-05T05:05:05
CHANGED_DIST = {
    "site_scons/site_tools/vdso/release/archive.py": ("fileobj=data, mtime=0", "fileobj=data, mtime=None"),
    "site_scons/site_tools/vdso/release/sbom.py": ("    bom.metadata.timestamp = None  # type: ignore[assignment]", "    #"),
}
CHANGED = {"site_scons/site_tools/vdso/emit/outputs.py": ("blob.facts()", "{**blob.facts(), 'made': __file__}")}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def given(folder: Path, base: bytes, arch: Arch = DEFAULT) -> tuple[str, ...]:
    """Return the arguments for a base and a stub of the user, as files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.so").write_bytes(base)
    (folder / "mine.c").write_text(STUB.format(arch.export_prefix))
    words = (f"BASE={folder}/base.so", f"EXTRA_SRC={folder}/mine.c", "POLICY=clock_getres:syscall")
    return words if arch is DEFAULT else (f"ARCH={arch.name}", *words)


def elsewhere(folder: Path, *words: str, sabotage: dict[str, tuple[str, str]] | None = None) -> dict[str, bytes]:
    """Run a build that shares only its inputs with the others, and return its outputs."""
    tree = copy_tree(folder / "ein Ördner", sabotage)
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    out = folder / "出力"
    out.mkdir()
    out.chmod(0o777)
    scons = Scons(out, tree)
    done = scons.run(
        *words, "-j7", before=lambda: os.umask(0o077) and None, prefix=(*other_user(), "faketime", "2031-05-05 05:05:05"),
        TZ="Asia/Kolkata", LANG="C", LC_ALL="C", PYTHONHASHSEED="7", HOME="/", USER="nobody", COLUMNS="30",
        PYTHONDONTWRITEBYTECODE="1")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if other_user():
        assert (out / "vdso.so").stat().st_uid != os.getuid()
    return contents(out)


def handed_out(out: Path) -> dict[str, bytes]:
    """Return the files that `dist` made in `out`, and those in its archives."""
    made = {path.name: path.read_bytes() for path in (out / "dist").iterdir()}
    for archive in [data for name, data in made.items() if name.endswith(".tar.gz")]:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            made |= {member.name: tar.extractfile(member).read() for member in tar}
    return made


def leaks(made: dict[str, bytes], *places: Path) -> list[str]:
    """Return the places at which outputs speak of this machine, of `places` or of a day."""
    words = [str(place).encode() for place in (ROOT, Path.home(), *places)] + [platform.node().encode()]
    found = [(name, word) for name, data in made.items() for word in words if len(word) > 3 and word in data]
    found += [(name, match[0]) for name, data in made.items() for match in DATES.finditer(data)]
    return [f"{name}: {word!r}" for name, word in found]


@pytest.fixture
def far() -> Iterator[Path]:
    """Make a folder that everybody may enter: pytest's own are of one user, and lld asks what a user may without privileges."""
    with tempfile.TemporaryDirectory(prefix="scons-vdso-far.") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("arch", ARCHES.values(), ids=ARCHES)
def test_same_inputs_same_bytes(arch: Arch, tmp_path: Path, far: Path, full: bool) -> None:
    """Of our own base, and of Linux's where there is one."""
    real = bases(f"{arch.name}-linux-*[0-9].so")
    for path in (minimal(arch), *(real if full else real[:1])):
        folder, data = tmp_path / path.stem, path.read_bytes()
        here = Scons(folder / "out").good(*given(folder / "one", data, arch))
        assert elsewhere(far / path.stem, *given(far / path.stem / "two", data, arch)) == here
        assert not leaks(here, tmp_path, far, Path(*tmp_path.parts[:3]))


def test_of_minimal_too_and_both_can_fail(tmp_path: Path) -> None:
    here = Scons(tmp_path / "out").good("BASE=minimal")
    there = elsewhere(tmp_path / "elsewhere", "BASE=minimal", sabotage=CHANGED)
    assert {name for name in here if here[name] != there[name]} == {"vdso.json"}
    facts = json.loads(there["vdso.json"])
    told = facts.pop("made")
    modules = "site_scons/site_tools/vdso/**.py"
    assert facts["inputs"].pop(modules) != (mine := json.loads(here["vdso.json"]))["inputs"].pop(modules)
    assert facts == mine
    assert leaks(there, tmp_path) == [f"vdso.json: {str(tmp_path).encode()!r}"]
    assert told.startswith(str(tmp_path))
    assert leaks({"vdso.h": b" * made on 2031-05-05, a Mon at 05:05:05"}) != []


def test_dist_too(tmp_path: Path) -> None:
    data = build(Spec())
    Scons(tmp_path / "out").good("dist", *given(tmp_path / "one", data))
    elsewhere(tmp_path / "elsewhere", "dist", *given(tmp_path / "two", data))
    here = handed_out(tmp_path / "out")
    assert len(here) > 20
    assert handed_out(tmp_path / "elsewhere" / "出力") == here
    compressed = {name for name in here if name.endswith(".gz")}
    assert not leaks({name: data for name, data in here.items() if name not in compressed}, tmp_path, Path(*tmp_path.parts[:3]))


def test_dist_can_fail(tmp_path: Path) -> None:
    """Two ways in which an archive commonly differs: the time in the head of gzip, and in the SBOM."""
    Scons(tmp_path / "out").good("dist", "BASE=minimal")
    elsewhere(tmp_path / "elsewhere", "dist", "BASE=minimal", sabotage=CHANGED_DIST)
    here, there = handed_out(tmp_path / "out"), handed_out(tmp_path / "elsewhere" / "出力")
    names = {name.partition("/")[2] or name for name in here if here[name] != there[name]}
    archive, bom = "vdso-riscv64-minimal.tar.gz", "vdso-riscv64-minimal.cdx.json"
    # vdso.json and both sums only tell of the others, or of the code that was changed
    assert names == {archive, bom, "vdso.cdx.json", "vdso.json", "SHA256SUMS"}
    assert here[archive][4:8] == bytes(4) != there[archive][4:8]
    assert leaks({bom: there[bom]}) != []


def test_the_facts_name_all_that_went_in(tmp_path: Path) -> None:
    words = given(tmp_path, build(Spec()))
    scons = Scons(tmp_path / "out")
    facts = json.loads(scons.good(*words)["vdso.json"])
    assert facts["base_sha256"] == sha256(tmp_path / "base.so") == sha256(tmp_path / "out" / "base.so")
    assert facts["image_sha256"] == sha256(tmp_path / "out" / "vdso.so")
    told = dict(facts["inputs"])
    assert told.pop("EXTRA_SRC/mine.c") == sha256(tmp_path / "mine.c")
    assert re.fullmatch("[0-9a-f]{64}", told.pop("site_scons/site_tools/vdso/**.py"))
    sources = {
        p
        for folder in ("vdso_src", "vdso_src/riscv64", "vdso_src/freestanding")
        for p in (ROOT / folder).iterdir()
        if p.is_file()
    }
    templates = {path for path in (ROOT / "templates").iterdir() if path.name.startswith(("vdso", "stubs"))}
    templates |= set((ROOT / "templates" / "riscv64").iterdir())
    files = sources | templates | {ROOT / "requirements.txt"}
    assert told == {path.relative_to(ROOT).as_posix(): sha256(path) for path in files}
    for tool in ("gcc", "ld"):
        program = shutil.which(f"riscv64-linux-gnu-{tool}")
        assert program
        assert facts["tools"][tool].endswith(f"sha256 {sha256(Path(program))}")
    assert {"cc1", "as", "scons", "lief", "pyelftools", "capstone", "jinja2"} <= facts["tools"].keys()
    assert (tmp_path / "out" / "vdso.json").read_text().count(str(tmp_path)) == 0


def test_the_facts_follow_a_source_whose_code_stays_the_same(tmp_path: Path) -> None:
    """A comment changes no object file, and so nothing that is linked; vdso.json must say it all the same."""
    tree = copy_tree(tmp_path / "tree")
    scons = Scons(tmp_path / "out", tree)
    before = json.loads(scons.good("BASE=minimal")["vdso.json"])
    source = tree / "vdso_src" / "clock_getres.c"
    source.write_text(source.read_text() + "/* another comment */\n")
    after = json.loads(scons.good("BASE=minimal")["vdso.json"])
    assert after["inputs"].pop("vdso_src/clock_getres.c") == sha256(source) != before["inputs"].pop("vdso_src/clock_getres.c")
    assert after == before

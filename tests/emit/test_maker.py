# SPDX-License-Identifier: MIT
"""Whose bytes the outputs say that an image has: those of the base that it was made from, whatever that base leaves unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bases import MINIMAL
from elf_builder import Spec
from elf_builder import build as build_base
from spliced import spliced
from stub_build import compile_all
from vdso import pipeline, templating
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import our_note
from vdso.emit.blob import Blob, blob_from_facts, image_from_json
from vdso.errors import VdsoError
from vdso.image.maker import Maker, from_version, maker
from vdso.release import archive

LINUX = (b"Linux\0", 0, (0x0700_02_0D).to_bytes(4, "little"))
OURS = (our_note.MINIMAL, our_note.TYPE, b"")
BUILD_ID = (b"GNU\0", 3, bytes(20))
TOLD = {
    "minimal": (Maker(own=True, linux=""), "minimal", "MIT", "none"),
    "5.4": (Maker(own=False, linux=""), "Linux of unknown version", "GPL-2.0", "unknown"),
    "7.2.13": (Maker(own=False, linux="7.2.13"), "Linux 7.2.13", "GPL-2.0", "7.2.13"),
}


@pytest.mark.parametrize(
    ("notes", "made_by"),
    [
        ([], "5.4"),
        ([BUILD_ID], "5.4"),
        ([BUILD_ID, OURS], "minimal"),
        ([(our_note.MINIMAL, 0x100, b"")], "5.4"),
        ([(b"scons-vdso minimum\0", our_note.TYPE, b"")], "5.4"),
    ],
)
def test_a_vdso_is_ours_only_where_it_says_so(notes: list[tuple[bytes, int, bytes]], made_by: str) -> None:
    assert maker(notes) == TOLD[made_by][0]


def test_what_names_a_linux_is_not_ours() -> None:
    linux = Maker(own=False, linux="1792.2.13")
    assert maker([LINUX]) == maker([OURS, LINUX]) == maker([LINUX, OURS]) == linux


@pytest.mark.parametrize(("made_by", "called", "_licence", "version"), TOLD.values(), ids=TOLD)
def test_a_maker_has_a_name_and_a_version(made_by: Maker, called: str, _licence: str, version: str) -> None:
    assert (str(made_by), made_by.version) == (called, version)
    assert from_version(version) == made_by


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


def blob_of(which: str, compiled: list[Path], folder: Path) -> Blob:
    linux = {"5.4": None, "7.2.13": 0x07020D}
    data = MINIMAL.read_bytes() if which == "minimal" else build_base(Spec(linux=linux[which]))
    return Blob(spliced(data, compiled, folder).image, 0x300000000, None, {}, {})


@pytest.mark.parametrize("which", TOLD)
def test_every_output_says_whose_bytes_it_has(which: str, compiled: list[Path], tmp_path: Path) -> None:
    _, called, licence, version = TOLD[which]
    blob = blob_of(which, compiled, tmp_path)
    outputs = pipeline.blob(blob)
    for name in ("vdso.h", "vdso.rs", "vdso.S"):
        text = outputs[name].decode()
        assert f"Base: {'' if which == 'minimal' else 'vDSO of '}{called} for riscv64" in text
        (line,) = (line for line in text.splitlines() if "Licence of the bytes" in line)
        assert line.partition(": ")[2].startswith(licence)
    assert json.loads(outputs["vdso.json"])["linux"] == version
    summary = templating.render("summary.txt.j2", blob=blob, image=blob.image, out=tmp_path)
    assert f"base     {called}, SHA-256" in summary


@pytest.mark.parametrize("which", TOLD)
def test_files_keep_who_made_the_base(which: str, compiled: list[Path], tmp_path: Path) -> None:
    blob = blob_of(which, compiled, tmp_path)
    assert image_from_json(blob.image.to_json(), blob.image.data) == blob.image
    assert blob_from_facts(json.loads(json.dumps(blob.facts())), blob.image.data) == blob


def test_only_what_is_known_to_be_somebodys_is_packed(compiled: list[Path], tmp_path: Path) -> None:
    for which in ("minimal", "7.2.13"):
        archive.refuse_unknown("base.so", blob_of(which, compiled, tmp_path).image.maker)
    with pytest.raises(VdsoError, match=r"^base.so: has no note with a version of Linux"):
        archive.refuse_unknown("base.so", blob_of("5.4", compiled, tmp_path).image.maker)


def test_the_image_of_our_base_is_known_for_ours_too(compiled: list[Path], tmp_path: Path) -> None:
    """So is a base that somebody keeps as a file."""
    image = blob_of("minimal", compiled, tmp_path).image
    assert our_note.MINIMAL in image.data
    assert pipeline.base("kept.so", MINIMAL.read_bytes(), RISCV64).maker.own

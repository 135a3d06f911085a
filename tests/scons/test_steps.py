# SPDX-License-Identifier: MIT
"""The step that fetches a base: what it downloads once, it does not download again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from container_builder import deb
from elf_builder import Spec, build
from vdso.extract import debian
from vdso.scons import steps

SETTINGS = {"SILENT": "", "ARCH": "riscv64", "BASE": "debian:sid", "MIRROR": "http://mirror.example/debian"}


class Site:
    """Debian, as `fetch` asks it. `linux`: the version of the kernel that it has now."""

    def __init__(self) -> None:
        self.linux, self.asked = 0x070200, 0

    def fetch_kernel(self, *words: object) -> debian.Kernel:
        self.asked += 1
        tell = words[-1]
        assert callable(tell)
        tell("FOUND   it")
        data = deb(**{"usr/lib/modules/7/vdso/vdso.so": build(Spec(linux=self.linux))})
        return debian.Kernel("linux-image-7", "7.2-1", "linux", "7.2-1", "sid", "site", data)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site()
    monkeypatch.setattr(debian, "fetch_kernel", site.fetch_kernel)
    return site


def fetch(folder: Path, **changed: str) -> bytes:
    steps.fetch([folder / "base.so", folder / "fetched.json"], [], {**SETTINGS, **changed})
    return (folder / "base.so").read_bytes()


def test_a_base_is_fetched_once(tmp_path: Path, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    first = fetch(tmp_path)
    assert first == build(Spec(linux=0x070200))
    assert capsys.readouterr().out == "  FOUND   it\n"
    site.linux += 1
    assert fetch(tmp_path) == first
    assert capsys.readouterr().out == "  KEPT    what was fetched before\n"
    assert site.asked == 1
    record = json.loads((tmp_path / "fetched.json").read_text())
    assert record["package"] == "linux-image-7 7.2-1 (sid)"
    assert record["origin"] == {"package": "linux-image-7", "version": "7.2-1", "source": "linux", "source_version": "7.2-1"}


def other_base(folder: Path) -> None:
    (folder / "base.so").write_bytes(build(Spec()))


def no_base(folder: Path) -> None:
    (folder / "base.so").unlink()


def no_record(folder: Path) -> None:
    (folder / "fetched.json").unlink()


def damaged_record(folder: Path) -> None:
    (folder / "fetched.json").write_text("{")


def record_of_nothing(folder: Path) -> None:
    (folder / "fetched.json").write_text("{}")


def record_of_another_kind(folder: Path) -> None:
    (folder / "fetched.json").write_text("[]")


@pytest.mark.parametrize("change", [other_base, no_base, no_record, damaged_record, record_of_nothing, record_of_another_kind])
def test_what_is_not_as_it_was_fetched_is_fetched_again(change: Callable[[Path], None], tmp_path: Path, site: Site) -> None:
    first = fetch(tmp_path)
    change(tmp_path)
    assert fetch(tmp_path) == first
    assert site.asked == 2


@pytest.mark.parametrize("changed", [{"BASE": "debian"}, {"MIRROR": ""}, {"MIRROR": "http://other.example"}])
def test_another_question_is_asked(changed: dict[str, str], tmp_path: Path, site: Site) -> None:
    fetch(tmp_path)
    site.linux += 1
    assert fetch(tmp_path, **changed) == build(Spec(linux=site.linux))
    assert site.asked == 2
    fetch(tmp_path, **changed)
    assert site.asked == 2

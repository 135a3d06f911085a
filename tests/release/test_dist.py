# SPDX-License-Identifier: MIT
"""`scons dist`: what is in the archives, that the sums hold, that what is copied works, and when they are made anew."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from elf_builder import Spec, build
from faults import Scons
from repository import ROOT
from scons.test_faults_debian import fetching

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
COMMON = {*OUTPUTS, "base.so", "vdso-selftest", "vdso.cdx.json", "README.md", "SHA256SUMS", "LICENSES/MIT.txt"}
LINUX_TOO = {"LICENSES/GPL-2.0-only.txt", "LICENSES/Linux-syscall-note.txt"}
LINUX, MINIMAL = "vdso-riscv64-6.12.117", "vdso-riscv64-minimal"
UP_TO_DATE = "scons: `dist' is up to date.\n"
STUB = "long __vdso_getcpu(void) { return 7; }\n"


class Dist(Scons):
    """`scons dist OUT=out`."""

    def command(self, *words: str) -> list[str]:
        return ["dist" if word == "vdso" else word for word in super().command(*words)]

    def made(self, *words: str) -> dict[str, bytes]:
        """Run `dist`, which must go well, and return the files that it left."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.there()

    def there(self) -> dict[str, bytes]:
        folder = self.out / "dist"
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


def base(folder: Path, **spec: int | None) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.so").write_bytes(build(Spec(**spec)))
    return f"BASE={folder}/base.so"


def unpacked(archive: bytes, folder: Path) -> Path:
    """Unpack an archive with tar, and return the one folder in it."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xzf", "-", "-C", folder], input=archive, check=True)
    (inside,) = folder.iterdir()
    return inside


def sums_hold(folder: Path) -> bool:
    """Tell whether `sha256sum -c` accepts the SHA256SUMS in `folder`."""
    return (
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, check=False).returncode
        == 0
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    """Make the archives from a base of Linux, as a file, with a stub and a policy of the user."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "mine.c").write_text(STUB)
    dist = Dist(folder / "out")
    dist.made(base(folder), f"EXTRA_SRC={folder}/mine.c", "POLICY=flush_icache:hide")
    return dist


def test_names_and_contents(dist: Dist, tmp_path: Path) -> None:
    there = dist.there()
    assert there.keys() == {"SHA256SUMS", *(f"{name}.{end}" for name in (LINUX, MINIMAL) for end in ("tar.gz", "cdx.json"))}
    for name, place, wanted in ((LINUX, dist.out, COMMON | LINUX_TOO), (MINIMAL, dist.out / "minimal", COMMON)):
        folder = unpacked(there[f"{name}.tar.gz"], tmp_path / name)
        assert folder.name == name
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == wanted
        for file in (*OUTPUTS, "base.so"):
            assert (folder / file).read_bytes() == (place / file).read_bytes()
        assert (folder / "vdso-selftest").read_bytes() == (dist.out / "vdso-selftest").read_bytes()
        assert (folder / "vdso.cdx.json").read_bytes() == there[f"{name}.cdx.json"]
        assert (folder / "LICENSES/MIT.txt").read_bytes() == (ROOT / "LICENSE").read_bytes()
        for file in LINUX_TOO & wanted:
            assert (folder / file).read_bytes() == (ROOT / file).read_bytes()


def test_nothing_of_user_and_day_is_in_the_archive(dist: Dist) -> None:
    for name in (LINUX, MINIMAL):
        archive = dist.there()[f"{name}.tar.gz"]
        assert archive[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", "RFC 1952: no name, no time, no system"
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            found = tar.getmembers()
        assert [member.name for member in found] == sorted(member.name for member in found)
        for member in found:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            assert member.isfile()
            assert member.mode == (0o755 if member.name.endswith("/vdso-selftest") else 0o644)


def test_sums(dist: Dist, tmp_path: Path) -> None:
    assert sums_hold(dist.out / "dist")
    assert {line.split("  ")[1] for line in dist.there()["SHA256SUMS"].decode().splitlines()} == dist.there().keys() - {
        "SHA256SUMS"
    }
    folder = unpacked(dist.there()[f"{LINUX}.tar.gz"], tmp_path)
    assert sums_hold(folder)
    for name in sorted((COMMON | LINUX_TOO) - {"SHA256SUMS"}):
        data = bytearray((folder / name).read_bytes())
        good = bytes(data)
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        assert not sums_hold(folder), name
        (folder / name).write_bytes(good)
    assert sums_hold(folder)


def test_the_header_and_the_module_are_all_that_a_kernel_needs(dist: Dist, tmp_path: Path) -> None:
    folder = unpacked(dist.there()[f"{LINUX}.tar.gz"], tmp_path / "there")
    image = (folder / "vdso.so").read_bytes()
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    for name in ("vdso.h", "vdso.rs"):
        (kernel / name).write_bytes((folder / name).read_bytes())
    (kernel / "kernel.c").write_text('#define VDSO_IMPLEMENTATION\n#include "vdso.h"\n')
    strict = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffreestanding")
    subprocess.run(["riscv64-linux-gnu-gcc", *strict, "-c", "kernel.c"], cwd=kernel, check=True)
    assert image in (kernel / "kernel.o").read_bytes()
    (kernel / "lib.rs").write_text("#![no_std]\n#![deny(warnings)]\npub mod vdso;\n")
    subprocess.run(["rustc", "--edition", "2021", "--crate-type", "lib", "lib.rs"], cwd=kernel, check=True)


def test_the_readme_says_what_it_is(dist: Dist, tmp_path: Path) -> None:
    folder = unpacked(dist.there()[f"{LINUX}.tar.gz"], tmp_path / "linux")
    facts = json.loads((folder / "vdso.json").read_text())
    text = (folder / "README.md").read_text()
    for word in (
        facts["base_sha256"],
        facts["image_sha256"],
        "Linux 6.12.117",
        "1 of data behind",
        "sha256sum -c",
        "vdso_data_init",
    ):
        assert word in text, word
    assert "(GPL-2.0-only WITH Linux-syscall-note) AND MIT" in text
    assert "given as a file" in text
    assert "code of `EXTRA_SRC/mine.c`, which is not part of scons-vdso" in text
    assert max(map(len, text.splitlines())) < 160
    own = (unpacked(dist.there()[f"{MINIMAL}.tar.gz"], tmp_path / "minimal") / "README.md").read_text()
    assert "MIT, all of it" in own
    assert "GPL" not in own
    assert "mine.c" not in own


def test_the_sboms_are_valid_and_name_what_vdso_json_names(dist: Dist) -> None:
    for name, place in ((LINUX, dist.out), (MINIMAL, dist.out / "minimal")):
        text = dist.there()[f"{name}.cdx.json"].decode()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        bom, facts = json.loads(text), json.loads((place / "vdso.json").read_text())
        digests = {part["name"]: part["hashes"][0]["content"] for part in bom["components"]}
        assert {key: value for key, value in facts["inputs"].items() if "*" not in key}.items() <= digests.items()
        parts = {part["name"]: part["hashes"][0]["content"] for part in bom["metadata"]["component"]["components"]}
        assert (parts["base.so"], parts["vdso.so"]) == (facts["base_sha256"], facts["image_sha256"])
        assert {tool["name"] for tool in bom["metadata"]["tools"]["components"]} == {*facts["tools"], "scons-vdso"}


def test_stub_and_policy_are_for_the_users_base_alone(dist: Dist) -> None:
    """The base `minimal` may not have the export that they are for."""
    exports = {}
    for place in (dist.out, dist.out / "minimal"):
        facts = json.loads((place / "vdso.json").read_text())
        exports[place.name] = {export["name"]: export["policy"] for export in facts["exports"]}
    assert exports["out"]["__vdso_getcpu"] == "replace"
    assert exports["out"]["__vdso_flush_icache"] == "hide"
    assert exports["minimal"]["__vdso_getcpu"] == exports["minimal"]["__vdso_flush_icache"] == "keep"


def test_a_base_from_debian_names_package_and_source(tmp_path: Path) -> None:
    with fetching(tmp_path) as (scons, words):
        there = Dist(scons.out, scons.root).made(*words)
    folder = unpacked(there["vdso-riscv64-6.12.117.tar.gz"], tmp_path / "x")
    text = (folder / "README.md").read_text()
    assert "source package `linux-image-6.12.107-riscv64` 6.12.107-1" in text, "a package that names no source is its own"
    assert "https://snapshot.debian.org/package/linux-image-6.12.107-riscv64/6.12.107-1/" in text
    parts = json.loads((folder / "vdso.cdx.json").read_text())["metadata"]["component"]["components"]
    (parent,) = next(part for part in parts if part["name"] == "base.so")["pedigree"]["ancestors"]
    assert parent["purl"] == "pkg:deb/debian/linux-image-6.12.107-riscv64@6.12.107-1?arch=riscv64"
    assert parent["licenses"] == [{"expression": "GPL-2.0-only WITH Linux-syscall-note"}]


def test_the_name_tells_unusual_pages(tmp_path: Path) -> None:
    """A kernel that maps the data page behind the image, and no other one, must not get an image that looks for more."""
    dist = Dist(tmp_path / "out")
    for page, words, told in (
        ("before", (), "1 of data before"),
        ("none", ("TIMEBASE_HZ=10000000",), "none of data: the counter runs at 10000000 Hz"),
    ):
        name = f"{MINIMAL}-{page}"
        there = dist.made("BASE=minimal", f"DATA_PAGE={page}", *words)
        assert there.keys() == {"SHA256SUMS", f"{name}.tar.gz", f"{name}.cdx.json"}
        text = (unpacked(there[f"{name}.tar.gz"], tmp_path / page) / "README.md").read_text()
        assert told in text
        assert ("vdso_data_init" in text) == (page != "none")
    name = f"{MINIMAL}-before-mmio0xff8"
    there = dist.made("BASE=minimal", "DATA_PAGE=before", "COUNTER=mmio:0xff8")
    assert there.keys() == {"SHA256SUMS", f"{name}.tar.gz", f"{name}.cdx.json"}
    text = (unpacked(there[f"{name}.tar.gz"], tmp_path / "mmio") / "README.md").read_text()
    assert "map the page of mtime for user mode, read-only,\n   at `VDSO_LOAD_ADDR + VDSO_COUNTER_OFFSET`" in text
    assert "otherwise each read traps" not in text


def test_made_anew_only_when_needed_and_nothing_old_or_unknown_stays(tmp_path: Path) -> None:
    dist = Dist(tmp_path / "out")
    words = base(tmp_path)
    made = dist.made(words)
    assert dist.run(words).stdout == UP_TO_DATE
    archive = dist.out / "dist" / f"{LINUX}.tar.gz"
    for harm in (archive.unlink, lambda: archive.write_bytes(b"?")):
        harm()
        assert dist.made(words) == made
    assert dist.run(words).stdout == UP_TO_DATE
    other = dist.made(base(tmp_path, linux=0x070000))
    assert {name for name in other if name not in made} == {"vdso-riscv64-7.0.0.tar.gz", "vdso-riscv64-7.0.0.cdx.json"}
    assert {name for name in made if name not in other} == {f"{LINUX}.tar.gz", f"{LINUX}.cdx.json"}
    done = dist.run(base(tmp_path, linux=None))
    assert done.returncode == 2
    assert done.stderr == (
        f"scons: *** [{dist.out}/dist/SHA256SUMS] {dist.out}/base.so: has no note with a version of Linux, "
        "so name and licence of an archive of it are not known; take a vDSO of Linux, or BASE=minimal\n"
    )
    assert dist.there() == other
    assert dist.run("-c", words).returncode == 0
    assert dist.there() == {}
    assert not list((tmp_path / "out").rglob("vdso.*"))


def test_it_is_all_or_the_one_before(tmp_path: Path) -> None:
    """SHA256SUMS appears last: a run that is killed before is known by it, and the next one makes good."""
    dist = Dist(tmp_path / "out")
    Scons(dist.out).good("BASE=minimal")
    assert not (dist.out / "dist").exists(), "nothing of it is made for who does not ask for it"
    assert not (dist.out / "vdso-selftest").exists()
    made = dist.made("BASE=minimal")
    assert dist.faulty(tmp_path, "kill", "SHA256SUMS", "BASE=minimal", "LOAD_ADDR=0x500000000").returncode < 0
    assert dist.there()["SHA256SUMS"] == made["SHA256SUMS"]
    assert not sums_hold(dist.out / "dist")
    assert dist.made("BASE=minimal") == made
    assert not list(dist.out.rglob("*.aside"))


def test_the_texts_of_the_licences() -> None:
    """As Debian and the kernel have them: nobody may change them."""
    known = {
        "GPL-2.0-only.txt": "8177f97513213526df2cf6184d8ff986c675afb514d4e68a404010521b880643",
        "Linux-syscall-note.txt": "5bcef4fedbfc08776630e65d5d0d074dd31208037eddb167ca46a9ec4f737764",
    }
    for name, digest in known.items():
        assert hashlib.sha256((ROOT / "LICENSES" / name).read_bytes()).hexdigest() == digest

# SPDX-License-Identifier: MIT
"""The bill of materials: valid CycloneDX by the library's own schema, the same each time, and each part with its digest."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression, is_supported_id
from cyclonedx.validation.json import JsonStrictValidator
from repository import IMPORTS
from vdso.data_page import DataPage
from vdso.emit.blob import Blob, Image
from vdso.emit.provenance import MODULES
from vdso.image.maker import Maker
from vdso.release.archive import Origin, Release
from vdso.release.sbom import TOOL_LICENCES, sbom

IMAGE = Image(
    arch="riscv64",
    data=bytes(0x1000),
    build_id="1" * 40,
    base_sha256="2" * 64,
    maker=Maker(own=False, linux="7.2.13"),
    base_pages=1,
    page_size=0x1000,
    data_page=DataPage.AFTER,
    data_offset=0x1000,
    counter_offset=0,
    exports=(),
    changes=(),
    rules=1,
)
BLOB = Blob(
    image=IMAGE,
    load_addr=0x300000000,
    timebase_hz=None,
    tools={
        "scons": "4.11.0",
        "jinja2": "3.1.6",
        "gcc": f"riscv64-linux-gnu-gcc (Debian 12.2.0-13) 12.2.0, sha256 {'a' * 64}",
        "cc1": f"sha256 {'b' * 64}",
    },
    inputs={
        MODULES: "c" * 64,
        "vdso_src/read.h": "d" * 64,
        "vdso_src/clock_getres.c": "0" * 64,
        "EXTRA_SRC/mine.c": "e" * 64,
    },
)
NAMES = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json", "base.so", "vdso-selftest", "LICENSES/MIT.txt")
FILES = {name: name.encode() for name in NAMES}
SELFTEST = {MODULES: "c" * 64, "vdso_src/read.h": "d" * 64, "vdso_src/selftest/main.c": "f" * 64}
ORIGIN = Origin("linux-binary-7.2.13+deb14-riscv64", "7.2.13-1", "linux", "7.2.13-1")
RELEASE = Release(BLOB, FILES, origin=ORIGIN, selftest=SELFTEST)
OWN = replace(RELEASE, origin=None, blob=replace(BLOB, image=replace(IMAGE, maker=Maker(own=True, linux=""))))
VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def by_name(parts: list[dict]) -> dict[str, dict]:
    assert len({part["name"] for part in parts}) == len(parts)
    return {part["name"]: part for part in parts}


@pytest.mark.parametrize("release", [RELEASE, OWN, replace(RELEASE, origin=None)], ids=["debian", "minimal", "file"])
def test_it_is_valid(release: Release) -> None:
    assert VALIDATOR.validate_str(sbom(release)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"type": "file"', '"type": "fil"'),
        ('"id": "MIT"', '"id": "MTI"'),
        ("d" * 64, "d" * 63),
        ("urn:uuid:", "uuid:"),
        ('"name"', '"nam"'),
    ],
)
def test_what_is_not_valid_is_found(old: str, new: str) -> None:
    text = sbom(RELEASE)
    assert old in text
    assert VALIDATOR.validate_str(text.replace(old, new)) is not None


def test_each_file_has_its_digest_and_licence() -> None:
    parts = by_name(json.loads(sbom(RELEASE))["metadata"]["component"]["components"])
    assert parts.keys() == FILES.keys()
    for name, data in FILES.items():
        assert parts[name]["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}]
    mixed = [{"expression": "(GPL-2.0-only WITH Linux-syscall-note) AND MIT"}]
    assert parts["vdso.so"]["licenses"] == parts["vdso.h"]["licenses"] == mixed
    assert parts["base.so"]["licenses"] == [{"expression": "GPL-2.0-only WITH Linux-syscall-note"}]
    assert parts["vdso-selftest"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert "GPL-2.0" not in sbom(OWN)


def test_sources_and_tools() -> None:
    bom = json.loads(sbom(RELEASE))
    sources = by_name(bom["components"])
    assert sources.keys() == {"vdso_src/read.h", "vdso_src/clock_getres.c", "vdso_src/selftest/main.c", "EXTRA_SRC/mine.c"}
    assert "licenses" not in sources["EXTRA_SRC/mine.c"]
    tools = by_name(bom["metadata"]["tools"]["components"])
    assert tools.keys() == {*BLOB.tools, "scons-vdso"}
    assert tools["scons"]["purl"] == "pkg:pypi/scons@4.11.0"
    assert "hashes" not in tools["scons"]
    assert tools["gcc"]["version"] == "riscv64-linux-gnu-gcc (Debian 12.2.0-13) 12.2.0"
    assert tools["cc1"]["hashes"][0]["content"] == "b" * 64
    assert "version" not in tools["cc1"]
    assert tools["scons-vdso"]["hashes"][0]["content"] == "c" * 64


def test_what_comes_of_what() -> None:
    needs = {item["ref"]: set(item.get("dependsOn", ())) for item in json.loads(sbom(RELEASE))["dependencies"]}
    stubs = {"file:vdso_src/read.h", "file:vdso_src/clock_getres.c", "file:EXTRA_SRC/mine.c"}
    assert needs["file:vdso.so"] == {"file:base.so", *stubs}
    assert needs["file:vdso.h"] == {"file:vdso.so"}
    assert needs["file:vdso-selftest"] == {"file:vdso_src/read.h", "file:vdso_src/selftest/main.c"}
    assert needs["library:vdso-riscv64-7.2.13"] == {f"file:{name}" for name in FILES}


def test_where_the_base_came_from() -> None:
    def parent(release: Release) -> dict | None:
        base = by_name(json.loads(sbom(release))["metadata"]["component"]["components"])["base.so"]
        return base["pedigree"]["ancestors"][0] if "pedigree" in base else None

    known = parent(RELEASE)
    assert known
    assert known["purl"] == "pkg:deb/debian/linux-binary-7.2.13%2Bdeb14-riscv64@7.2.13-1?arch=riscv64"
    source = {"type": "source-distribution", "url": "https://snapshot.debian.org/package/linux/7.2.13-1/"}
    assert known["externalReferences"] == [source]
    guessed = parent(replace(RELEASE, origin=None))
    assert guessed
    assert (guessed["name"], guessed["version"]) == ("linux", "7.2.13")
    assert "purl" not in guessed
    assert parent(OWN) is None


def test_the_same_each_time_and_another_number_for_other_content() -> None:
    text = sbom(RELEASE)
    code = "import sys; sys.path[:0] = sys.argv[1:]; from release import test_sbom as it; print(it.sbom(it.RELEASE), end='')"
    words = [sys.executable, "-c", code, *IMPORTS]
    for seed in ("1", "2"):
        again = subprocess.run(
            words, env={"PYTHONHASHSEED": seed, "TZ": "Asia/Kolkata"}, capture_output=True, text=True, check=True
        )
        assert again.stdout == text
    assert "timestamp" not in text
    number = json.loads(text)["serialNumber"]
    other = json.loads(sbom(replace(RELEASE, files={**FILES, "vdso.so": b"other"})))["serialNumber"]
    assert number != other
    assert "00000000-0000" not in number


def test_licences_of_the_tools_are_of_spdx() -> None:
    for name, licence in TOOL_LICENCES.items():
        assert is_supported_id(licence) or is_expression(licence), name
    assert not is_supported_id("Apache 2")

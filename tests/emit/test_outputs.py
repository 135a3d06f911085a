# SPDX-License-Identifier: MIT
"""The five outputs: each compiled as a kernel would, and all of them saying the same as the image."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from elftools.elf.elffile import ELFFile
from repository import ROOT, TESTS
from scons_build import build, scons
from vdso.version import VERSION

CROSS = "riscv64-linux-gnu-"
STRICT = ("-pedantic", "-Wall", "-Wextra", "-Werror")
LOAD_ADDR = 0x4000_0000
SETTINGS = {
    "after": ("DATA_PAGE=after",),
    "before": ("DATA_PAGE=before",),
    "none": ("DATA_PAGE=none", "TIMEBASE_HZ=10000000"),
}


@pytest.fixture(scope="module", params=SETTINGS)
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return build(folder, "BASE=minimal", f"LOAD_ADDR={LOAD_ADDR:#x}", *SETTINGS[request.param])


@pytest.fixture(scope="module")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("paged"), "BASE=minimal")


def facts(out: Path) -> dict:
    return json.loads((out / "vdso.json").read_text())


def run(*command: str | Path, **kw: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **kw)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("address", "modes"),
    [
        (0x3F_FFFF_E000, ""),  # the page behind the image is the last one of Sv39
        (0x3F_FFFF_F000, "Sv39"),
        (0x7FFF_FFFF_E000, "Sv39"),
        (0x7FFF_FFFF_F000, "Sv39, Sv48"),
    ],
)
def test_page_tables_that_do_not_reach_the_address_are_named(tmp_path: Path, address: int, modes: str) -> None:
    done = scons("vdso", f"OUT={tmp_path / 'out'}", "BASE=minimal", f"LOAD_ADDR={address:#x}")
    assert done.returncode == 0, done.stderr
    assert re.findall("not user space under (.*?):", done.stdout) == ([modes] if modes else [])


@pytest.mark.parametrize("compiler", [f"{CROSS}gcc", "gcc", "g++"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
@pytest.mark.parametrize("implementation", [True, False])
def test_header_compiles_clean_and_needs_nothing(
    out: Path, tmp_path: Path, compiler: str, level: str, implementation: bool
) -> None:
    source = tmp_path / "user.c"
    source.write_text("#define VDSO_IMPLEMENTATION\n" * implementation + '#include "vdso.h"\nint vdso_user;\n')
    language = ["-x", "c++", "-std=c++17"] if compiler == "g++" else ["-std=c99"]
    run(compiler, *language, *STRICT, level, "-ffreestanding", "-I", out, "-c", source, "-o", tmp_path / "user.o")
    symbols = run(f"{CROSS}nm" if compiler.startswith(CROSS) else "nm", tmp_path / "user.o")
    assert " U " not in symbols
    assert ("vdso_image" in symbols) == implementation


def test_every_function_of_the_header_needs_nothing(paged: Path, tmp_path: Path) -> None:
    """Unused static inline functions leave no code: here all are used."""
    kernel = TESTS / "support" / "kernel.c"
    for level in ("-O0", "-O2", "-Os"):
        command = [f"{CROSS}gcc", "-std=c99", *STRICT, level, "-ffreestanding", f'-DKERNEL_HEADER="{paged}/vdso.h"']
        run(*command, "-c", kernel, "-o", tmp_path / "kernel.o")
        assert " U " not in run(f"{CROSS}nm", tmp_path / "kernel.o")


CONSTANTS = """
#include <stdio.h>
#define VDSO_IMPLEMENTATION
#include "vdso.h"
int main(void) {{
    printf("LOAD_ADDR %llu\\nIMAGE_SIZE %llu\\nIMAGE_PAGES %llu\\nMAP_ADDR %llu\\nMAP_SIZE %llu\\n",
           VDSO_LOAD_ADDR + 0ull, VDSO_IMAGE_SIZE + 0ull, VDSO_IMAGE_PAGES + 0ull, VDSO_MAP_ADDR + 0ull, VDSO_MAP_SIZE + 0ull);
    {lines}
    printf("aligned %d\\n", (int)((unsigned long)vdso_image % 4096));
    fwrite(vdso_image, 1, sizeof(vdso_image), fopen("image", "wb"));
    return 0;
}}
"""


def expected(out: Path) -> dict[str, int]:
    """Return the constants that follow from the image itself and the settings."""
    image = (out / "vdso.so").read_bytes()
    known = facts(out)
    offset = {"after": len(image), "before": -4096, "none": 0}[known["data_page"]]
    values = {
        "LOAD_ADDR": LOAD_ADDR,
        "IMAGE_SIZE": len(image),
        "IMAGE_PAGES": len(image) // 4096,
        "MAP_ADDR": LOAD_ADDR + min(0, offset),
        "MAP_SIZE": len(image) + (4096 if offset else 0),
    }
    if offset:
        values["DATA_OFFSET"] = offset
    dynsym = ELFFile(io.BytesIO(image)).get_section_by_name(".dynsym")
    for symbol in dynsym.iter_symbols():
        if symbol["st_info"]["type"] == "STT_FUNC":
            values["SYM_" + symbol.name.removeprefix("__vdso_").upper()] = symbol["st_value"]
    assert sum(name.startswith("SYM_") for name in values) == 7
    return values


def test_constants_of_the_header_are_those_of_the_image(out: Path, tmp_path: Path) -> None:
    wanted = expected(out)
    extra = [name for name in wanted if name.startswith(("SYM_", "DATA_"))]
    lines = "\n".join(f'printf("{name} %lld\\n", (long long)(VDSO_{name}));' for name in extra)
    (tmp_path / "constants.c").write_text(CONSTANTS.format(lines=lines))
    run("gcc", "-I", out, "constants.c", "-o", "constants", cwd=tmp_path)
    printed = dict(line.split() for line in run("./constants", cwd=tmp_path).splitlines())
    assert printed.pop("aligned") == "0"
    assert {name: int(value) for name, value in printed.items()} == wanted
    assert (tmp_path / "image").read_bytes() == (out / "vdso.so").read_bytes()


def test_load_addr_can_be_set_before_the_include(out: Path, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        '#define VDSO_LOAD_ADDR 0x7000\n#include "vdso.h"\nint at[VDSO_LOAD_ADDR == 0x7000 ? 1 : -1];\n'
    )
    run("gcc", "-I", out, "-c", "a.c", "-o", "a.o", cwd=tmp_path)


def test_assembly_is_the_image(out: Path, tmp_path: Path) -> None:
    run(f"{CROSS}as", "--fatal-warnings", out / "vdso.S", "-o", tmp_path / "vdso.o", cwd=tmp_path)
    elf = ELFFile(io.BytesIO((tmp_path / "vdso.o").read_bytes()))
    section = elf.get_section_by_name(".rodata.vdso_image")
    symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    image = (out / "vdso.so").read_bytes()
    assert section.data() == image
    assert section["sh_addralign"] == 4096
    assert (symbols["vdso_image"], symbols["vdso_image_end"]) == (0, len(image))


RUST = """#![deny(warnings)]
#[path = "{module}"]
#[deny(warnings, missing_docs, rust_2018_idioms)]
#[doc = "The module."]
pub mod vdso;
fn main() {{
    std::fs::write("image", &vdso::IMAGE.0[..]).unwrap();
    assert_eq!(&vdso::IMAGE as *const _ as usize % 4096, 0);
    {prints}
}}
"""


def compile_rust(out: Path, folder: Path) -> dict[str, int]:
    names = [name for name in expected(out)]
    prints = "\n".join(f'println!("{name} {{}}", vdso::{name.replace("SYM_", "sym::")} as i128);' for name in names)
    (folder / "main.rs").write_text(RUST.format(module=out / "vdso.rs", prints=prints))
    run("rustc", "--edition", "2021", "-O", "main.rs", "-o", "main", cwd=folder)
    return expected(out)


def test_rust_module_is_clean_without_std(out: Path, tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text(
        f'#![no_std]\n#![deny(warnings, rust_2018_idioms)]\n#[path = "{out}/vdso.rs"]\npub mod vdso;\n'
    )
    run("rustc", "--edition", "2021", "--crate-type", "lib", "lib.rs", "-o", "lib.rlib", cwd=tmp_path)


def test_constants_of_the_rust_module_are_those_of_the_image(out: Path, tmp_path: Path) -> None:
    wanted = compile_rust(out, tmp_path)
    printed = dict(line.split() for line in run("./main", cwd=tmp_path, stdin=subprocess.DEVNULL).splitlines())
    assert {name: int(value) for name, value in printed.items()} == wanted
    assert (tmp_path / "image").read_bytes() == (out / "vdso.so").read_bytes()


def test_json_says_what_went_in(out: Path) -> None:
    known = facts(out)
    assert known["image_sha256"] == hashlib.sha256((out / "vdso.so").read_bytes()).hexdigest()
    assert known["base_sha256"] == hashlib.sha256((out / "base.so").read_bytes()).hexdigest()
    assert {"scons", "lief", "pyelftools", "capstone", "jinja2", "gcc", "ld"} <= known["tools"].keys()
    assert known["timebase_hz"] == (10_000_000 if known["data_page"] == "none" else None)


SCHEMA = json.loads((ROOT / "docs" / "vdso.schema.json").read_text())


def test_json_is_what_its_schema_says(out: Path) -> None:
    """And the schema describes each key, so that none is added without it."""
    known = facts(out)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(known, SCHEMA, jsonschema.Draft202012Validator)
    assert known.keys() == SCHEMA["properties"].keys() == set(SCHEMA["required"])
    assert all(SCHEMA["properties"][name]["description"] for name in known)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema", 2),
        ("version", "1"),
        ("data_page", "beside"),
        ("image_sha256", "0" * 63),
        ("load_addr", "0x300000000"),
        ("exports", []),
        ("exports", [{"name": "__vdso_x"}]),
        ("changes", [{"start": 0, "end": 0, "what": "nothing"}]),
        ("tools", {"scons": "4"}),
    ],
)
def test_the_schema_refuses_other_things(paged: Path, name: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**facts(paged), name: value}, SCHEMA, jsonschema.Draft202012Validator)


def test_one_version_is_everywhere(out: Path) -> None:
    assert f'#define VDSO_VERSION "{VERSION}"\n' in (out / "vdso.h").read_text()
    assert f'pub const VERSION: &str = "{VERSION}";\n' in (out / "vdso.rs").read_text()
    assert f"scons-vdso {VERSION}" in (out / "vdso.S").read_text()
    assert facts(out)["version"] == VERSION
    with (out / "vdso.so").open("rb") as file:
        segment = next(s for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_NOTE")
        (ours,) = [note["n_name"] for note in segment.iter_notes() if note["n_name"].startswith("scons-vdso image ")]
    assert ours.split()[-1] == VERSION
    assert re.search(rf"^## {re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_declared_changes_are_exactly_the_changed_bytes(out: Path) -> None:
    image = (out / "vdso.so").read_bytes()
    base = (out / "base.so").read_bytes()[: len(image)].ljust(len(image), b"\0")
    changes = facts(out)["changes"]
    declared = [at for change in changes for at in range(change["start"], change["end"])]
    assert len(set(declared)) == len(declared), "ranges overlap"
    assert set(declared) == {at for at in range(len(image)) if image[at] != base[at]}
    assert all(change["what"] for change in changes)


def test_nothing_of_this_machine_is_in_the_outputs(out: Path) -> None:
    for name in ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json"):
        data = (out / name).read_bytes()
        for word in (str(out), str(ROOT), "/tmp", "/home", "/root"):
            assert word.encode() not in data, (name, word)


def test_tools_take_the_image_without_a_warning(out: Path) -> None:
    for tool in (["readelf", "-aW"], ["objdump", "-d"]):
        shown = run(CROSS + tool[0], *tool[1:], out / "vdso.so")
        assert "arning" not in shown
        assert "__vdso_clock_gettime" in shown

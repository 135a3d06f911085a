# SPDX-License-Identifier: MIT
"""vdso.rs as kernels compile it: by the oldest compiler that it says, and by this machine's, in every edition."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from old_rust import VERSION, old_rustc
from scons_build import build

SETTINGS = {
    "page": (),
    "before": ("DATA_PAGE=before",),
    "none": ("DATA_PAGE=none", "TIMEBASE_HZ=10000000"),
    "none-fast": ("DATA_PAGE=none", "TIMEBASE_HZ=5800000000"),
    "device": ("COUNTER=mmio:0xff8",),
}
DENIED = "#![deny(warnings, rust_2018_idioms, unsafe_op_in_unsafe_fn, missing_docs)]"
EDITIONS = {"2018": 56, "2021": 56, "2024": 85}
"""Edition to the Rust 1.N that has it."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("modules")
    return {name: build(folder / name, "BASE=minimal", *words) / "vdso.rs" for name, words in SETTINGS.items()}


WAYS = {
    "public": '/// The module.\n#[path = "{module}"]\npub mod vdso;',
    "private": '#[path = "{module}"]\nmod vdso;',
    "included": 'mod vdso {{\n    include!("{module}");\n}}',
}
"""How a kernel takes the module in: without an attribute, and it may use nothing of it."""


def write(folder: Path, module: Path, body: str = "", way: str = "public", denied: str = DENIED) -> Path:
    source = folder / "lib.rs"
    source.write_text(f"#![no_std]\n{denied}\n//! A kernel.\n{WAYS[way].format(module=module)}\n{body}\n")
    return source


def rustc(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = ["rustc", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def this_minor() -> int:
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.split(".")[1])


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("edition", "way"), [("2018", "private"), ("2021", "public"), ("2021", "included")])
def test_the_oldest_compiler(setting: str, edition: str, way: str, modules: dict[str, Path], tmp_path: Path) -> None:
    compiler = old_rustc()
    words = ("--edition", edition, "--crate-type", "lib", "--emit", "metadata,obj", write(tmp_path, modules[setting], way=way))
    done = compiler.run(*words, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("edition", [edition for edition, minor in EDITIONS.items() if this_minor() >= minor])
@pytest.mark.parametrize("way", WAYS)
def test_this_machines_compiler(setting: str, edition: str, way: str, modules: dict[str, Path], tmp_path: Path) -> None:
    done = rustc(tmp_path, "--edition", edition, "--crate-type", "lib", write(tmp_path, modules[setting], way=way))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_kernel_that_denies_what_clippy_says(setting: str, modules: dict[str, Path], tmp_path: Path) -> None:
    denied = "#![deny(warnings, clippy::all, clippy::pedantic)]"
    for body, refused in (("", False), ("/// Finds fault.\npub const fn f(a: u64) -> u32 { a as u32 }", True)):
        source = write(tmp_path, modules[setting], body, "private", denied)
        command = ["clippy-driver", "--edition", "2021", "--crate-type", "lib", "--emit", "metadata", str(source)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == refused, done.stderr


def test_it_says_the_oldest(modules: dict[str, Path]) -> None:
    for module in modules.values():
        (said,) = re.findall(
            r"^// It needs `core` alone, Rust (1\.\d+) or later, and any edition from 2018 on", module.read_text(), re.M
        )
        assert f"{said}.0" == VERSION


REFUSING = {
    "page": {
        "init": "d.init(1)", "set_realtime": "d.set_realtime(1, 1, 1)", "set_tick": "d.set_tick(1, 1)", "tick": "d.tick(1)",
        "read": "d.read(1, 1)", "getres": "d.getres(1)", "begin": "d.begin()", "set_monotonic": "update.set_monotonic(1, 1, 1)",
        "adjust": "update.adjust(1, 1)", "suspend": "update.suspend(1)", "resume": "update.resume(1, 1)",
    },
    "none": {"read": "vdso::read(1, 1)", "getres": "vdso::getres(1)"},
}  # fmt: skip
"""The calls that can refuse, and how they are written."""


@pytest.mark.parametrize(("setting", "call"), [(setting, call) for setting, calls in REFUSING.items() for call in calls])
def test_nobody_passes_over_a_refusal(setting: str, call: str, modules: dict[str, Path], tmp_path: Path) -> None:
    parameters = "d: &vdso::VdsoData, update: &vdso::Update<'_>" if setting == "page" else ""
    names = "let _ = (d, update);" if setting == "page" else ""
    written = REFUSING[setting][call]
    for text, refused in ((f"{written};", True), (f"let _answer = {written};", False)):
        body = f"/// Calls.\npub fn f({parameters}) {{ {names} {text} }}"
        done = rustc(tmp_path, "--edition", "2021", "--crate-type", "lib", write(tmp_path, modules[setting], body))
        assert (done.returncode != 0) == refused, done.stderr
        assert ("unused_must_use" in done.stderr) == refused, done.stderr

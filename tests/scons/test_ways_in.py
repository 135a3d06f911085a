# SPDX-License-Identifier: MIT
"""Kernels' repositories that take scons-vdso by nothing but the words of README and docs/machines.md."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from checkout import fresh, with_scons_at_hand
from elf_builder import Spec
from elf_builder import build as build_base
from repository import ROOT
from ruamel.yaml import YAML
from vdso.variables import OPTIONS

README = (ROOT / "README.md").read_text()
MACHINES = (ROOT / "docs" / "machines.md").read_text()
ACTION = ROOT / "action.yml"
TREE = (
    "action.yml",
    "cmake",
    "SConstruct",
    "examples/cargo",
    "requirements.txt",
    "sconsw",
    "site_scons",
    "templates",
    "vdso_src",
)
OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")


def block(text: str, language: str, word: str) -> str:
    """Return the code of this language in a document that holds the word."""
    (found,) = (code for code in re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S) if word in code)
    return found


def run(*words: object, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("SCONSFLAGS", "VDSO", "BASE", "SCONS")}
    command = [str(word) for word in words]
    return subprocess.run(command, cwd=cwd, env={**kept, **environ}, capture_output=True, text=True, check=False)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """Make a repository with a base, a file that includes vdso.h, and a checkout of scons-vdso below third_party."""
    folder = tmp_path / "ein Kernel"
    with_scons_at_hand(fresh(folder / "third_party" / "scons-vdso", *TREE))
    (folder / "base.so").write_bytes(build_base(Spec()))
    (folder / "kernel.c").write_text('#define VDSO_IMPLEMENTATION\n#include "vdso.h"\nunsigned long at = VDSO_LOAD_ADDR;\n')
    return folder


# CMake


def cmake(kernel: Path, calls: str) -> subprocess.CompletedProcess[str]:
    head = "cmake_minimum_required(VERSION 3.21)\nproject(kernel C)\nadd_library(kernel.elf OBJECT kernel.c)\n"
    (kernel / "CMakeLists.txt").write_text(head + calls)
    compilers = f"-DCMAKE_C_COMPILER={shutil.which('gcc')}"
    done = run("cmake", "-B", "build", "-G", "Ninja", compilers, cwd=kernel)
    return done if done.returncode else run("cmake", "--build", "build", cwd=kernel)


def test_cmake(kernel: Path) -> None:
    calls = block(README, "cmake", "vdso_add")
    assert len(calls.splitlines()) == 3
    done = cmake(kernel, calls)
    assert done.returncode == 0, done.stdout + done.stderr
    (compiled,) = (kernel / "build").rglob("kernel.c.o")
    made = kernel / "build" / "vdso"
    assert (made / "vdso.so").read_bytes() in compiled.read_bytes()
    time = compiled.stat().st_mtime_ns
    assert "up to date" in cmake(kernel, calls).stdout
    assert compiled.stat().st_mtime_ns == time

    done = cmake(kernel, calls.replace("0x300000000", "0x400000000 POLICY getcpu:hide OUT elsewhere"))
    assert done.returncode == 0, done.stdout + done.stderr
    header = (kernel / "build" / "elsewhere" / "vdso.h").read_text()
    assert "#define VDSO_LOAD_ADDR 0x400000000\n" in header
    assert "VDSO_SYM_GETCPU" not in header
    assert compiled.stat().st_mtime_ns != time

    (kernel / "one.c").write_text("long __vdso_one(void) { return 1; }\n")
    (kernel / "two.c").write_text("long __vdso_two(void) { return 2; }\n")
    assert cmake(kernel, calls.replace("BASE base.so", "EXTRA_SRC one.c two.c")).returncode == 0
    assert {"VDSO_SYM_ONE", "VDSO_SYM_TWO"} <= set((made / "vdso.h").read_text().split())


@pytest.mark.parametrize("words", ["LOAD_ADR 0x300000000", "BASE base.so LOAD_ADDR"])
def test_a_wrong_call_of_cmake(kernel: Path, words: str) -> None:
    done = cmake(kernel, f"include(third_party/scons-vdso/cmake/SconsVdso.cmake)\nvdso_add(vdso {words})\n")
    said = " ".join(done.stderr.split())
    assert done.returncode != 0
    assert f"vdso_add(vdso): {words.split()[-2 if 'ADR' in words else -1]}" in said, said
    assert "not a variable with its value; the variables are ARCH, BASE, LOAD_ADDR, " in said


def test_cmake_knows_every_variable_of_a_build() -> None:
    text = (ROOT / "cmake" / "SconsVdso.cmake").read_text()
    (line,) = re.findall(r"set\(settings (.*)\)", text)
    single = [option.name for option in OPTIONS if option.tool or option.name in ("BASE", "OUT")]
    assert sorted(line.split()) == sorted(set(single) - {"EXTRA_SRC"})


# cargo


def test_cargo(kernel: Path) -> None:
    """The build script of the example, as the README's row says it is set up: CHECKOUT names the checkout."""
    assert "the `sconsw` of the checkout that its `CHECKOUT` names" in README
    script = (kernel / "third_party/scons-vdso/examples/cargo/build.rs").read_text()
    assert script.count('const CHECKOUT: &str = "../..";') == 1
    (kernel / "build.rs").write_text(script.replace('"../.."', '"third_party/scons-vdso"'))
    rustc = shutil.which("rustc")
    assert rustc, "./sconsw --install test brings one"
    built = run(rustc, "--edition", "2021", "-D", "warnings", "-o", "script", "build.rs", cwd=kernel)
    assert built.returncode == 0, built.stderr
    out = kernel / "target"
    out.mkdir()
    places = {"CARGO_MANIFEST_DIR": str(kernel), "OUT_DIR": str(out), "BASE": "base.so"}
    done = run(kernel / "script", cwd=kernel, **places)
    assert done.returncode == 0, done.stderr
    assert f"cargo:rerun-if-changed={kernel}/third_party/scons-vdso/vdso_src\n" in done.stdout
    assert "pub const LOAD_ADDR: usize = 0x300000000;" in (out / "vdso.rs").read_text()
    for wrong in ({"BASE": "absent.so"}, {"SCONS": "/absent/scons"}, {"VDSO": "/absent"}):
        done = run(kernel / "script", cwd=kernel, RUST_BACKTRACE="1", **places | wrong)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("Error: ")
        assert not re.search("panicked|backtrace", done.stderr)


# The action


def action() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(ACTION.read_text())
    return found


def play(kernel: Path, given: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the steps of action.yml that are scripts, as GitHub does. Return the last one's end, and the outputs."""
    inputs = {name: about["default"] for name, about in action()["inputs"].items()} | given
    written: dict[str, dict[str, str]] = {}

    def filled(text: str) -> str:
        text = re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: inputs[match[1]], text)
        return re.sub(r"\$\{\{ steps\.(\w+)\.outputs\.([\w-]+) \}\}", lambda match: written[match[1]][match[2]], text)

    for step in action()["runs"]["steps"]:
        if "run" not in step:
            continue
        assert step["shell"] == "bash"
        file = kernel / ".outputs"
        file.write_text("")
        environ = {name: filled(value) for name, value in step.get("env", {}).items()}
        environ |= {"GITHUB_OUTPUT": str(file), "GITHUB_ACTION_PATH": str(kernel / "third_party" / "scons-vdso")}
        assert "${{" not in step["run"]
        done = run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], cwd=kernel, **environ)
        if done.returncode:
            return done, {}
        written[step["id"]] = dict(line.split("=", 1) for line in file.read_text().splitlines())
    return done, {name: filled(about["value"]) for name, about in action()["outputs"].items()}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def without_install(kernel: Path) -> Path:
    """Take `--install` out, which the SCons of the tests does not know and the wrapper does."""
    sconsw = kernel / "third_party" / "scons-vdso" / "sconsw"
    sconsw.write_text(sconsw.read_text().replace("exec", '[ "$1" = --install ] && shift || exit 9\nexec', 1))
    return kernel


def test_action(without_install: Path) -> None:
    kernel = without_install
    (given,) = YAML(typ="safe").load(block(README, "yaml", "uses:"))
    assert re.fullmatch(r"OWNER/scons-vdso@COMMIT", given["uses"])
    done, told = play(kernel, given["with"])
    assert done.returncode == 0, done.stdout + done.stderr
    made = kernel / "vdso"
    assert told == {
        "image-sha256": sha256(made / "vdso.so"),
        "base-sha256": sha256(kernel / "base.so"),
        "header-sha256": sha256(made / "vdso.h"),
        "module-sha256": sha256(made / "vdso.rs"),
    }
    assert {path.name for path in made.glob("vdso.*")} == set(OUTPUTS), "what the artifact holds"
    settings = {"load-addr": "0x400000000", "policy": "getcpu:hide", "settings": "DATA_PAGE=before V=1", "output": "ein Ort"}
    done, _ = play(kernel, {**given["with"], **settings})
    header = (kernel / "ein Ort" / "vdso.h").read_text()
    assert "#define VDSO_LOAD_ADDR 0x400000000\n" in header
    assert "#define VDSO_DATA_OFFSET (-0x1000)" in header
    assert "VDSO_SYM_GETCPU" not in header


def test_an_action_that_fails_tells_no_hashes(without_install: Path) -> None:
    done, told = play(without_install, {"base": "absent.so"})
    assert (done.returncode, told) == (2, {})
    assert "absent.so: no such file" in done.stderr


def test_the_action_caches_what_is_locked_and_uploads_what_is_made() -> None:
    steps = action()["runs"]["steps"]
    (cache,) = (step for step in steps if step.get("uses", "").startswith("actions/cache@"))
    assert cache["with"]["path"] == "~/.cache/scons-vdso"
    assert cache["with"]["key"].endswith("${{ steps.lock.outputs.sha256 }}")
    assert steps.index(cache) == 1, "behind the step that reads the lock file, before the build"
    (upload,) = (step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert upload is steps[-1]
    assert upload["with"]["if-no-files-found"] == "error"
    assert upload["with"]["path"].split() == ["${{", "inputs.output", "}}/vdso.*", "${{", "inputs.output", "}}/base.so"]


# The container


def recipe() -> list[tuple[str, str]]:
    """Return (instruction, words) of the recipe in docs/machines.md."""
    lines = block(MACHINES, "Dockerfile", "FROM").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_the_recipe_names_what_there_is(kernel: Path) -> None:
    assert [instruction for instruction, _ in recipe()] == ["FROM", "RUN", "ENV", "COPY", "RUN"]
    (_, base), (_, first), (_, cache), (_, copied), (_, second) = recipe()
    assert base in (ROOT / ".github" / "workflows" / "ci.yml").read_text().replace("bookworm-20260824-slim", "bookworm-slim")
    assert {"ca-certificates", "git", "python3"} <= set(first.split())
    source, place = copied.split()
    assert (kernel / source / "sconsw").is_file()
    assert second.startswith(f"{place}/sconsw --install vdso ")
    assert cache.startswith("XDG_CACHE_HOME=/")
    assert f"kernel-builder {place}/sconsw vdso " in MACHINES


@pytest.fixture
def wrapper() -> Any:
    loader = SourceFileLoader("sconsw_of_ways_in", str(ROOT / "sconsw"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = sys.modules[loader.name] = module_from_spec(spec)
    loader.exec_module(module)
    return module


def cached(home: Path) -> None:
    """Make an environment of the wrapper that is the one of the tests."""
    (home / "bin").mkdir(parents=True)
    for name in ("python", "scons"):
        script = (
            f'#!/bin/sh\nexec "{sys.executable}" "$@"\n' if name == "python" else "import SCons.Script\nSCons.Script.main()\n"
        )
        (home / "bin" / name).write_text(script)
        (home / "bin" / name).chmod(0o755)


def test_a_build_in_the_container_asks_nobody(kernel: Path, tmp_path: Path, wrapper: Any) -> None:
    """The second command of the recipe, with the cache that the recipe filled, where there is no network at all."""
    tree = kernel / "third_party" / "scons-vdso"
    shutil.copy2(ROOT / "sconsw", tree / "sconsw")
    places = wrapper.homes(wrapper.parse(["vdso"], {}), {"XDG_CACHE_HOME": str(tmp_path / "cache")}, tree / "requirements.txt")
    cached(places[0])
    words = re.search(r"kernel-builder /opt/scons-vdso/sconsw (vdso .*)$", MACHINES, re.M)
    assert words
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if run(*alone, "true", cwd=kernel).returncode:
        pytest.skip("no network namespaces here")
    call = [*alone, sys.executable, tree / "sconsw", *words[1].split()]
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "CI": "", "PYTHONPATH": ""}
    done = run(*call, cwd=kernel, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((kernel / "build" / name).is_file() for name in OUTPUTS)
    assert not re.search(r"^  (PIP|APT|VENV|FETCH)", done.stdout + done.stderr, re.M)
    done = run(*call[:-2], "BASE=debian", "OUT=other", "MIRROR=http://deb.example/debian", cwd=kernel, **environ)
    assert done.returncode == 2, "there is really no network"


@pytest.mark.parametrize(("machine", "told"), [("Ubuntu", "`BASE=debian` needs `MIRROR=`"), ("Windows", "use WSL 2")])
def test_other_machines_are_told_what_to_do(machine: str, told: str) -> None:
    (row,) = (line for line in MACHINES.splitlines() if line.startswith(f"| {machine}"))
    assert told in row

# SPDX-License-Identifier: MIT
"""Every door with the oldest SCons that is promised, and with the newest at full length, makes what the locked one makes.

SCons without our packages says which are missing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pip_install import install_locked, install_newest
from repository import ROOT
from scons_build import build

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S")
TOOLS = str(ROOT / "site_scons" / "site_tools")
LOCK = ROOT / "tests" / "scons" / "oldest-scons.txt"
TOOLPATH = f"""
DefaultEnvironment(tools=[])
env = Environment(tools=["vdso"], toolpath=[{TOOLS!r}])
env.Vdso("made", "minimal")
"""
PACKAGE = """
DefaultEnvironment(tools=[])
env = Environment(tools=["vdso"], toolpath=[PyPackageDir("scons_vdso")])
env.Vdso("made", "minimal")
"""
INCLUDED = """
DefaultEnvironment(tools=[])
env = Environment(VDSO_OUT=Dir("made"), VDSO_BASE="minimal")
SConscript("scons-vdso/SConscript", exports="env")
"""


def run(folder: Path, python: str, *words: str, imports: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run SCons as `python` finds it, in `imports` first."""
    environ = {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"}
    environ["PYTHONPATH"] = os.pathsep.join(map(str, imports))
    command = [python, "-m", "SCons", "-Q", *words]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take the newest SCons at full length only: it changes from week to week, and the locked one is what users get."""
    if "other_scons" in metafunc.fixturenames:
        versions = ["oldest", "newest"] if metafunc.config.getoption("full") else ["oldest"]
        metafunc.parametrize("other_scons", versions, indirect=True, scope="module")


@pytest.fixture(scope="module")
def other_scons(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that holds the package SCons of another version, and what pip knows of it."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "oldest":
        install_locked(Path(sys.executable), LOCK, "--no-deps", "--target", folder)
    else:
        install_newest(Path(sys.executable), "scons", "--target", folder)
    return folder


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what the command line makes with the SCons of the tests, which is the one that is locked."""
    return build(tmp_path_factory.mktemp("locked"), "BASE=minimal")


def same(made: Path, as_: Path) -> bool:
    return all((made / name).read_bytes() == (as_ / name).read_bytes() for name in OUTPUTS)


def test_the_oldest_is_what_the_sources_promise() -> None:
    (version,) = re.findall(r"^scons==(\d+)\.(\d+)\.\d+", LOCK.read_text(), re.M)
    promise = f"EnsureSConsVersion({', '.join(version)})"
    assert promise in (ROOT / "SConstruct").read_text()
    assert promise in (ROOT / "site_scons" / "site_tools" / "vdso" / "__init__.py").read_text()
    assert f"SCons {'.'.join(version)}" in (ROOT / "docs" / "scons.md").read_text()


@pytest.mark.parametrize("door", [TOOLPATH, PACKAGE, INCLUDED], ids=["toolpath", "package", "SConscript"])
def test_the_doors_of_a_kernel(door: str, other_scons: Path, locked: Path, tmp_path: Path) -> None:
    (tmp_path / "SConstruct").write_text(door)
    (tmp_path / "scons-vdso").symlink_to(ROOT)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "scons_vdso").symlink_to(TOOLS)
    for told in ("EMIT ", "up to date"):
        done = run(tmp_path, sys.executable, "made", imports=[other_scons, tmp_path / "packages"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert told in done.stdout
    assert same(tmp_path / "made", locked)


def test_the_command_line(other_scons: Path, locked: Path, tmp_path: Path) -> None:
    for told in ("EMIT ", "up to date"):
        words = ("-C", str(ROOT), "vdso", "BASE=minimal", f"OUT={tmp_path / 'made'}")
        done = run(tmp_path, sys.executable, *words, imports=[other_scons])
        assert done.returncode == 0, done.stdout + done.stderr
        assert told in done.stdout
    assert same(tmp_path / "made", locked)
    image = tmp_path / "made" / "vdso.so"
    checked = run(tmp_path, sys.executable, "-C", str(ROOT), "check", f"IMAGE={image}", imports=[other_scons])
    assert (checked.returncode, "0 findings" in checked.stdout) == (0, True), checked.stdout + checked.stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a Python without packages, and a folder with SCons alone, of which nothing says that pip installed it."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (folder / "alone").mkdir()
    spec = importlib.util.find_spec("SCons")
    assert spec is not None
    assert spec.origin is not None
    (folder / "alone" / "SCons").symlink_to(Path(spec.origin).parent)
    return str(folder / "venv" / "bin" / "python"), folder / "alone"


@pytest.mark.parametrize("door", ["command line", "toolpath"])
def test_without_the_packages_one_line_names_them(door: str, bare: tuple[str, Path], tmp_path: Path) -> None:
    python, alone = bare
    (tmp_path / "SConstruct").write_text(TOOLPATH)
    words = ("-C", str(ROOT), "BASE=minimal", f"OUT={tmp_path / 'made'}") if door == "command line" else ("made",)
    done = run(tmp_path, python, *words, imports=[alone])
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    for word in (python, "lief", "pyelftools", "Jinja2", f"{python} -m pip install -r {ROOT}/requirements.txt", "sconsw"):
        assert word in line
    assert not (tmp_path / "made").exists()


def test_scons_that_pip_did_not_install(bare: tuple[str, Path], locked: Path, tmp_path: Path) -> None:
    """As Debian's or scons-local's: its version is told all the same."""
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(
        "import importlib.metadata as it\nreal = it.version\n"
        "def version(name):\n    if name == 'scons':\n        raise it.PackageNotFoundError(name)\n    return real(name)\n"
        "it.version = version\n"
    )
    words = ("-C", str(ROOT), "BASE=minimal", f"OUT={tmp_path / 'made'}")
    done = run(tmp_path, sys.executable, *words, imports=[tmp_path / "hide", bare[1]])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "made" / "vdso.json").read_bytes() == (locked / "vdso.json").read_bytes()

# SPDX-License-Identifier: MIT
"""The package of pip: the same bytes wherever it is made, all in it that the tool reads, and the same blob from it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from checkout import fresh
from pip_install import PIP, install_locked
from repository import ROOT

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
PLACES = {"scons_vdso/vdso_src/": "vdso_src/", "scons_vdso/templates/": "templates/", "scons_vdso/": "site_scons/site_tools/"}

KERNEL = """\
DefaultEnvironment(tools=[])
env = Environment(
    tools=["default", "vdso"],
    toolpath=[PyPackageDir("scons_vdso")],
    CC="false",
    CCFLAGS=["-DHOSTILE", "-fpic"],
)
made = env.Vdso("the blob", "minimal", VDSO_LOAD_ADDR="0x400000000")
selftest = env.VdsoSelftest("the blob/vdso-selftest")
Default(made, selftest, env.VdsoDist("the blob", "minimal", VDSO_LOAD_ADDR="0x400000000"))
"""


def run(*words: object, cwd: Path | None = None, **environ: str) -> str:
    """Run a command, which must go well, in an environment with no Python but its own. Return what it printed."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SCONSFLAGS", "VIRTUAL_ENV")}
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=cwd, env={**kept, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def package(tree: Path, out: Path, **environ: str) -> tuple[Path, Path]:
    """Make (sdist, wheel) of a tree."""
    run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=tree, **environ)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make (sdist, wheel) of this checkout."""
    folder = tmp_path_factory.mktemp("made")
    return package(fresh(folder / "checkout"), folder / "dist")


@pytest.fixture(scope="module")
def unpacked(made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the sdist into a folder with a space and other letters."""
    folder = tmp_path_factory.mktemp("ein Ördner")
    run("tar", "-xzf", made[0], "-C", folder)
    (tree,) = folder.iterdir()
    return tree


@pytest.fixture(scope="module")
def clean(made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of a new environment, into which the lock file's packages and then the wheel were installed."""
    home = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", home)
    python = home / "bin" / "python"
    install_locked(python, ROOT / "requirements.txt")
    run(python, *PIP, "install", "--no-deps", "--no-index", made[1])
    return home / "bin"


def members(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_the_tool_and_all_that_the_tool_reads(made: tuple[Path, Path]) -> None:
    found = {name: data for name, data in members(made[1]).items() if ".dist-info/" not in name}
    beside = ("requirements.txt", "SConstruct", "LICENSE", "LICENSES/GPL-2.0-only.txt", "LICENSES/Linux-syscall-note.txt")
    wanted = {f"scons_vdso/{name}": ROOT / name for name in beside}
    for place, source in PLACES.items():
        files = (path for path in (ROOT / source).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        wanted |= {place + path.relative_to(ROOT / source).as_posix(): path for path in files}
    assert found == {name: path.read_bytes() for name, path in wanted.items()}


def test_it_is_the_same_wherever_it_is_made(made: tuple[Path, Path], unpacked: Path, tmp_path: Path) -> None:
    """From the checkout, and from the sdist with what a build leaves in a tree, on another day, under another umask."""
    tree = shutil.copytree(unpacked, tmp_path / "used")
    for left in ("build/vdso.h", "dist/old.whl", "vdso_src/__pycache__/x.pyc", "site_scons/site_tools/vdso/__pycache__/y.pyc"):
        (tree / left).parent.mkdir(parents=True, exist_ok=True)
        (tree / left).touch()
    for path in tree.rglob("*"):
        os.utime(path, (86400, 86400))
        path.chmod(path.stat().st_mode & 0o700)
    again = package(tree, tmp_path / "out", TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    for first, second in zip(made, again, strict=True):
        assert (first.name, hashlib.sha256(first.read_bytes()).digest()) == (
            second.name,
            hashlib.sha256(second.read_bytes()).digest(),
        )


def test_pip_builds_it_by_itself(made: tuple[Path, Path], clean: Path, tmp_path: Path) -> None:
    """With the backend that pyproject.toml names, which pip fetches, from the sdist."""
    run(clean / "python", *PIP, "wheel", "--no-deps", "-w", tmp_path, made[0])
    assert members(tmp_path / made[1].name) == members(made[1])


def test_ten_lines_elsewhere_make_what_sconsw_makes(clean: Path, unpacked: Path, tmp_path: Path) -> None:
    """The real wrapper, in the tree of the sdist, with an environment of its own; and the tool that pip installed."""
    elsewhere = tmp_path / "a kernel, ü"
    elsewhere.mkdir()
    (elsewhere / "SConstruct").write_text(KERNEL)
    assert len(KERNEL.splitlines()) == 10
    printed = run(clean / "scons", "-Q", cwd=elsewhere)
    assert "EMIT    the blob/vdso.{so,h,rs,S,json}" in printed
    assert run(clean / "scons", "-Q", cwd=elsewhere).count("up to date") == 3
    words = ("vdso", "selftest", "dist", "BASE=minimal", "LOAD_ADDR=0x400000000", f"OUT={tmp_path / 'out'}")
    run(sys.executable, unpacked / "sconsw", *words, XDG_CACHE_HOME=str(tmp_path / "cache"))
    for name in (*OUTPUTS, "vdso-selftest", "dist/SHA256SUMS"):
        assert (elsewhere / "the blob" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_the_program_reaches_every_target(clean: Path, unpacked: Path, tmp_path: Path) -> None:
    """Without a checkout, from any folder, as `pipx run` or `uvx` call it; what needs one says so."""
    stand = tmp_path / "a kernel, ü"
    stand.mkdir()
    for words in (("BASE=minimal",), ("report", "selftest", "dist", "BASE=minimal"), ("check", "IMAGE=build/vdso.so")):
        run(clean / "scons-vdso", *words, cwd=stand)
    assert "vDSO" in run(clean / "scons-vdso", "info", "BASE=build/base.so", cwd=stand)
    assert "up to date" in run(clean / "scons-vdso", "vdso", "BASE=minimal", cwd=stand)
    run(sys.executable, unpacked / "sconsw", "BASE=minimal", f"OUT={tmp_path / 'out'}", XDG_CACHE_HOME=str(tmp_path / "cache"))
    for name in OUTPUTS:
        assert (stand / "build" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name
    for name in ("report.html", "vdso-selftest", "dist/SHA256SUMS"):
        assert (stand / "build" / name).is_file()
    for target in ("demo", "test", "bench"):
        done = subprocess.run(
            [clean / "scons-vdso", target, "BASE=minimal"], cwd=stand, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert f"{target}: needs a checkout of scons-vdso; clone its repository" in done.stderr
    assert sorted(path.name for path in stand.iterdir()) == ["build"]


def test_what_it_asks_for_is_what_the_lock_brings(clean: Path) -> None:
    run(clean / "python", *PIP, "check")


def test_the_live_dump_runs_from_it(clean: Path, tmp_path: Path) -> None:
    """By its name in the package; and as the one file that a board gets, which stands beside the others in it."""
    show = "import scons_vdso.vdso.extract.dump_vdso as it; print(it.__file__)"
    file = Path(run(clean / "python", "-c", show).strip())
    assert file.read_bytes() == (ROOT / "site_scons/site_tools/vdso/extract/dump_vdso.py").read_bytes()
    by_name = run(clean / "python", "-m", "scons_vdso.vdso.extract.dump_vdso", tmp_path / "one")
    by_file = run(sys.executable, "-S", "-E", file, tmp_path / "two")
    assert "vdso.so" in by_name
    assert "vdso.so" in by_file
    assert (tmp_path / "one" / "vdso.so").read_bytes() == (tmp_path / "two" / "vdso.so").read_bytes()

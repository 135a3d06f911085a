# SPDX-License-Identifier: MIT
"""The wrapper: where its virtual environment lies, what it installs and when, and what scons gets. No network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from repository import ROOT
from vdso.arch.riscv64.facts import RISCV64

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCONSW = ROOT / "sconsw"

NO_ENSUREPIP = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ensurepip" else real(name, *rest)
"""


@pytest.fixture(name="sconsw")
def _sconsw(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = SourceFileLoader("sconsw", str(SCONSW))
    spec = spec_from_loader("sconsw", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "sconsw", module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    return module


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def run(words: Sequence[str], cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONPYCACHEPREFIX")}
    command = [sys.executable, str(SCONSW), *words]
    return subprocess.run(command, cwd=cwd, env={**kept, **environ}, capture_output=True, text=True, timeout=60, check=False)


# Without the right to install


@pytest.fixture(name="bare")
def _bare(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine whose Python has no ensurepip, and whose PATH is empty."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_ENSUREPIP)
    (tmp_path / "empty").mkdir()
    (tmp_path / "stand").mkdir()
    return {
        "PYTHONPATH": str(tmp_path / "site"),
        "PATH": str(tmp_path / "empty"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def test_without_venv_support_one_line_says_the_command(tmp_path: Path, bare: dict[str, str]) -> None:
    done = run(["vdso", "BASE=minimal"], tmp_path / "stand", **bare)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sconsw: Python's venv support missing; run `apt-get install --no-install-recommends python3-venv"
        " gcc-riscv64-linux-gnu binutils-riscv64-linux-gnu` as root, or ./sconsw --install\n"
    )
    assert not (tmp_path / "cache").exists()
    assert not list((tmp_path / "stand").iterdir())


@pytest.mark.parametrize("words", [["-h"], ["info", "BASE=vdso.so"], ["check", "IMAGE=vdso.so"], ["-c"]])
def test_what_compiles_nothing_asks_for_no_compiler(tmp_path: Path, bare: dict[str, str], words: list[str]) -> None:
    done = run(words, tmp_path / "stand", **bare)
    assert done.returncode == 2
    assert "run `apt-get install --no-install-recommends python3-venv` as root" in done.stderr


def test_install_without_apt_or_rights_says_the_command(tmp_path: Path, bare: dict[str, str]) -> None:
    for environ, words in (({}, ["--install", "check"]), ({"CI": "true"}, ["check"])):
        done = run(words, tmp_path / "stand", **bare, **environ)
        assert done.returncode == 2
        assert done.stderr == (
            "sconsw: Python's venv support missing, and not to be installed from here;"
            " run `apt-get install --no-install-recommends python3-venv` as root\n"
        )


@pytest.mark.parametrize("word", ["--instal", "--installed", "--inst=yes"])
def test_a_misspelt_option(tmp_path: Path, word: str) -> None:
    done = run(["vdso", word], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"sconsw: {word}: no such option; did you mean --install?\n"


def test_old_python(sconsw: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert sconsw.main(["-h"]) == 2
    assert capsys.readouterr().err.endswith("is too old (at least 3.10); take another\n")


# What a call needs


def needed(sconsw: ModuleType, *words: str) -> set[str]:
    return {name for need in sconsw.needs(sconsw.parse(words, {}), ready=True) for name in need.packages}


CROSS = {"gcc-riscv64-linux-gnu", "binutils-riscv64-linux-gnu"}
LLVM = {"clang-19", "lld-19"}
RUST = {"rustc-web|rustc", "cargo-web|cargo", "rust-web-src|rust-src"}
BOOT = CROSS | RUST | {"qemu-system-misc", "libc6-dev-riscv64-cross", "make", "device-tree-compiler"}
TEST = (
    {"debian-archive-keyring", "gcc", "libc6-dev", "g++", "git", "gpg", "gpg-agent", "qemu-user", "gdb", "faketime"}
    | {"rust-web-clippy|rust-clippy", "strace"}
    | {"bzip2", "lz4", "xz-utils", "zstd", "chromium", "chromium-driver", "cmake", "ninja-build"}
    | {"clang-14|clang", "clang-19", "lld-19", "llvm-19", "elfutils", "llvm"}
)
AARCH64 = {"gcc-aarch64-linux-gnu", "binutils-aarch64-linux-gnu", "qemu-system-arm", "libc6-dev-arm64-cross"}
X86_64 = {"gcc-x86-64-linux-gnu|gcc", "binutils-x86-64-linux-gnu", "binutils", "qemu-system-x86"}
"""Of an architecture beside the default one. What loongarch64 takes the tests ask for anyway."""


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        ((), CROSS | {"debian-archive-keyring"}),
        (("vdso", "BASE=debian:testing"), CROSS | {"debian-archive-keyring"}),
        (("vdso", "BASE=minimal"), CROSS),
        (("-j", "2", "BASE=debian.so"), CROSS),
        (("vdso", "BASE=minimal", "CROSS_COMPILE=llvm"), LLVM),
        (("vdso", "BASE=minimal", "ARCH=loongarch64"), LLVM),
        (("vdso", "BASE=minimal", "ARCH=loongarch64", "CROSS_COMPILE=llvm-20"), {"clang-20", "lld-20"}),
        (("bench", "BASE=minimal"), CROSS | {"gcc", "libc6-dev"}),
        (("bench", "BASE=minimal", "ARCH=loongarch64"), LLVM | {"gcc", "libc6-dev", "qemu-user"}),
        (("info",), {"debian-archive-keyring"}),
        (("check", "IMAGE=x"), set()),
        (("selftest",), CROSS),
        (("report", "BASE=minimal"), CROSS),
        (("vdso", "-h"), set()),
        (("demo", "BASE=minimal"), BOOT),
        (("demo",), BOOT | {"debian-archive-keyring"}),
        (("demo", "-c"), set()),
        (("test", "BASE=minimal", "ARCH=riscv64"), TEST | BOOT),
        (("test", "ARCH=loongarch64"), TEST | BOOT),
        (("test", "ARCH=aarch64"), TEST | BOOT | AARCH64),
        (("test",), TEST | BOOT | AARCH64 | X86_64),
    ],
)
def test_packages_of_each_target(sconsw: ModuleType, words: tuple[str, ...], packages: set[str]) -> None:
    assert needed(sconsw, *words) == packages


def has_compiler(sconsw: ModuleType, call: object) -> bool:
    (arch,) = sconsw.arches_of(call)
    return bool(sconsw.has_cross_compiler(call, arch))


def test_any_known_cross_compiler_will_do(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_compiler(sconsw, sconsw.parse([], {}))
    assert has_compiler(sconsw, sconsw.parse(["CROSS_COMPILE=/opt/rv/bin/riscv64-"], {}))
    assert not has_compiler(sconsw, sconsw.parse(["CROSS_COMPILE=llvm"], {})), "a package brings it"
    script(tmp_path / "riscv64-none-elf-gcc", "exit 0")
    assert not has_compiler(sconsw, sconsw.parse([], {}))
    script(tmp_path / "riscv64-none-elf-ld", "exit 0")
    assert has_compiler(sconsw, sconsw.parse([], {}))


def test_a_rust_that_can_build_for_riscv64(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the first one must be it: there may be one of rustup without the target before Debian's."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    for name in ("first", "second"):
        script(tmp_path / name / "rustc", f"echo {tmp_path / name}")
        script(tmp_path / name / "cargo", "exit 0")
    (tmp_path / "first/lib/rustlib/src/rust/library/core").mkdir(parents=True)
    assert not sconsw.has_rust(RISCV64.emulation.rust_targets)
    (tmp_path / "second/lib/rustlib/src/rust/library/vendor").mkdir(parents=True)
    assert sconsw.has_rust(RISCV64.emulation.rust_targets)
    (tmp_path / "second/cargo").unlink()
    assert not sconsw.has_rust(RISCV64.emulation.rust_targets)
    (tmp_path / "first/lib/rustlib/riscv64gc-unknown-none-elf/lib").mkdir(parents=True)
    assert sconsw.has_rust(RISCV64.emulation.rust_targets)


def test_a_compiler_without_headers_is_none(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not sconsw.compiles("gcc", "c", "stdio.h")
    script(tmp_path / "gcc", "exit 1")
    assert not sconsw.compiles("gcc", "c", "stdio.h")
    script(tmp_path / "gcc", "exit 0")
    assert sconsw.compiles("gcc", "c", "stdio.h")


@pytest.mark.parametrize(
    ("package", "programs"),
    [
        ("lz4", ("bzip2", "lz4", "xz", "zstd")),
        ("cmake", ("cmake", "ninja")),
        ("clang-19", ("clang-19", "ld.lld-19")),
        ("elfutils", ("eu-strip", "llvm-strip")),
    ],
)
def test_every_program_of_a_need_is_asked_for(
    sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, programs: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    needs = sconsw.needs(sconsw.parse(["test", "ARCH=riscv64"], {}), ready=True)
    (need,) = (each for each in needs if package in each.packages)
    for name in programs:
        assert not need.met()
        script(tmp_path / name, "exit 0")
    assert need.met()
    for name in programs:
        (tmp_path / name).rename(tmp_path / "aside")
        assert not need.met()
        (tmp_path / "aside").rename(tmp_path / name)


# apt


@pytest.fixture(name="apt")
def _apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Provide an apt that knows the packages in the file `known`, and after `update` those in `unknown` too. Return its log.

    An install fails while there is a file `stale`; `update` removes it.
    """
    script(tmp_path / "apt-cache", f'grep -qx -- "$2" {tmp_path}/known')
    script(
        tmp_path / "apt-get",
        'case "$*" in *--print-uris*) for n; do echo "\'http://deb.example/$n\' $n.deb 1500000 SHA256:00"; done; exit;;'
        f' esac; echo "$@" >>{tmp_path}/log\n'
        f'case "$*" in *update) cat {tmp_path}/unknown >>{tmp_path}/known; rm -f {tmp_path}/stale;; esac\n'
        f'case "$*" in *install*) [ ! -e {tmp_path}/stale ] || {{ echo 404 Not Found; exit 100; }};; esac',
    )
    for name in ("known", "unknown", "log"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return lambda: (tmp_path / "log").read_text().splitlines()


INSTALL = "-q -y install --no-install-recommends"


def test_known_packages_need_no_update(sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]]) -> None:
    (tmp_path / "known").write_text("python3-venv\nrustc\n")
    sconsw.apt_install(sconsw.root_apt(), ["python3-venv", "rustc-web|rustc"])
    assert apt() == [f"{INSTALL} python3-venv rustc"]


def test_unknown_packages_bring_an_update(sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]]) -> None:
    (tmp_path / "unknown").write_text("rustc-web\nrustc\n")
    sconsw.apt_install(sconsw.root_apt(), ["rustc-web|rustc"])
    assert apt() == ["-q -y update", f"{INSTALL} rustc-web"]


def test_stale_lists_bring_an_update(
    sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "known").write_text("git\n")
    (tmp_path / "stale").touch()
    sconsw.apt_install(sconsw.root_apt(), ["git"])
    assert apt() == [f"{INSTALL} git", "-q -y update", f"{INSTALL} git"]
    assert capsys.readouterr().err == (
        "  APT     git, 8 MB to download\n  APT     update: the lists of packages\n  APT     git, 8 MB to download\n"
    )


def test_nothing_to_download_has_no_size(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for said in ("exit 100", "echo 'E: no such package'; exit 100", "exit 0"):
        script(tmp_path / "apt-get", said)
        assert sconsw.size_to_download(["git"]) == ""
    script(
        tmp_path / "apt-get", """echo "'http://deb.example/a' a_1.deb 130400000 SHA256:00"; echo "'http://x/b' b.deb 99 " """
    )
    assert sconsw.size_to_download(["a"]) == ", 130 MB to download"


@pytest.mark.parametrize("lock", ["LOCK", "TEST_LOCK"])
def test_the_size_that_is_said_of_packages_is_theirs(sconsw: ModuleType, lock: str) -> None:
    path = getattr(sconsw, lock)
    taken = 0
    for name in re.findall(r"^([A-Za-z0-9_.-]+)==", path.read_text(), re.M):
        with suppress(metadata.PackageNotFoundError):  # some are for other Pythons
            files = metadata.distribution(name).files or []
            taken += sum(Path(f.locate()).stat().st_size for f in files if f.suffix != ".pyc" and Path(f.locate()).exists())
    assert taken / 1e6 == pytest.approx(sconsw.SIZES[path.name], rel=0.2)


def test_a_failed_install_shows_what_apt_said(
    sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    script(tmp_path / "apt-get", f'echo "$@" >>{tmp_path}/log; echo "E: no such place"; exit 100')
    (tmp_path / "known").write_text("git\n")
    with pytest.raises(
        sconsw.Stop, match="APT update: the lists of packages: status 100, its words stand above; look at the network"
    ):
        sconsw.apt_install(sconsw.root_apt(), ["git"])
    assert "E: no such place\n" in capsys.readouterr().err
    assert [line for line in apt() if "--print-uris" not in line] == [f"{INSTALL} git", "-q -y update"]


def test_not_root_takes_sudo_only_if_it_asks_nothing(
    sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    script(tmp_path / "sudo", "exit 1")
    assert sconsw.root_apt() is None
    script(tmp_path / "sudo", '[ "$1" = -n ] || exit 1; shift; exec "$@"')
    (tmp_path / "known").write_text("git\n")
    command = sconsw.root_apt()
    assert command[:2] == ["sudo", "-n"]
    sconsw.apt_install(command, ["git"])
    assert apt() == [f"{INSTALL} git"]


def test_a_package_that_does_not_help_is_said(
    sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "known").write_text("python3-venv\n")
    monkeypatch.setattr(sconsw, "has_ensurepip", lambda: False)
    with pytest.raises(sconsw.Stop, match=r"Python's venv support still missing for .*; take the system's python3"):
        sconsw.settle_packages(sconsw.parse(["--install", "check"], {}), ready=False)
    assert apt() == [f"{INSTALL} python3-venv", "-q -y update", f"{INSTALL} python3-venv"]


def test_a_package_that_is_too_old_is_sought_in_fresh_lists(
    sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "known").write_text("python3-venv\n")
    monkeypatch.setattr(sconsw, "has_ensurepip", lambda: "-q -y update" in apt())
    sconsw.settle_packages(sconsw.parse(["--install", "check"], {}), ready=False)
    assert apt() == [f"{INSTALL} python3-venv", "-q -y update", f"{INSTALL} python3-venv"]


def test_lists_are_read_once(
    sconsw: ModuleType, tmp_path: Path, apt: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unknown").write_text("python3-venv\n")
    monkeypatch.setattr(sconsw, "has_ensurepip", lambda: False)
    with pytest.raises(sconsw.Stop, match="still missing"):
        sconsw.settle_packages(sconsw.parse(["--install", "check"], {}), ready=False)
    assert apt() == ["-q -y update", f"{INSTALL} python3-venv"]


def test_tests_ask_for_their_tools_also_without_install(sconsw: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sconsw, "compiles", lambda compiler, *_: compiler != "g++")
    monkeypatch.setattr(sconsw, "has_cross_compiler", lambda *_: True)
    monkeypatch.setattr(sconsw, "KEYRING", SCONSW)
    monkeypatch.setattr(sconsw.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(sconsw, "has_rust", lambda _: True)
    with pytest.raises(sconsw.Stop, match=r"^a C\+\+ compiler of the host missing; run `apt-get install .* g\+\+` as"):
        sconsw.settle_packages(sconsw.parse(["test"], {}), ready=True)
    monkeypatch.setattr(sconsw, "has_rust", lambda _: False)
    packages = "rustc-web cargo-web rust-web-src"
    with pytest.raises(sconsw.Stop, match=f"^Rust for riscv64 missing; run `apt-get install .* {packages}` as root"):
        sconsw.settle_packages(sconsw.parse(["demo"], {}), ready=True)


# Where the virtual environment lies


def places(sconsw: ModuleType, *words: str, **environ: str) -> list[Path]:
    call = sconsw.parse(words, environ)
    return [home.parent for home in sconsw.homes(call, environ, sconsw.lock_of(call))]


def test_cache_then_out(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    home = Path("/home/someone/.cache/scons-vdso")
    assert places(sconsw, XDG_CACHE_HOME="/cache") == [Path("/cache/scons-vdso"), tmp_path / "build/sconsw"]
    assert places(sconsw, "OUT=a", "OUT=b") == [home, tmp_path / "b/sconsw"]
    assert places(sconsw, "OUT=/o", XDG_CACHE_HOME="relative") == [home, Path("/o/sconsw")]


def test_no_home(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def nowhere() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nowhere)
    assert places(sconsw) == [tmp_path / "build/sconsw"]


def test_lock_and_interpreter_name_it(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock"
    call = sconsw.parse([], {})

    def name() -> str:
        home: Path = sconsw.homes(call, {}, lock)[0]
        return home.name

    lock.write_text("a")
    first = name()
    assert re.fullmatch("[0-9a-f]{16}", first)
    lock.write_text("b")
    second = name()
    monkeypatch.setattr(sys, "version", "3.99")
    assert len({first, second, name()}) == 3
    lock.write_text("a")
    monkeypatch.undo()
    assert name() == first


def test_tests_have_a_lock_of_their_own(sconsw: ModuleType) -> None:
    assert sconsw.lock_of(sconsw.parse(["vdso"], {})) == ROOT / "requirements.txt"
    for target in ("test", "bench"):
        assert sconsw.lock_of(sconsw.parse([target], {})) == ROOT / "requirements-test.txt"


# How it is made


@pytest.fixture(name="maker")
def _maker(sconsw: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace `python -m venv` and pip, and return their commands."""
    commands: list[list[str]] = []

    def play(command: list[str], short: str, *_: object, **__: object) -> None:
        commands.append(command)
        if short == "VENV":
            aside = Path(command[-1])
            (aside / "bin").mkdir()
            (aside / "bin" / "python").symlink_to(sys.executable)
            (aside / "bin" / "binary").write_bytes(b"\x7fELF" + os.fsencode(aside))
        else:
            script(Path(command[0]).parent / "scons", f"exec {command[0]}")

    monkeypatch.setattr(sconsw, "run", play)
    return commands


def test_made_aside_and_renamed(sconsw: ModuleType, tmp_path: Path, maker: list[list[str]]) -> None:
    home = tmp_path / "cache" / "scons-vdso" / "key"
    lock = tmp_path / "lock.txt"
    assert sconsw.provide([home, tmp_path / "out"], lock) == home
    assert [path.name for path in home.parent.iterdir()] == ["key"]
    assert not (tmp_path / "out").exists()
    # Scripts lead to where it lies now, and nothing else was touched.
    assert (home / "bin" / "scons").read_text() == f"#!/bin/sh\nexec {home}/bin/python\n"
    assert not (home / "bin" / "binary").read_bytes().endswith(b"key")
    pip = maker[1]
    assert pip[1:3] == ["-m", "pip"]
    assert {"--require-hashes", "--only-binary", ":all:", "--no-input", "--retries"} <= set(pip)
    assert pip[-2:] == ["-r", str(lock)]


@pytest.mark.usefixtures("maker")
def test_out_where_the_cache_cannot_be_written(sconsw: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "out" / "sconsw" / "key"
    assert sconsw.provide([tmp_path / "file" / "scons-vdso" / "key", home], tmp_path / "lock.txt") == home
    assert sconsw.is_ready(home)


@pytest.mark.usefixtures("maker")
def test_nowhere_to_write(sconsw: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(sconsw.Stop, match="set XDG_CACHE_HOME or OUT to a folder that can be written"):
        sconsw.provide([tmp_path / "file" / "a" / "key", tmp_path / "file" / "b" / "key"], tmp_path / "lock.txt")


@pytest.mark.usefixtures("maker")
def test_two_callers_at_once(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "cache" / "key"
    both = threading.Barrier(2, timeout=20)
    real = sconsw.publish
    ready: list[Path] = []

    def publish(aside: Path, target: Path) -> None:
        assert aside != target
        both.wait()  # both are complete, none has the name
        real(aside, target)

    monkeypatch.setattr(sconsw, "publish", publish)

    def call() -> None:
        made: Path = sconsw.provide([home], tmp_path / "lock.txt")
        assert sconsw.is_ready(made)
        ready.append(made)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ready == [home, home]
    assert [path.name for path in home.parent.iterdir()] == ["key"]


@pytest.mark.usefixtures("maker")
def test_remains_without_an_interpreter_are_replaced(sconsw: ModuleType, tmp_path: Path) -> None:
    home = tmp_path / "cache" / "key"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not sconsw.is_ready(home)
    assert sconsw.provide([home], tmp_path / "lock.txt") == home
    assert sconsw.is_ready(home)


def test_a_failure_leaves_nothing_and_shows_all(
    sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = script(tmp_path / "python", 'echo "no matching hash for $3"; exit 3')
    monkeypatch.setattr(sys, "executable", str(fake))
    home = tmp_path / "cache" / "key"
    with pytest.raises(sconsw.Stop, match=r"VENV .*/cache/key: status 3, its words stand above; try another python3"):
        sconsw.provide([home], tmp_path / "lock.txt")
    assert not list(home.parent.iterdir())
    assert f"  VENV    {home}\nno matching hash for {home}." in capsys.readouterr().err


def test_a_real_one_works_after_its_renaming(sconsw: ModuleType, tmp_path: Path) -> None:
    """The one slow test here: Python's own venv with an empty lock, which needs no network."""
    lock = tmp_path / "empty.txt"
    lock.touch()
    home = sconsw.provide([tmp_path / "with space" / "key"], lock)
    show = [str(home / "bin" / "python"), "-c", "import pip, sys; print(sys.prefix, pip.__file__)"]
    prefix = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert prefix.startswith(f"{home} {home}")
    assert f"{home}." not in (home / "bin" / "pip").read_text()
    assert f"{home}." not in (home / "bin" / "activate").read_text()


# What scons gets


def line(sconsw: ModuleType, *words: str) -> list[str]:
    command: list[str] = sconsw.command(Path("/v"), sconsw.parse(words, {}))
    assert command[:2] == ["/v/bin/python", "/v/bin/scons"]
    return command[2:]


def test_command(sconsw: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert line(sconsw, "--install", "vdso", "OUT=o") == ["-Q", "vdso", "OUT=o"]
    assert line(sconsw, "-Q", "vdso") == ["-Q", "vdso"]
    assert line(sconsw, "-s") == ["-s"]
    monkeypatch.chdir(tmp_path)
    assert line(sconsw, "vdso", "OUT=o") == ["-Q", "-C", str(ROOT), "vdso", "OUT=o"]
    assert line(sconsw, "-C", "other", "vdso") == ["-Q", "-C", "other", "vdso"]
    assert line(sconsw, "--directory=other") == ["-Q", "--directory=other"]
    assert line(sconsw, "-fother") == ["-Q", "-fother"]


def test_compiled_files_stay_out_of_the_checkout(sconsw: ModuleType) -> None:
    assert sconsw.environment(Path("/v"), {"A": "1", "PYTHONDONTWRITEBYTECODE": "1"}) == {
        "A": "1",
        "PYTHONPYCACHEPREFIX": "/v/pycache",
    }
    own = {"PYTHONPYCACHEPREFIX": "/mine", "PYTHONDONTWRITEBYTECODE": "1"}
    assert sconsw.environment(Path("/v"), own) == own


def test_status_and_words_pass_through(sconsw: ModuleType, tmp_path: Path) -> None:
    home = next(iter(sconsw.homes(sconsw.parse([], {}), {"XDG_CACHE_HOME": str(tmp_path)}, ROOT / "requirements.txt")))
    script(home / "bin" / "python", 'shift; echo "$PYTHONPYCACHEPREFIX|$*"; pwd; exit 7')
    done = run(["vdso", "OUT=a b"], tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 7
    assert done.stdout == f"{home}/pycache|-Q -C {ROOT} vdso OUT=a b\n{tmp_path}\n"
    assert done.stderr == ""


# The files beside it


LOCKS = ["requirements.txt", "requirements-test.txt"]


def pins(name: str) -> dict[str, str]:
    """Return each pinned package and version, with its text in the lock file."""
    text = (ROOT / name).read_text()
    return {f"{m[1]}=={m[2]}": m[0] for m in re.finditer(r"^([a-z0-9-]+)==(\S+)(?:.*\\\n)+.*$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_hashes_and_no_place(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?:|file:|^--(index|extra|find|trusted)|^-[if]", text, re.MULTILINE)
    words = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(words) == len(pins(name)) > 6
    assert all("--hash=sha256:" in text for text in pins(name).values())


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {name.lower() for name in project["dependencies"]} <= pins("requirements.txt").keys()

    def hashes(name: str) -> dict[str, list[str]]:
        """Return the hashes of each pin, without markers: a test may need for all Pythons what the tool needs for old ones."""
        return {pin: re.findall(r"--hash=\S+", text) for pin, text in pins(name).items()}

    assert hashes("requirements.txt").items() <= hashes("requirements-test.txt").items()


def test_the_readme_tells_what_ci_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec ./sconsw --install test"
    readme = (ROOT / "README.md").read_text()
    assert "./sconsw --install vdso" in readme
    assert "./sconsw --install test" in readme


@pytest.mark.parametrize("words", [["--only", "nonsense"], ["--keep"], ["--what"], ["--suite"], ["--suite", "../x"]])
def test_fresh_debian_refuses_what_it_does_not_know(words: list[str]) -> None:
    command = [str(ROOT / "tests" / "fresh-debian"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: tests/fresh-debian")

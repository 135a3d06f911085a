# SPDX-License-Identifier: MIT
"""The inputs of a blob beside its base, as digests: our own files and the user's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from ..paths import FREESTANDING, LOCK, PACKAGE, ROOT, SOURCES, TEMPLATES

MODULES = "site_scons/site_tools/vdso/**.py"
"""The name in vdso.json of all our modules together."""
USERS = "EXTRA_SRC/"
"""The begin of the names of the user's files there."""


def stub_sources(arch: str, minimal: bool) -> list[Path]:
    """Return all files of vdso_src that go into a blob for `arch`: stubs, headers, and with `minimal` the base of that name."""
    folders = (SOURCES, SOURCES / arch, FREESTANDING, *([SOURCES / arch / "minimal"] if minimal else []))
    return sorted(path for folder in folders for path in folder.glob("*.*"))


def selftest_sources(arch: str) -> list[Path]:
    """Return all of vdso_src that vdso-selftest for `arch` is made from; it shares the headers with the stubs."""
    own, machine = SOURCES / "selftest", SOURCES / arch / "selftest"
    folders = {SOURCES: "*.h", SOURCES / arch: "*.h", FREESTANDING: "*.h", own: "*.*", machine: "*.*"}
    return sorted(path for folder, names in folders.items() for path in folder.glob(names))


def output_templates(arch: str) -> list[Path]:
    """Return the templates of the outputs, and the lock file where this copy of the tool has it."""
    found = [*TEMPLATES.glob("vdso*"), *TEMPLATES.glob("stubs*"), *(TEMPLATES / arch).iterdir(), LOCK]
    return sorted(path for path in found if path.is_file())


@cache
def sources_digest(arch: str) -> str:
    """Return the names of all of vdso_src that can go into a blob for `arch`, and one SHA-256 of what is in them.

    It stands for them in SCons, which would look at each file once for each output. It is computed once a process.
    """
    paths = stub_sources(arch, minimal=True)
    return f"{' '.join(path.name for path in paths)}, SHA-256 {_digest(paths)}"


@cache
def code_digest() -> str:
    """Return one SHA-256 of all our modules, which is computed once a process, however many blobs it makes."""
    return _digest(_files(PACKAGE, ".py"))


def build_digest() -> str:
    """Return one SHA-256 of modules and templates: when they change, their outputs are made anew."""
    return _digest([*_files(PACKAGE, ".py"), *_files(TEMPLATES)])


def _files(folder: Path, suffix: str = "") -> list[str]:
    """Return the paths of all files below a folder, in order. Each build lists them, and Path.rglob takes long."""
    return sorted(
        os.path.join(path, name)  # noqa: PTH118  see above
        for path, _, names in os.walk(folder)
        for name in names
        if name.endswith(suffix)
    )


def _digest(paths: Iterable[Path | str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def input_digests(paths: Sequence[Path]) -> dict[str, str]:
    """Return name to SHA-256. Our files are named by their place in this repository, the user's without a path of the host.

    A file that is there twice, by whatever path, counts once.
    """
    found = {MODULES: code_digest()}
    firsts: dict[Path, Path] = {}
    for path in paths:
        firsts.setdefault(path.resolve(), path)
    for real, path in firsts.items():
        ours = real.is_relative_to(ROOT)
        name = real.relative_to(ROOT).as_posix() if ours else f"{USERS}{path.name}"
        while name in found:  # two files of the user have the same name
            name += "'"
        found[name] = sha256(path)
    return found

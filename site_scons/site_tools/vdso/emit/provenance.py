# SPDX-License-Identifier: MIT
"""What goes into a blob beside its base: our own files and the user's, as digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..paths import LOCK, PACKAGE, ROOT, SOURCES, TEMPLATES

MODULES = "site_scons/site_tools/vdso/**.py"
"""What vdso.json calls all our modules together."""
USERS = "EXTRA_SRC/"
"""What the names of the user's files begin with there."""


def stub_sources(arch: str, minimal: bool) -> list[Path]:
    """Return all of vdso_src that goes into a blob for `arch`: stubs, headers, and the base `minimal` where that is used."""
    folders = (SOURCES, SOURCES / arch, *([SOURCES / arch / "minimal"] if minimal else []))
    return sorted(path for folder in folders for path in folder.glob("*.*"))


def selftest_sources(arch: str) -> list[Path]:
    """Return all of vdso_src that vdso-selftest for `arch` is made from; it shares the headers with the stubs."""
    own, machine = SOURCES / "selftest", SOURCES / arch / "selftest"
    folders = {SOURCES: "*.h", SOURCES / arch: "*.h", own: "*.*", machine: "*.*"}
    return sorted(path for folder, names in folders.items() for path in folder.glob(names))


def output_templates() -> list[Path]:
    """Return the templates of what is made, and the lock file where a copy has it."""
    return sorted(path for path in [*TEMPLATES.glob("vdso*"), *TEMPLATES.glob("stubs*"), LOCK] if path.is_file())


def code_digest() -> str:
    """Return one SHA-256 of all our modules."""
    return _digest(sorted(PACKAGE.rglob("*.py")))


def build_digest() -> str:
    """Return one SHA-256 of modules and templates: what they make is made anew when they change."""
    return _digest(sorted([*PACKAGE.rglob("*.py"), *TEMPLATES.iterdir()]))


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def named(paths: Sequence[Path]) -> dict[str, str]:
    """Return name to SHA-256: ours by their place in this repository, the user's by their name alone, no path of the host."""
    found = {MODULES: code_digest()}
    for path in (path.resolve() for path in paths):
        ours = path.is_relative_to(ROOT)
        name = path.relative_to(ROOT).as_posix() if ours else f"{USERS}{path.name}"
        while name in found:  # two of the user's files of one name
            name += "'"
        found[name] = sha256(path)
    return found

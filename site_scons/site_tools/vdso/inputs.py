# SPDX-License-Identifier: MIT
"""What goes into a blob beside base and compiler: our own files, as digests; and what files of a build are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Ours lie beside the tool in a package that pip installed, and above it in a checkout; vdso.json has the same names for both.
ROOT = next((folder for folder in (HERE.parent, HERE.parents[2]) if (folder / "vdso_src").is_dir()), HERE.parent)
SOURCES = ROOT / "vdso_src"
TEMPLATES = ROOT / "templates"
LOCK = ROOT / "requirements.txt"
OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
STUB, EXTRA = "stub_", "extra"
"""How the names of object files begin: those of our sources, and those of the user's."""
MODULES = "site_scons/site_tools/vdso/**.py"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sources(arch: str, minimal: bool) -> list[Path]:
    """All of vdso_src that goes into a blob for `arch`, stubs and the base `minimal`."""
    folders = (SOURCES, SOURCES / arch, *([SOURCES / arch / "minimal"] if minimal else []))
    return sorted(path for folder in folders for path in folder.glob("*.*"))


def selftest(arch: str) -> list[Path]:
    """All of vdso_src that vdso-selftest for `arch` is made from; it shares the headers with the stubs."""
    own = SOURCES / "selftest"
    folders = {SOURCES: "*.h", SOURCES / arch: "*.h", own: "*.*", own / arch: "*.*"}
    return sorted(path for folder, names in folders.items() for path in folder.glob(names))


def fixed() -> list[Path]:
    """The templates of what is made, and the lock file where a copy has it."""
    return sorted(path for path in [*TEMPLATES.glob("vdso*"), *TEMPLATES.glob("stubs*"), LOCK] if path.is_file())


def code() -> str:
    """One digest of all our modules."""
    return _digest(sorted(HERE.rglob("*.py")))


def code_and_templates() -> str:
    """What a build depends on: what our code makes is made anew when it changes."""
    return _digest(sorted([*HERE.rglob("*.py"), *TEMPLATES.iterdir()]))


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def named(paths: Sequence[Path]) -> dict[str, str]:
    """Name to SHA-256: ours by their place in this repository, the user's by their name alone, no path of the host."""
    found = {MODULES: code()}
    for path in (path.resolve() for path in paths):
        ours = path.is_relative_to(ROOT)
        name = path.relative_to(ROOT).as_posix() if ours else f"EXTRA_SRC/{path.name}"
        while name in found:  # two of the user's files of one name
            name += "'"
        found[name] = sha256(path)
    return found

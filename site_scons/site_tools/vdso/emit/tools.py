# SPDX-License-Identifier: MIT
"""The tools that take part in a build, with their versions."""

from __future__ import annotations

import shutil
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ..stubs import toolchain
from .provenance import sha256


@cache
def tool_versions(scons: str, compiler: str, linker: str, path: str) -> dict[str, str]:
    """Return name to version of all tools of a build. For the machine's programs, which no lock file names, also the SHA-256.

    scons               the version of SCons, which alone knows it where pip did not install it
    compiler, linker    names of programs, which are searched on `path`

    It is computed once a process: no tool changes during a build, and the compiler alone has 20 MB.
    """
    found = {"scons": scons} | {name: version(name) for name in ("lief", "pyelftools", "capstone", "jinja2")}
    parts = {name: toolchain.part(compiler, name, path) for name in ("cc1", "as")}
    if not Path(parts["cc1"]).is_absolute():  # clang is one program, and names the machine's own assembler
        parts = {}
    names = {"clang" if not parts else "gcc": compiler, "lld" if "lld" in Path(linker).name else "ld": linker}
    for name, command in {**names, **parts}.items():
        program = shutil.which(command, path=path)
        if program is not None:
            version_line = f"{toolchain.version(program)}, " if name != "cc1" else ""  # cc1 has gcc's version, and no --version
            found[name] = f"{version_line}sha256 {sha256(Path(program))}"
    return found

# SPDX-License-Identifier: MIT
"""The cross compiler: how it is found, and each flag with its reason.

Every flag is known to each gcc from 10 and each clang from 13. Warnings end no user's build, since each new compiler has new
ones; the tests add -Werror.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..arch.arch import Arch
from ..arch.compilers import Compiler
from ..errors import VdsoError

CCFLAGS = (
    "-std=gnu11",
    "-O2",  # -Os calls helpers of libgcc
    "-ffreestanding",  # no libc is linked
    "-fomit-frame-pointer",
    "-fno-stack-protector",  # its canary lies in the thread's own memory
    "-fno-jump-tables",  # a table is a constant in a shared section
    "-fno-pic",  # a GOT is data; pc-relative code comes from the code model
    "-ffunction-sections",  # each function is placed by itself
    "-fno-asynchronous-unwind-tables",  # the unwind information of the image is made by the splice
    "-fno-unwind-tables",
    "-Wall",
    "-Wextra",
)
LDFLAGS = (
    "--build-id=none",
    "--no-relax",  # it would turn pc-relative code for the data page into absolute code
)
# For a whole program: its code is not moved, and its speed does not matter.
PROGRAM_CCFLAGS = ("-Os",)
PROGRAM_LDFLAGS = ("--build-id=none", "--strip-all")
# Variables of a kernel's environment that put folders before those of the compiler's own headers (gcc(1), ENVIRONMENT).
LEAKS = frozenset(("CPATH", "C_INCLUDE_PATH"))


def find_compiler(arch: Arch, cross_compile: str, path: str) -> Compiler | None:
    """Return the first compiler on `path` of those that CROSS_COMPILE stands for, or, where it is "", of the architecture's."""
    for compiler in arch.compilers.called(cross_compile):
        if shutil.which(compiler.cc, path=path) and shutil.which(compiler.ld, path=path):
            return compiler
    return None


def missing(arch: Arch, cross_compile: str, path: str) -> VdsoError:
    """Return the error that says that there is no compiler on `path`, and which CROSS_COMPILE may have been meant."""
    wanted = arch.compilers.called(cross_compile)
    tried = ", ".join(f"{one.cc} and {one.ld}" if cross_compile else one.cc for one in wanted)
    packages = wanted[0].packages if wanted[0].flags == arch.compilers.llvm else arch.compilers.called("")[0].packages
    todo = f"install {' and '.join(packages)} (Debian: ./sconsw --install does), or set CROSS_COMPILE"
    meant = next((word for word in _meant(arch, cross_compile) if find_compiler(arch, word, path)), "")
    if meant:
        todo = f"did you mean CROSS_COMPILE={meant}?"
    return VdsoError("CROSS_COMPILE", f"no compiler for {arch.name} in PATH (tried {tried})", todo)


def _meant(arch: Arch, word: str) -> Iterator[str]:
    """Yield what a wrong CROSS_COMPILE may have meant: it lacks its dash, or is the compiler itself, or the folder of one."""
    if word:
        yield f"{word}-"
        yield re.sub(r"(gcc|ld)(-\d+)?$", "", word)
        for folder in (Path(word), Path(word, "bin")):
            yield from (str(folder / compiler.cc.removesuffix("gcc")) for compiler in arch.compilers.called(""))


def identity(command: str, path: str) -> str:
    """Return what tells the programs of a command from others: where each lies, its size and when it was written."""
    found = [shutil.which(word, path=path) for word in command.split()]
    stamps = [(os.path.realpath(program), Path(program).stat()) for program in found if program is not None]
    return "; ".join(f"{program}, {stamp.st_size} bytes, {stamp.st_mtime_ns}" for program, stamp in stamps) or command


def version(command: str) -> str:
    """Return the first line that `command --version` prints."""
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.partition("\n")[0]


def part(compiler: str, name: str, path: str) -> str:
    """Return where `compiler` has its program `name`; only the name if the compiler searches PATH for it, or has none."""
    command = [shutil.which(compiler, path=path) or compiler, f"-print-prog-name={name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

# SPDX-License-Identifier: MIT
"""The cross compiler: how it is found, and each flag with its reason."""

from __future__ import annotations

import shutil
import subprocess

from ..arch.arch import Arch
from ..errors import VdsoError

CCFLAGS = (
    "-std=gnu11",
    "-O2",  # -Os calls helpers of libgcc
    "-ffreestanding",  # no libc is linked
    "-fomit-frame-pointer",
    "-fno-stack-protector",  # its canary lies at tp
    "-fno-jump-tables",  # a table is a constant in a shared section
    "-fno-pic",  # a GOT is data; pc-relative code comes from the code model
    "-ffunction-sections",  # each function is placed by itself
    "-fno-asynchronous-unwind-tables",  # the unwind information of the image is made by the splice
    "-fno-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Werror",
)
LDFLAGS = (
    "--build-id=none",
    "--no-relax",  # it would turn pc-relative code for the data page into absolute code
    "--no-warn-rwx-segments",
)
# For a whole program: its code is not moved, and its speed does not matter.
PROGRAM_CCFLAGS = ("-Os",)
PROGRAM_LDFLAGS = ("--build-id=none", "--strip-all")
# Variables of a kernel's environment that put folders before those of the compiler's own headers (gcc(1), ENVIRONMENT).
LEAKS = frozenset(("CPATH", "C_INCLUDE_PATH"))


def find_prefix(arch: Arch, cross_compile: str, path: str) -> str:
    """Return the prefix of gcc and ld: the user's, or else the first of the architecture's on `path`; "" if none is there."""
    for prefix in (cross_compile,) if cross_compile else arch.prefixes:
        if shutil.which(prefix + "gcc", path=path) and shutil.which(prefix + "ld", path=path):
            return prefix
    return ""


def missing(arch: Arch, cross_compile: str) -> VdsoError:
    """Return the error that says that there is no compiler."""
    tried = f"{cross_compile}gcc and {cross_compile}ld" if cross_compile else ", ".join(f"{p}gcc" for p in arch.prefixes)
    package = f"gcc-{arch.prefixes[0].rstrip('-')}"
    todo = f"install {package} (Debian: ./sconsw --install does), or set CROSS_COMPILE"
    return VdsoError("CROSS_COMPILE", f"no compiler for {arch.name} in PATH (tried {tried})", todo)


def version(command: str) -> str:
    """Return the first line that `command --version` prints."""
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.partition("\n")[0]


def part(compiler: str, name: str, path: str) -> str:
    """Return where `compiler` has its program `name`; only the name if the compiler searches PATH for it, or has none."""
    command = [shutil.which(compiler, path=path) or compiler, f"-print-prog-name={name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

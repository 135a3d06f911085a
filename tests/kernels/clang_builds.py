# SPDX-License-Identifier: MIT
"""Builds of programs by clang and lld, which make code of every architecture, with a C library that is only unpacked."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from debian_packages import PACKAGES
from kernel_builds import CFLAGS, run, session_folder

CC, LD = "clang-19", "lld-19"


@dataclass(frozen=True)
class Library:
    """A C library of one architecture: folders and files of it and of gcc, and how clang is told of them.

    target      flags of clang
    headers     folders
    start, end  files that stand before and behind all others
    static      files that a program is linked with which has all in it
    dynamic     files that a program is linked with which the library's loader starts
    loader      where a program looks for that loader
    """

    target: tuple[str, ...]
    headers: tuple[Path, ...]
    start: tuple[Path, ...]
    end: tuple[Path, ...]
    static: tuple[Path, ...]
    dynamic: tuple[Path, ...]
    loader: str

    def build(self, source: Path, name: str, *flags: object, static: bool) -> Path:
        """Return a program called `name`, of one source."""
        out = session_folder() / name
        headers = [word for folder in (*self.headers, _own_headers()) for word in ("-isystem", folder)]
        # Two archives may need each other, so all of them are searched until nothing is missing.
        parts = ("-Wl,--start-group", *(self.static if static else self.dynamic), "-Wl,--end-group")
        how: Sequence[object] = (
            ("-static",)
            if static
            else (
                "-no-pie",
                f"-Wl,--dynamic-linker={self.loader}",
            )
        )
        command = [CC, *self.target, *CFLAGS, "-nostdinc", *headers, *flags, *how]
        run(*command, "-nostdlib", f"-fuse-ld={LD}", *self.start, source, *parts, *self.end, "-o", out)
        return out


def musl(arch: str, target: Sequence[str], libgcc: Path, linux: Sequence[Path]) -> Library:
    """Return musl of Debian's packages; without the package `musl`, programs have all of it in them.

    linux   folders of Linux's own headers
    """
    packages, triplet = PACKAGES[arch], f"{arch}-linux-musl"
    development = packages.unpacked("musl-dev")
    libraries = development / "usr" / "lib" / triplet
    shared = (packages.unpacked("musl") / "usr" / "lib" / triplet / "libc.so",) if "musl" in packages.names else ()
    return Library(
        target=tuple(target),
        headers=(development / "usr" / "include" / triplet, *linux),
        start=(libraries / "crt1.o", libraries / "crti.o"),
        end=(libraries / "crtn.o",),
        static=(libraries / "libc.a", libgcc),
        dynamic=(*shared, libgcc),
        loader=f"/lib/ld-musl-{arch}.so.1",
    )


def libgcc(cc: str) -> Path:
    """Return the library that the code of this gcc needs."""
    told = subprocess.run([cc, "-print-libgcc-file-name"], capture_output=True, text=True, check=True).stdout
    return Path(told.strip())


@cache
def _own_headers() -> Path:
    """Return the folder of clang's own headers."""
    told = subprocess.run([CC, "-print-resource-dir"], capture_output=True, text=True, check=True).stdout
    return Path(told.strip(), "include")

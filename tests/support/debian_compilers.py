# SPDX-License-Identifier: MIT
"""Compilers for riscv64 of every suite of Debian, on whatever Debian the tests run: unpacked, and run by their own loader.

They come as the tool's own base does (apt.py: signatures checked, the machine's apt untouched), with all that they depend on
down to the C library, and are deleted after use: a hundred megabytes to download each, four hundred unpacked.
"""

from __future__ import annotations

import platform
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian_packages import no_network
from vdso.errors import VdsoError
from vdso.extract import debian
from vdso.extract.debian import Candidate

CROSS = "riscv64-linux-gnu"
MACHINES = {"x86_64": ("amd64", "ld-linux-x86-64.so.2"), "aarch64": ("arm64", "ld-linux-aarch64.so.1")}
"""What the machine that tests run on is called by Debian, and its loader, beside which lies that of riscv64."""


@dataclass(frozen=True)
class Packages:
    """A compiler as Debian has it. `family`: gcc, clang, or the triple of a bare-metal gcc."""

    family: str
    release: int
    suite: str

    @property
    def name(self) -> str:
        return f"{self.family}{'-gcc' if self.family.endswith('-elf') else ''} {self.release}"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the packages to ask for."""
        if self.family == "clang":
            # Its own headers are a package that it only recommends.
            return (f"clang-{self.release}", f"lld-{self.release}", f"libclang-common-{self.release}-dev")
        if self.family == "gcc":
            return (f"gcc-{self.release}-{CROSS}", f"binutils-{CROSS}")
        return (f"gcc-{self.family}", f"binutils-{self.family}")


COMPILERS = (
    Packages("gcc", 10, "bullseye"),
    Packages("gcc", 11, "unstable"),
    Packages("gcc", 12, "bookworm"),
    Packages("gcc", 13, "trixie"),
    Packages("gcc", 14, "trixie"),
    Packages("gcc", 15, "forky"),
    Packages("gcc", 16, "forky"),
    Packages("riscv64-unknown-elf", 12, "bookworm"),
    Packages("riscv64-unknown-elf", 15, "forky"),
    *(Packages("clang", release, "bookworm") for release in (13, 14, 15, 16, 19)),
    *(Packages("clang", release, "trixie") for release in (17, 18)),
    *(Packages("clang", release, "forky") for release in (21, 22)),
    Packages("clang", 23, "unstable"),
)


@dataclass(frozen=True)
class Programs:
    """The programs of an unpacked compiler; `version`: the first line that it tells."""

    cc: Path
    ld: Path
    version: str


class Closure(debian.Suite):
    """A suite that also says what packages depend on."""

    def closure(self, *names: str) -> list[Candidate]:
        """Return all packages that an empty machine would have to install for these."""
        told = self._apt("apt-get", "-q", "-s", "--no-install-recommends", "install", *names)
        words = [line.split() for line in told.splitlines() if line.startswith("Inst ")]
        return [Candidate(name, version.lstrip("(")) for _, name, version, *_ in words]


@contextmanager
def unpacked(compiler: Packages) -> Iterator[Programs]:
    """Yield a compiler as long as this lasts. The test is skipped where this machine, the network or a suite has it not."""
    architecture, loader = MACHINES.get(platform.machine(), ("", ""))
    if not architecture:
        pytest.skip(f"no cross compilers for {platform.machine()}")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "root")
        try:
            with debian.open_site() as site:
                suite = Closure(site, compiler.suite, architecture)
                for package in suite.closure(*compiler.names):
                    deb = Path(name, "package.deb")
                    deb.write_bytes(suite.download(package))
                    subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
        except (VdsoError, debian.Failed) as error:
            if no_network(error) or "expired" in str(error):
                pytest.skip(f"{compiler.suite}: {error}")
            raise
        yield _programs(compiler, root, loader, Path(name, "bin"))


def _programs(compiler: Packages, root: Path, loaders_name: str, scripts: Path) -> Programs:
    """Write a script for each program, which gives it to the loader that lies beside its C library."""
    scripts.mkdir()
    loaders = (path.resolve() for path in root.glob(f"**/{loaders_name}"))
    loader = next(path for path in loaders if path.is_relative_to(root.resolve()))  # a link may lead to the machine's own
    libraries = ":".join(str(path) for path in (*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu"),
                                                *root.glob("usr/lib/llvm-*/lib")))  # fmt: skip

    def script(name: str, pattern: str, *words: object) -> Path:
        program = next(iter(sorted(root.glob(pattern)))).resolve()
        line = shlex.join(map(str, (loader, "--library-path", libraries, program, *words)))
        (scripts / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        (scripts / name).chmod(0o755)
        return scripts / name

    if compiler.family == "clang":
        (headers,) = (path.parent for path in root.glob("usr/lib/llvm-*/lib/clang/*/include"))
        name = f"clang-{compiler.release}"
        cc = script(name, f"usr/lib/llvm-{compiler.release}/bin/clang", f"--target={CROSS}", "-resource-dir", headers)
        ld = script(f"ld.lld-{compiler.release}", f"usr/lib/llvm-{compiler.release}/bin/lld", "-flavor", "gnu")
    else:
        triple = CROSS if compiler.family == "gcc" else compiler.family
        for part in ("cc1", "collect2"):
            script(part, f"usr/lib*/gcc*/{triple}/*/{part}")
        script("as", f"usr/bin/{triple}-as")
        ld = script("ld", f"usr/bin/{triple}-ld.bfd")
        cc = script(f"{triple}-gcc", f"usr/bin/{triple}-gcc*[0-9c]", f"-B{scripts}/")
    told = subprocess.run([cc, "--version"], capture_output=True, text=True, check=True).stdout
    return Programs(cc, ld, told.partition("\n")[0])

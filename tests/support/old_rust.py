# SPDX-License-Identifier: MIT
"""Debian 12's own rustc, 1.63: the oldest that vdso.rs is for. Its packages are unpacked beside those of debian_packages.py."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian_packages import cache, locked, no_network
from vdso.errors import VdsoError
from vdso.extract import debian

SUITE, VERSION = "bookworm", "1.63.0"
PACKAGES = ("rustc", f"libstd-rust-{VERSION[:4]}", "libstd-rust-dev", "libllvm14")


@dataclass(frozen=True)
class Rustc:
    """A compiler that runs where it was unpacked."""

    program: Path
    libraries: Path

    def run(self, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.libraries)}
        command = [str(word) for word in (self.program, *words)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def old_rustc() -> Rustc:
    """Return the compiler, which is downloaded once. Without a network the test is skipped."""
    machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    root = cache() / f"rustc_{VERSION}_{machine}"
    with locked():
        if not root.exists():
            try:
                _unpack(root, machine)
            except (VdsoError, debian.Failed) as error:
                if not no_network(error):
                    raise
                pytest.skip(f"no network, and no rustc {VERSION} from before: {error}")
    (libraries,) = (path.parent for path in root.glob("usr/lib/*/librustc_driver-*.so"))
    return Rustc(root / "usr" / "bin" / "rustc", libraries)


def _unpack(root: Path, machine: str) -> None:
    with debian.open_site() as site, tempfile.TemporaryDirectory(dir=root.parent) as aside:
        suite = debian.Suite(site, SUITE, machine)
        for name in PACKAGES:
            package = Path(aside, f"{name}.deb")
            package.write_bytes(suite.download(suite.newest(name)))
            subprocess.run(["dpkg-deb", "-x", package, Path(aside, "root")], check=True)
        Path(aside, "root").rename(root)

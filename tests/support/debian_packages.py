# SPDX-License-Identifier: MIT
"""Packages of Debian that the tests run on: for riscv64 a current glibc, musl 1.2.6, and a kernel.

They come as the tool's own base does (debian.py: signatures checked, the machine's apt untouched) and stay in

    ${XDG_CACHE_HOME:-~/.cache}/scons-vdso/packages/NAME_VERSION_ARCHITECTURE.deb, unpacked in a folder of that name

Which versions are the newest is asked once a day; without a network what is there already does. Where nothing is there
and there is no network, the test is skipped: the one reason for which one may be.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from vdso.arch import ARCHES
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.extract import debian
from vdso.extract.containers import payloads

KERNEL = "linux"  # stands for the newest of the kernel packages, whose names hold the version
SUITES = ("testing", "unstable")  # stable has musl 1.2.5, which never calls the vDSO's clock
DAY = 24 * 3600
MACHINE = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
"""What Debian calls the machine that the tests run on."""
NO_NETWORK = ("no network", "Could not connect", "Could not resolve", "Temporary failure", "connection timed out")


@dataclass(frozen=True)
class Packages:
    """Packages of one architecture, as Debian calls it. All are of the first suite that has all."""

    architecture: str
    names: tuple[str, ...]
    suites: tuple[str, ...] = SUITES

    def deb(self, name: str) -> Path:
        """Return the .deb of one of `names`."""
        return cache() / f"{self._newest()[name]}.deb"

    def unpacked(self, name: str) -> Path:
        """Return a folder with the files of the package as they would lie below /."""
        package = self.deb(name)
        target = package.with_suffix("")
        with locked():
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=package.parent) as aside:
                    subprocess.run(["dpkg-deb", "-x", package, Path(aside, "root")], check=True)
                    Path(aside, "root").rename(target)
        return target

    def _newest(self) -> dict[str, str]:
        """Return for each of `names` the name of its file without .deb; the file is there."""
        index = cache() / f"newest-{self.architecture}.json"
        with locked():
            known: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
            complete = set(known) == set(self.names) and all((cache() / f"{file}.deb").exists() for file in known.values())
            if complete and 0 <= time.time() - index.stat().st_mtime < DAY:
                return known
            try:
                known = self._fetch()
            except VdsoError as error:
                if not no_network(error):
                    raise
                if not complete:
                    pytest.skip(f"no network, and no packages of Debian from before: {error}")
            else:
                index.write_text(json.dumps(known, indent=1))
            return known

    def _fetch(self) -> dict[str, str]:
        failures = []
        with debian.open_site() as site:
            for name in self.suites:
                try:
                    return self._fetch_from(debian.Suite(site, name, self.architecture))
                except debian.Failed as failed:
                    failures.append(f"{name}: {failed}")
        raise VdsoError("debian", "; ".join(failures))

    def _fetch_from(self, suite: debian.Suite) -> dict[str, str]:
        files = {}
        for name in self.names:
            newest = suite.newest(*(self._kernels(suite) if name == KERNEL else [name]))
            files[name] = f"{newest.package}_{newest.version.replace(':', '%3a')}_{self.architecture}"
            target = cache() / f"{files[name]}.deb"
            if not target.exists():
                aside = target.with_suffix(".part")
                aside.write_bytes(suite.download(newest))
                aside.rename(target)
        return files

    def _kernels(self, suite: debian.Suite) -> list[str]:
        (arch,) = (arch for arch in ARCHES.values() if arch.debian == self.architecture)
        return debian.kernel_packages(suite.names("linux-"), arch)


RISCV = Packages(RISCV64.debian, ("libc6", "libgcc-s1", "musl", "musl-dev", KERNEL))
deb, unpacked = RISCV.deb, RISCV.unpacked


def kernel_image() -> bytes:
    """Return Debian's newest kernel, as the raw Image that boots."""
    data = deb(KERNEL).read_bytes()
    label, image = max(payloads(KERNEL, data), key=lambda payload: len(payload[1]))
    assert image[0x38:0x3C] == b"RSC\x05", f"{label} is no Image of riscv64"  # Linux: arch/riscv/boot-image-header.rst
    return image


def no_network(error: Exception) -> bool:
    return any(word in str(error) for word in NO_NETWORK)


def cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = (home if home.is_absolute() else Path.home() / ".cache") / "scons-vdso" / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked() -> Iterator[None]:
    """Let one process in at a time: pytest may run several."""
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

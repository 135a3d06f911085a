# SPDX-License-Identifier: MIT
"""Packages of Debian that the tests run on: of each architecture a kernel and musl 1.2.6, of some a current glibc.

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
from functools import lru_cache
from pathlib import Path

import pytest
from vdso.arch import ARCHES
from vdso.arch.aarch64.facts import AARCH64
from vdso.arch.arch import Arch
from vdso.arch.loongarch64.facts import LOONGARCH64
from vdso.arch.riscv64.facts import RISCV64
from vdso.arch.x86_64.facts import X86_64
from vdso.errors import VdsoError
from vdso.extract import debian
from vdso.extract.containers import payloads
from vdso.extract.find import find

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
        index = cache() / f"newest-{self.architecture}-{'+'.join(self.names)}.json"
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


PACKAGES = {
    RISCV64.name: Packages(RISCV64.debian, ("libc6", "libgcc-s1", "musl", "musl-dev", KERNEL)),
    LOONGARCH64.name: Packages(
        LOONGARCH64.debian,
        ("libc6", "libc6-dev", "linux-libc-dev", "libtinfo6", "bash", "libgcc-16-dev", "musl", "musl-dev", KERNEL),
    ),
    AARCH64.name: Packages(AARCH64.debian, ("musl", "musl-dev", KERNEL)),
    X86_64.name: Packages(X86_64.debian, ("musl-dev", KERNEL)),
}
"""What the tests take of Debian for each architecture."""
deb = PACKAGES[RISCV64.name].deb
IMAGES = {
    RISCV64.name: (0x38, b"RSC\x05"),  # Linux: Documentation/arch/riscv/boot-image-header.rst
    AARCH64.name: (0x38, b"ARMd"),  # Linux: Documentation/arch/arm64/booting.rst
    X86_64.name: (0, b"\x7fELF"),  # vmlinux, which a bzImage unpacks
}
"""What a kernel that QEMU boots has, and where."""


@lru_cache(maxsize=1)
def kernel_image(arch: Arch = RISCV64) -> bytes:
    """Return Debian's newest kernel, unpacked, in the form that QEMU boots."""
    data = PACKAGES[arch.name].deb(KERNEL).read_bytes()
    label, image = max(payloads(KERNEL, data), key=lambda payload: len(payload[1]))
    at, magic = IMAGES[arch.name]
    assert image.startswith(magic, at), f"{label} is no kernel of {arch.name}"
    return image


@lru_cache
def kernel_vdso(arch: Arch = RISCV64) -> bytes:
    """Return the vDSO that Debian's newest kernel maps for programs with 64 bits."""
    return find(KERNEL, kernel_image(arch), arch)


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

# SPDX-License-Identifier: MIT
"""What a suite of Debian offers: packages, and its compilers in a folder of their own, which is not this machine's system."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vdso.extract.apt import Apt, Failed
from vdso.extract.debian import Site, open_site

COMPILERS = ("bullseye", "bookworm", "trixie", "sid")
"""From the oldest on: their compilers are those that people built the Linux kernels of six years with."""
SOURCES = (
    *(("", suite) for suite in ("sid", "trixie-backports")),
    *(place for suite in COMPILERS[-2::-1] for place in (("-security", f"{suite}-security"), ("", suite))),
)
"""What the address of the archive ends with, and the suite: the one with the newest Linux of a series first."""
BUILD = (
    *(
        "make",
        "gcc",
        "libc6-dev",
        "bison",
        "flex",
        "bc",
        "perl",
        "bash",
        "dash",
        "coreutils",
        "sed",
        "grep",
        "mawk",
        "findutils",
    ),
    *("diffutils", "tar", "gzip", "xz-utils"),
)
"""What a build of Linux calls, beside the compiler."""
GCC = re.compile(r"gcc-(\d+)-riscv64-linux-gnu")
CLANG = re.compile(r"clang-(\d+)")
MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that Debian keeps below /usr, and of which / holds links."""


@dataclass(frozen=True, order=True)
class Compiler:
    """family: "gcc" (with GNU ld) or "clang" (with lld and LLVM's other tools)."""

    family: str
    version: int

    @property
    def name(self) -> str:
        return f"{self.family}-{self.version}"

    @property
    def packages(self) -> tuple[str, ...]:
        if self.family == "gcc":
            return (f"{self.name}-riscv64-linux-gnu",)
        return tuple(f"{tool}-{self.version}" for tool in ("clang", "lld", "llvm"))


class Offer:
    """The packages of some suites. Failed where apt finds none of them."""

    def __init__(self, site: Site, suites: tuple[tuple[str, str], ...]) -> None:
        self.folder = site.folder / "-".join(suite for _end, suite in suites)
        self.folder.mkdir()
        sources = self.folder / "sources.list"
        lines = [f"deb [signed-by={site.keyring}] {site.address}{end} {suite} main\n" for end, suite in suites]
        sources.write_text("".join(lines))
        self._apt = Apt(self.folder, site.carried, (
            f'Dir::Etc::SourceList "{sources}";',
            'Dir::Etc::SourceParts "/dev/null";',
            'Dir::Etc::Preferences "/dev/null";',
            'Dir::Etc::PreferencesParts "/dev/null";',
            'APT::Install-Recommends "false";',
            'Debug::NoLocking "true";',
        ))  # fmt: skip
        self._apt("apt-get", "-q", "update")

    def names(self, prefix: str) -> list[str]:
        """Return the packages whose name starts so."""
        return sorted(self._apt("apt-cache", "pkgnames", prefix).split())

    def download(self, *names: str) -> list[Path]:
        """Return the files of these packages and of all that they depend on, but for those that were returned before."""
        archives = self.folder / "cache" / "archives"
        before = set(archives.glob("*.deb"))
        self._apt("apt-get", "-q", "--yes", "--download-only", "install", *names)
        return sorted(set(archives.glob("*.deb")) - before)

    def download_alone(self, name: str) -> Path:
        """Return the file of the newest version of a package."""
        self._apt("apt-get", "-q", "download", name)
        return max(self._apt.download.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)


@contextlib.contextmanager
def offers(suites: tuple[tuple[str, str], ...]) -> Iterator[Offer]:
    """Yield what the suites offer; what was downloaded is deleted at the end."""
    with open_site() as site:
        yield Offer(site, suites)


def compilers(offer: Offer) -> list[Compiler]:
    """Return the compilers that build a vDSO for riscv64, the newest of each family first."""
    gccs = [Compiler("gcc", int(found[1])) for name in offer.names("gcc-") if (found := GCC.fullmatch(name))]
    names = set(offer.names("lld-")) & {name.replace("clang", "lld") for name in offer.names("clang-")}
    clangs = [Compiler("clang", int(found[1])) for name in names if (found := CLANG.fullmatch(name.replace("lld", "clang")))]
    return sorted(gccs, reverse=True) + sorted(clangs, reverse=True)


def unpack(debs: list[Path], root: Path) -> None:
    """Unpack packages into `root`. No script of theirs runs: what a build needs of those is made here."""
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    without = [f"--exclude=./usr/share/{name}" for name in ("doc", "locale", "man", "info")]
    for deb in debs:
        files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        take = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", *without, "-C", root]
        subprocess.run(take, stdin=files.stdout, check=True)
        assert files.wait() == 0, deb
    for link, target in (("awk", "mawk"), ("sh", "dash")):
        if not (root / "usr" / "bin" / link).is_symlink():
            (root / "usr" / "bin" / link).symlink_to(target)
    for name in ("dev", "tree", "out", "tmp"):
        (root / name).mkdir(exist_ok=True)


INSIDE = """
mount --bind "$2" "$1/tree"
mount --bind "$3" "$1/out"
mount --rbind /dev "$1/dev"
root=$1
shift 3
exec chroot "$root" /usr/bin/env -i "$@"
"""


def run_inside(root: Path, tree: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of `root` with `tree` as /tree and `out` as /out, in a namespace in which the mounts end.

    words   settings of its environment, then the program
    """
    unshare = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",))]
    command = [*unshare, "sh", "-ec", INSIDE, "sh", root, tree, out, *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)


__all__ = ["BUILD", "COMPILERS", "SOURCES", "Compiler", "Failed", "Offer", "compilers", "offers", "run_inside", "unpack"]

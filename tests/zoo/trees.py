# SPDX-License-Identifier: MIT
"""Linux sources of Debian's packages linux-source-SERIES, unpacked as far as a vDSO takes them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .suites import Offer

SERIES = re.compile(r"linux-source-(\d+\.\d+)")
NOT_TAKEN = (
    *(f"{folder}/*.{kind}" for folder in ("drivers", "sound") for kind in "chS"),
    *(f"{folder}/*.c" for folder in ("fs", "net", "mm", "block", "crypto")),
    *("Documentation/*/*", "tools/testing/*", "tools/perf/*", "arch/*.dts", "arch/*.dtsi"),
)
"""By far the most of a tree, below its top folder. All Kconfig files and headers are taken."""


@dataclass(frozen=True)
class Tree:
    """version: the package's, as in "6.12.118-1". Nothing writes into `folder`."""

    version: str
    folder: Path

    @property
    def series(self) -> tuple[int, int]:
        major, minor = re.findall(r"\d+", self.version)[:2]
        return int(major), int(minor)


def series(offer: Offer) -> list[str]:
    """Return the packages with sources of Linux, the oldest series first."""
    names = [name for name in offer.names("linux-source-") if SERIES.fullmatch(name)]
    return sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def unpacked(deb: Path, trees: Path) -> Tree:
    """Return the tree of a package linux-source-SERIES, which is unpacked into a folder of `trees` once."""
    name, version, _architecture = deb.name.split("_")
    tree = Tree(version, trees / version)
    if not tree.folder.exists():
        aside = tree.folder.with_name(f"{version}.part")
        aside.mkdir(parents=True, exist_ok=True)
        inside = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        archive = subprocess.Popen(["tar", "-xO", f"./usr/src/{name}.tar.xz"], stdin=inside.stdout, stdout=subprocess.PIPE)
        without = [f"--exclude={name}/{pattern}" for pattern in NOT_TAKEN]
        subprocess.run(["tar", "-xJ", "--strip-components=1", *without, "-C", aside], stdin=archive.stdout, check=True)
        assert (inside.wait(), archive.wait()) == (0, 0), deb
        aside.rename(tree.folder)
    return tree

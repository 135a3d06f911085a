# SPDX-License-Identifier: MIT
"""The release archive: a blob, its SBOM, the program that tests a kernel, licences and sums.

The same files give the same bytes: order, owner, mode and times in the archive are fixed, and so is the head of gzip.
Another version of zlib may compress to other bytes; SHA256SUMS in the archive holds all the same.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import layout
from ..data_page import DataPage
from ..emit.blob import Blob
from ..errors import VdsoError
from ..image.maker import Maker
from ..paths import ROOT
from ..templating import render

SUMS = Path(layout.SUMS).name
SBOM = "vdso.cdx.json"
README = "README.md"
README_TEMPLATE = "release.md.j2"
# Name in the archive to file of this repository: the licences of our own code, and those of Linux's.
OUR_LICENCES = {"LICENSES/MIT.txt": ROOT / "LICENSE"}
LINUX_LICENCES = {name: ROOT / name for name in ("LICENSES/GPL-2.0-only.txt", "LICENSES/Linux-syscall-note.txt")}
# SPDX. Linux's COPYING puts the kernel as a whole under this; our code joins it in the image.
LINUX_LICENCE = "GPL-2.0-only WITH Linux-syscall-note"


@dataclass(frozen=True)
class Origin:
    """The package of Debian that a base was taken out of, and the source package that it was built from."""

    package: str
    version: str
    source: str
    source_version: str

    @property
    def source_url(self) -> str:
        """Return the address where Debian keeps that source package for ever (snapshot.debian.org, "URL scheme")."""
        return f"https://snapshot.debian.org/package/{self.source}/{self.source_version}/"


@dataclass(frozen=True)
class Release:
    """A blob to be packed.

    files       name in the archive to content, of all files but the SBOM and the README
    origin      where the base came from; None: from a file, or it is our own
    selftest    name to SHA-256 of the sources of vdso-selftest
    """

    blob: Blob
    files: Mapping[str, bytes]
    origin: Origin | None
    selftest: Mapping[str, str]

    @property
    def own(self) -> bool:
        """Tell whether the base is our own, `minimal`, so that the blob holds nothing of Linux."""
        return self.blob.image.maker.own

    @property
    def name(self) -> str:
        """Return `vdso-ARCH-7.2.13`, and behind it what a kernel must do otherwise: `-before`, `-none`, `-mmio0xff8`."""
        image = self.blob.image
        base = "minimal" if self.own else image.maker.version
        page = "" if image.data_page is DataPage.AFTER else f"-{image.data_page}"
        counter = f"-mmio{image.counter_word:#x}" if image.counter_offset else ""
        return f"vdso-{image.arch}-{base}{page}{counter}"

    @property
    def base_licence(self) -> str:
        return "MIT" if self.own else LINUX_LICENCE

    @property
    def licence(self) -> str:
        """Return the licence of the image, and of each file that holds its bytes."""
        return "MIT" if self.own else f"({LINUX_LICENCE}) AND MIT"


def refuse_unknown(base: str, maker: Maker) -> None:
    """Refuse, with VdsoError, a base that is not ours and names no Linux: its origin and its licence would be unknown."""
    if not maker.own and not maker.linux:
        what = "has no note with a version of Linux, so name and licence of an archive of it are not known"
        raise VdsoError(base, what, "take a vDSO of Linux, or BASE=minimal")


def licences(own: bool) -> dict[str, Path]:
    """Return name in the archive to file of this repository, for each licence that the archive needs."""
    return OUR_LICENCES if own else OUR_LICENCES | LINUX_LICENCES


def pack(release: Release, sbom: str) -> dict[str, bytes]:
    """Return name to content of two files: the archive, and the SBOM, which the archive holds too."""
    readme = render(README_TEMPLATE, release=release, blob=release.blob, image=release.blob.image)
    files = {**release.files, SBOM: sbom.encode(), README: readme.encode()}
    files[SUMS] = sums(files)
    inside = {f"{release.name}/{name}": data for name, data in files.items()}
    return {f"{release.name}.tar.gz": tar_gz(inside), f"{release.name}.cdx.json": sbom.encode()}


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return the sums as sha256sum writes them, for `sha256sum -c`."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz of `files`, which does not depend on machine, user or date."""
    data = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=data, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)  # mtime, uid and gid are 0, and no user has a name
            member.size = len(files[name])
            member.mode = 0o755 if name.endswith(layout.SELFTEST) else 0o644
            tar.addfile(member, io.BytesIO(files[name]))
    return data.getvalue()


def listed(sums_file: Path) -> dict[str, str]:
    """Return name to SHA-256 of the files in a SHA256SUMS; empty where it is not there or can't be read."""
    try:
        lines = sums_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("  ") for line in lines)
    return {name: digest for digest, _, name in pairs if name.startswith("vdso-") and "/" not in name}


def intact(sums_file: Path) -> bool:
    """Tell whether all files that a SHA256SUMS names lie beside it, unchanged."""
    try:
        return all(
            hashlib.sha256((sums_file.parent / name).read_bytes()).hexdigest() == digest
            for name, digest in listed(sums_file).items()
        )
    except OSError:
        return False

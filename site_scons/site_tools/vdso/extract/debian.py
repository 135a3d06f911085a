# SPDX-License-Identifier: MIT
"""Fetches packages of Debian for an architecture, the kernel's above all: chooses site, suite and package; apt.py runs apt."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822
from debian.debian_support import Version

from ..arch.arch import Arch
from ..errors import VdsoError
from ..suggest import near
from .apt import WITHOUT, Apt, Failed, carry_over, run

SUITES = ("testing", "unstable", "stable")  # testing's kernel image is a small package; stable's carries all modules
KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{kind}" for kind in ("gpg", "pgp"))
TARGETS = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)")
"""A command that prints what `choose_site` reads."""
NAMED = (*SUITES, "sid", "trixie", "forky", "duke")
"""What the suites are called that have kernels for the younger architectures."""
SUITE = re.compile(r"[a-z][a-z0-9/.+-]*")


@dataclass(frozen=True)
class Kernel:
    """A kernel package: `data` is the .deb, whose hash apt has checked against an index signed by Debian."""

    package: str
    version: str
    source: str
    source_version: str
    suite: str
    site: str
    data: bytes


@dataclass(frozen=True)
class Candidate:
    """A package that can be downloaded.

    source_field    of its record (Debian Policy 5.6.1), as in "linux (7.2.13-1)"; "" where it equals the package
    size            of the .deb in bytes; 0 where its record does not say it
    """

    package: str
    version: str
    source_field: str = ""
    size: int = 0

    @property
    def source(self) -> tuple[str, str]:
        """Return name and version of the source package that it was built from."""
        name, _, version = self.source_field.partition(" ")
        return name or self.package, version.strip("()") or self.version


def fetch_kernel(arch: Arch, suite: str = "", mirror: str = "", tell: Callable[[str], None] = lambda _: None) -> Kernel:
    """Download the newest kernel of `suite` ("": the first of SUITES that has one) from `mirror` ("": the machine's own site).

    tell    is called with each line that a user should see while the download goes on

    VdsoError("debian") where there is no apt, no keyring, no network or no such package.
    """
    if suite and not SUITE.fullmatch(suite):
        raise VdsoError("debian", f"{suite!r} is no suite's name", f"BASE=debian:SUITE, such as {', '.join(SUITES)}")
    with open_site(mirror) as site:
        failures: dict[str, list[str]] = {}

        def found(line: str) -> None:
            for reason in _told(failures):
                tell(f"SKIPPED {reason}")
            tell(line)

        for each in (suite,) if suite else SUITES:
            try:
                return _kernel(Suite(site, each, arch.debian), arch, found)
            except Failed as failed:
                failures.setdefault(str(failed), []).append(each)
    meant = near(suite, NAMED) if suite and suite not in NAMED else ""
    todo = f"did you mean debian:{meant}? {WITHOUT}" if meant else WITHOUT
    raise VdsoError("debian", f"no kernel for {arch.debian} from {site.address}: {'; '.join(_told(failures))}", todo)


def _told(failures: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return "suites: why" of each reason."""
    return tuple(f"{', '.join(suites)}: {why}" for why, suites in failures.items())


@dataclass(frozen=True)
class Site:
    """An archive of Debian, the keyring that its signatures are checked with, and a folder for the states of apt."""

    address: str
    keyring: Path
    carried: tuple[str, ...]
    folder: Path


@contextlib.contextmanager
def open_site(mirror: str = "") -> Iterator[Site]:
    """Yield the archive at `mirror` ("": the machine's own site); its folder is deleted at the end. VdsoError without one."""
    keyring = next((path for path in KEYRINGS if path.is_file()), None)
    if keyring is None:
        raise VdsoError("debian", f"no keyring {KEYRINGS[0]} (package debian-archive-keyring)", f"install it; or {WITHOUT}")
    with tempfile.TemporaryDirectory(prefix="scons-vdso-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's apt downloads as another user
        carried = carry_over(run(["apt-config", "dump"], dict(os.environ)))
        yield Site(mirror or machine_site(folder / "machine", carried), keyring, carried, folder)


def machine_site(folder: Path, carried: Iterable[str]) -> str:
    """Return the address of Debian in the machine's own sources. VdsoError where they name none, or none answers.

    `apt-get indextargets` names a target only if its file is there, and before a first update no file is. Then a state of our
    own reads the machine's sources, and downloads the smallest file of each: the Release file of a component.
    """
    with contextlib.suppress(Failed):
        if address := choose_site(run(TARGETS, dict(os.environ))):
            return address
    tiny = (
        'Acquire::IndexTargets::deb::Packages::DefaultEnabled "false";',
        'Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";',
        'Acquire::IndexTargets::deb::Site::MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Release";',
        'Acquire::IndexTargets::deb::Site::ShortDescription "Release";',
        'Acquire::IndexTargets::deb::Site::Description "$(RELEASE)/$(COMPONENT) Release";',
        'APT::Update::Error-Mode "any";',
    )
    apt = Apt(folder, carried, tiny)
    why = ""
    try:
        apt("apt-get", "-q", "update")
    except Failed as failed:  # one of the machine's sources may be down: apt lists those that it could read
        why = f": {failed}"
    with contextlib.suppress(Failed):
        if address := choose_site(apt(*TARGETS)):
            return address
    what = f"no Debian among the sources of this machine's apt{why}"
    raise VdsoError("debian", what, f"set MIRROR to the address of a Debian mirror; or {WITHOUT}")


def choose_site(targets: str) -> str:
    """Return the address of the first line ORIGIN|LABEL|REPO_URI that is Debian, not its security archive; "" if none is."""
    for line in targets.splitlines():
        origin, label, address = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian") and address:
            return address.rstrip("/")
    return ""


class Suite:
    """One suite of a site, for one architecture of Debian. Making it reads the index anew. Failed where apt fails."""

    def __init__(self, site: Site, name: str, architecture: str) -> None:
        folder = site.folder / f"{name.replace('/', '_')}_{architecture}"
        folder.mkdir()
        sources = folder / "sources.list"
        line = f"deb [arch={architecture} signed-by={site.keyring}] {site.address} {name} main\n"
        sources.write_text(line, encoding="utf-8")
        self.name, self.site = name, site
        self._apt = Apt(folder, site.carried, (
            f'Dir::Etc::SourceList "{sources}";',
            'Dir::Etc::SourceParts "/dev/null";',
            'Dir::Etc::Preferences "/dev/null";',
            'Dir::Etc::PreferencesParts "/dev/null";',
            f'APT::Architecture "{architecture}";',
            f'APT::Architectures {{ "{architecture}"; }};',
            'APT::Update::Error-Mode "any";',
            'Acquire::By-Hash "force";',
        ))  # fmt: skip
        self._apt("apt-get", "-q", "update")

    def names(self, prefix: str) -> str:
        """Return the packages whose name starts so, one a line."""
        return self._apt("apt-cache", "pkgnames", prefix)

    def newest(self, *names: str) -> Candidate:
        """Return the newest of these packages."""
        return newest(self._apt("apt-cache", "show", *names))

    def download(self, what: Candidate) -> bytes:
        """Return the .deb, whose hash apt has checked against the signed index."""
        self._apt("apt-get", "-q", "download", f"{what.package}={what.version}")
        (deb,) = self._apt.download.glob("*.deb")
        data = deb.read_bytes()
        deb.unlink()
        return data


def _kernel(suite: Suite, arch: Arch, tell: Callable[[str], None]) -> Kernel:
    names = kernel_packages(suite.names("linux-"), arch)
    if not names:
        raise Failed(f"no package linux-binary or linux-image for {arch.debian}")
    best = suite.newest(*names)
    tell(f"FOUND   {best.package} {best.version} ({suite.name}), {max(1, round(best.size / 1e6))} MB to download")
    return Kernel(best.package, best.version, *best.source, suite.name, suite.site.address, suite.download(best))


def kernel_packages(names: str, arch: Arch) -> list[str]:
    """Return those of the names, one a line, that are kernels: no meta packages (no number), no -dbg, no -unsigned."""
    kernel = re.compile(rf"linux-(binary|image)-[0-9].*-{re.escape(arch.debian)}")
    return sorted(name for name in names.split() if kernel.fullmatch(name))


def newest(records: str) -> Candidate:
    """Return the newest of `apt-cache show`'s records in dpkg's order; linux-binary, the image alone, before linux-image."""
    found = [
        Candidate(r["Package"], r["Version"], r.get("Source", ""), int(r.get("Size", 0)))
        for r in Deb822.iter_paragraphs(records.splitlines())
    ]
    return max(found, key=lambda c: (c.package.startswith("linux-binary"), Version(c.version), -len(c.package)))

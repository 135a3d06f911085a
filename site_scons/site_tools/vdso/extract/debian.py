# SPDX-License-Identifier: MIT
"""Fetch packages of Debian for an architecture, the kernel's above all, with apt, and without touching the machine's apt.

apt does what it is good at: proxies, mirrors, signatures, hashes. It runs on a state of its own in a temporary folder
and reads one configuration file, which APT_CONFIG names: `-o` comes after apt.conf.d has been read, hooks and all.
Carried over from the machine: how it reaches the network and whether it believes in dates. No root is needed.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from debian.deb822 import Deb822
from debian.debian_support import Version

from ..arch.arch import Arch
from ..errors import VdsoError

SUITES = ("testing", "unstable", "stable")  # testing's kernel image is a small package; stable's carries all modules
KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{kind}" for kind in ("gpg", "pgp"))
TODO = "give a file as BASE, or BASE=minimal, which needs no network"
SUITE = re.compile(r"[a-z][a-z0-9/.+-]*")
CARRIED = re.compile(r"Acquire::(http|https|ftp|socks5h|Check-Date|Check-Valid-Until|Max-FutureTime)\b", re.IGNORECASE)
NETWORK_TRIES = 'Acquire::Retries "1"; Acquire::http::Timeout "20"; Acquire::https::Timeout "20";'
LONGEST = 3600  # seconds that one apt command may take


@dataclass(frozen=True)
class Kernel:
    """A kernel package: `data` is the .deb, whose hash apt has checked against an index signed by Debian.

    passed_over     "suite: why" of each suite that was tried before
    """

    package: str
    version: str
    source: str
    source_version: str
    suite: str
    site: str
    data: bytes
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """`source_field`: of its record (Debian Policy 5.6.1), as in "linux (7.2.13-1)"; "" where it is as the package."""

    package: str
    version: str
    source_field: str = ""

    @property
    def source(self) -> tuple[str, str]:
        """Name and version of the source package that it was built from."""
        name, _, version = self.source_field.partition(" ")
        return name or self.package, version.strip("()") or self.version


def fetch_kernel(arch: Arch, suite: str = "", mirror: str = "") -> Kernel:
    """The newest kernel of `suite` ("": the first of SUITES that has one) from `mirror` ("": the machine's own site).

    VdsoError("debian") where there is no apt, no keyring, no network or no such package.
    """
    if suite and not SUITE.fullmatch(suite):
        raise VdsoError("debian", f"{suite!r} is no suite's name", f"BASE=debian:SUITE, such as {', '.join(SUITES)}")
    with open_site(mirror) as site:
        failures: list[str] = []
        for each in (suite,) if suite else SUITES:
            try:
                kernel = _kernel(Suite(site, each, arch.debian), arch)
                return replace(kernel, passed_over=tuple(failures))
            except Failed as failed:
                failures.append(f"{each}: {failed}")
    raise VdsoError("debian", f"no kernel for {arch.debian} from {site.address}: {'; '.join(failures)}", TODO)


@dataclass(frozen=True)
class Site:
    """An archive of Debian, the keyring that its signatures are checked with, and a folder for the states of apt."""

    address: str
    keyring: Path
    carried: tuple[str, ...]
    folder: Path


@contextlib.contextmanager
def open_site(mirror: str = "") -> Iterator[Site]:
    """The archive at `mirror` ("": the machine's own site); its folder is gone at the end. VdsoError where there is none."""
    keyring = next((path for path in KEYRINGS if path.is_file()), None)
    if keyring is None:
        raise VdsoError("debian", f"no keyring {KEYRINGS[0]} (package debian-archive-keyring)", f"install it; or {TODO}")
    with tempfile.TemporaryDirectory(prefix="scons-vdso-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's apt downloads as another user
        carried = carry_over(_run(["apt-config", "dump"], dict(os.environ)))
        address = mirror or machine_site(folder / "machine", carried)
        if not address:
            what = "no network, or no Debian among the sources of this machine's apt"
            raise VdsoError("debian", what, f"set MIRROR to a mirror of Debian; or {TODO}")
        yield Site(address, keyring, carried, folder)


class Failed(Exception):
    """An apt command that ended with an error: its first message."""


def _run(command: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> str:
    """The standard output of a command. Failed with what it complained of first, VdsoError when it isn't there."""
    try:
        done = subprocess.run(
            command, env=environment | {"LC_ALL": "C"}, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=LONGEST, check=False)  # fmt: skip
    except FileNotFoundError:
        raise VdsoError("debian", f"no {command[0]} on this machine", TODO) from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command[:2])} took more than {LONGEST} seconds") from None
    if done.returncode:
        raise Failed(complaint(done.stderr) or f"{' '.join(command[:2])} ended with status {done.returncode}")
    return done.stdout


def complaint(stderr: str) -> str:
    """apt's first error, else its first warning, shortened to a line."""
    lines = stderr.splitlines()
    first = next((line for kind in ("E: ", "W: ") for line in lines if line.startswith(kind)), "")
    return re.sub(r"Failed to fetch \S+\s+", "", first[3:]).strip()[:200]


def carry_over(dump: str) -> tuple[str, ...]:
    """Of `apt-config dump`, the lines on how this machine reaches the network (proxies, certificates) and on dates."""
    return tuple(line for line in dump.splitlines() if CARRIED.match(line))


def configuration(folder: Path, carried: Iterable[str], extra: Iterable[str]) -> str:
    """apt.conf for a state of its own below `folder`. Nothing of /etc/apt/apt.conf* is read, so no hook runs."""
    own = (
        'Dir::Etc::Parts "/dev/null";',
        'Dir::Etc::Main "/dev/null";',
        f'Dir::State "{folder}/state";',
        f'Dir::State::Lists "{folder}/lists";',
        'Dir::State::Status "/dev/null";',
        f'Dir::Cache "{folder}/cache";',
        'Acquire::Languages "none";',
        NETWORK_TRIES,
    )
    return "\n".join((*own, *carried, *extra)) + "\n"


class _Apt:
    """apt on a state of its own: gives a command's output. The source lists are the machine's unless `extra` says."""

    def __init__(self, folder: Path, carried: Iterable[str], extra: Iterable[str]) -> None:
        for part in ("lists/partial", "cache/archives/partial", "state", "download"):
            (folder / part).mkdir(parents=True)
        conf = folder / "apt.conf"
        conf.write_text(configuration(folder, carried, extra), encoding="utf-8")
        self.download = folder / "download"
        self._environment = dict(os.environ) | {"APT_CONFIG": str(conf)}

    def __call__(self, *command: str) -> str:
        return _run(command, self._environment, self.download)


def machine_site(folder: Path, carried: Iterable[str]) -> str:
    """The address of Debian in the machine's own sources; "" when they name none, or none answers.

    `apt-get indextargets` names a target only where its file is there, which before a first update none is. So a state
    of our own reads the machine's sources, and of each the smallest file it has: the Release file of a component.
    """
    tiny = (
        'Acquire::IndexTargets::deb::Packages::DefaultEnabled "false";',
        'Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";',
        'Acquire::IndexTargets::deb::Site::MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Release";',
        'Acquire::IndexTargets::deb::Site::ShortDescription "Release";',
        'Acquire::IndexTargets::deb::Site::Description "$(RELEASE)/$(COMPONENT) Release";',
    )
    apt = _Apt(folder, carried, tiny)
    with contextlib.suppress(Failed):  # a source of the machine's may be down: what could be read is listed
        apt("apt-get", "-q", "update")
    try:
        return choose_site(apt("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"))
    except Failed:
        return ""


def choose_site(targets: str) -> str:
    """Of lines ORIGIN|LABEL|REPO_URI the first that is Debian itself, not its security archive; "" if none is."""
    for line in targets.splitlines():
        origin, label, address = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian") and address:
            return address.rstrip("/")
    return ""


class Suite:
    """One suite of a site, for one architecture of Debian's: its index is read anew. Failed where apt fails."""

    def __init__(self, site: Site, name: str, architecture: str) -> None:
        folder = site.folder / f"{name.replace('/', '_')}_{architecture}"
        folder.mkdir()
        sources = folder / "sources.list"
        line = f"deb [arch={architecture} signed-by={site.keyring}] {site.address} {name} main\n"
        sources.write_text(line, encoding="utf-8")
        self.name, self.site = name, site
        self._apt = _Apt(folder, site.carried, (
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
        """The packages whose name starts so, one a line."""
        return self._apt("apt-cache", "pkgnames", prefix)

    def newest(self, *names: str) -> Candidate:
        return newest(self._apt("apt-cache", "show", *names))

    def download(self, what: Candidate) -> bytes:
        """The .deb, whose hash apt has checked against the signed index."""
        self._apt("apt-get", "-q", "download", f"{what.package}={what.version}")
        (deb,) = self._apt.download.glob("*.deb")
        data = deb.read_bytes()
        deb.unlink()
        return data


def _kernel(suite: Suite, arch: Arch) -> Kernel:
    names = kernel_packages(suite.names("linux-"), arch)
    if not names:
        raise Failed(f"no package linux-binary or linux-image for {arch.debian}")
    best = suite.newest(*names)
    return Kernel(best.package, best.version, *best.source, suite.name, suite.site.address, suite.download(best))


def kernel_packages(names: str, arch: Arch) -> list[str]:
    """Of package names, one a line, those of kernels: no meta packages (no number), no -dbg, no -unsigned."""
    wanted = re.compile(rf"linux-(binary|image)-[0-9].*-{re.escape(arch.debian)}")
    return sorted(name for name in names.split() if wanted.fullmatch(name))


def newest(records: str) -> Candidate:
    """Of `apt-cache show`'s records the newest in dpkg's order; linux-binary, the image alone, before linux-image."""
    found = [Candidate(r["Package"], r["Version"], r.get("Source", "")) for r in Deb822.iter_paragraphs(records.splitlines())]
    return max(found, key=lambda c: (c.package.startswith("linux-binary"), Version(c.version), -len(c.package)))

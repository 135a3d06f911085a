# SPDX-License-Identifier: MIT
"""debian.py, apt.py: the choice of a package, the words to apt, and apt itself on a signed archive of ours and on Debian's."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian_archive import Archive, Quiet, package, serve
from debian_packages import no_network
from elf_builder import Spec, build
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.extract import debian
from vdso.extract.apt import carry_over, complaint, configuration
from vdso.extract.debian import Candidate, choose_site, kernel_packages, newest
from vdso.extract.find import find

BASE = build(Spec())


def test_kernel_packages() -> None:
    names = """linux-image-6.12.94+deb13-riscv64 linux-image-6.12.94+deb13-riscv64-dbg linux-image-riscv64
        linux-binary-7.2.12+deb14-riscv64 linux-headers-7.2.12+deb14-riscv64 linux-image-7.2.12+deb14-amd64
        linux-image-7.2-riscv64-unsigned linux-libc-dev linux-source-7.2"""
    assert kernel_packages(names, RISCV64) == ["linux-binary-7.2.12+deb14-riscv64", "linux-image-6.12.94+deb13-riscv64"]


def records(*pairs: tuple[str, str]) -> str:
    return "\n".join(f"Package: {name}\nVersion: {version}\nDescription: x\n y\n" for name, version in pairs)


@pytest.mark.parametrize(
    ("pairs", "best"),
    [
        ([("linux-image-9", "6.12.94-1"), ("linux-image-10", "6.12.107-1")], 1),
        ([("linux-image-1", "6.12~rc1-1"), ("linux-image-2", "6.12-1")], 1),
        ([("linux-image-1", "1:5.0-1"), ("linux-image-2", "6.12-1")], 0),
        ([("linux-image-1", "6.12-1"), ("linux-image-1", "6.12-1+b1")], 1),
        ([("linux-image-8", "8-1"), ("linux-binary-7", "7-1"), ("linux-binary-6", "6-1")], 1),
        ([("linux-image-8-rt-riscv64", "8-1"), ("linux-image-8-riscv64", "8-1")], 1),
    ],
)
def test_newest(pairs: list[tuple[str, str]], best: int) -> None:
    assert newest(records(*pairs)) == Candidate(*pairs[best])


@pytest.mark.parametrize(
    ("field", "source"),
    [("", ("linux-image-1", "6.12-1+b1")), ("linux", ("linux", "6.12-1+b1")), ("linux (6.12-1)", ("linux", "6.12-1"))],
)
def test_the_source_of_a_package(field: str, source: tuple[str, str]) -> None:
    record = records(("linux-image-1", "6.12-1+b1"))
    assert newest(record.replace("Description", f"Source: {field}\nDescription") if field else record).source == source


def test_choose_site() -> None:
    lines = "Google|cloud|https://x/\nDebian|Debian-Security|http://s/debian-security/\nDebian|Debian|http://m/debian/\n"
    assert choose_site(lines) == "http://m/debian"
    assert choose_site("") == choose_site("Ubuntu|Ubuntu|http://u/\n") == ""


def test_carry_over() -> None:
    dump = """APT::Architecture "amd64";
APT::Update::Post-Invoke-Success:: "touch /tmp/hook";
DPkg::Post-Invoke:: "touch /tmp/hook";
Acquire::http::Proxy "http://proxy:3128";
Acquire::https::CaInfo "/etc/ssl/own.pem";
Acquire::Check-Valid-Until "false";
Acquire::httpsomething "no";
Dir::Etc::parts "apt.conf.d";"""
    assert carry_over(dump) == (
        'Acquire::http::Proxy "http://proxy:3128";',
        'Acquire::https::CaInfo "/etc/ssl/own.pem";',
        'Acquire::Check-Valid-Until "false";',
    )


def test_configuration() -> None:
    text = configuration(Path("/t"), ['Acquire::http::Proxy "p";'], ['APT::Architecture "riscv64";'])
    lines = text.splitlines()
    assert 'Dir::Etc::Parts "/dev/null";' in lines
    assert 'Dir::Etc::Main "/dev/null";' in lines
    assert 'Dir::State::Status "/dev/null";' in lines
    assert 'Dir::State::Lists "/t/lists";' in lines
    assert lines[-2:] == ['Acquire::http::Proxy "p";', 'APT::Architecture "riscv64";']


def test_complaint() -> None:
    assert complaint("W: a\nE: Failed to fetch http://x/y  Could not connect\nE: b") == "Could not connect"
    assert complaint("E: Failed to fetch http://x/y  Unable to connect to x:80:\n") == "Unable to connect to x:80", "apt 3"
    assert complaint("W: only this\n") == "only this"
    assert complaint("") == ""


def refused(**arguments: str) -> str:
    with pytest.raises(VdsoError) as caught:
        debian.fetch_kernel(RISCV64, **arguments)
    text = str(caught.value)
    assert text.startswith("debian: ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suite", ["Testing", "-o", "a b", "../x", "a'b", 'a"'])
def test_no_suite(suite: str) -> None:
    assert f"{suite!r} is no suite's name; BASE=debian:SUITE" in refused(suite=suite)


def test_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "KEYRINGS", (Path("/nowhere/keyring.gpg"),))
    assert "no keyring /nowhere/keyring.gpg (package debian-archive-keyring); install it" in refused()


@pytest.fixture
def some_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "KEYRINGS", (Path(__file__),))


@pytest.mark.usefixtures("some_keyring")
def test_no_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = refused()
    assert "no apt-config on this machine; give a file as BASE, or BASE=minimal, which needs no network" in text


@pytest.mark.usefixtures("some_keyring")
@pytest.mark.skipif(not shutil.which("apt-get"), reason="no apt on this machine")
def test_no_network() -> None:
    text = refused(mirror=f"http://127.0.0.1:{free_port()}/debian")
    assert "no kernel for riscv64 from http://127.0.0.1:" in text
    assert re.findall(r"(\S+, \S+, \S+): (?:Could not|Unable to) connect to 127\.0\.0\.1", text) == [", ".join(debian.SUITES)]
    assert text.count(" connect to ") == 1
    assert "; give a file as BASE, or BASE=minimal, which needs no network" in text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as archive:
        monkeypatch.setattr(debian, "KEYRINGS", (archive.keyring,))
        yield archive


NAME = "linux-image-6.12.94-riscv64"


def test_suites_in_turn(archive: Archive) -> None:
    other = package(build(Spec(linux=0x060100)))
    archive.publish("unstable", ("linux-libc-dev", "7-1", other))
    archive.publish("stable", (NAME, "6.12.94-1", other), ("linux-image-6.12.107-riscv64", "6.12.107-1", package(BASE)))
    told: list[str] = []
    kernel = debian.fetch_kernel(RISCV64, mirror=archive.site, tell=told.append)
    assert (kernel.package, kernel.version) == ("linux-image-6.12.107-riscv64", "6.12.107-1")
    assert (kernel.suite, kernel.site) == ("stable", archive.site)
    assert find("package", kernel.data, RISCV64) == BASE
    testing, unstable, found = told
    assert testing.startswith("SKIPPED testing: ")
    assert unstable == "SKIPPED unstable: no package linux-binary or linux-image for riscv64"
    assert found == "FOUND   linux-image-6.12.107-riscv64 6.12.107-1 (stable), 1 MB to download"


def test_one_suite_alone(archive: Archive) -> None:
    archive.publish("stable", (NAME, "6.12.94-1", package(BASE)))
    assert "no kernel for riscv64" in refused(suite="testing", mirror=archive.site)
    assert debian.fetch_kernel(RISCV64, "stable", archive.site).package == NAME


@pytest.mark.parametrize(("suite", "meant"), [("trixy", "trixie"), ("stabel", "stable"), ("Testing", ""), ("trixie", "")])
def test_a_misspelt_suite(archive: Archive, suite: str, meant: str) -> None:
    archive.publish("stable", (NAME, "6.12.94-1", package(BASE)))
    text = refused(suite=suite, mirror=archive.site)
    assert (f"; did you mean debian:{meant}? give a file as BASE" in text) == bool(meant), text


def test_machine_is_untouched(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hook of the machine's runs, also not one of the file that APT_CONFIG names; what says how to reach the net holds."""
    hook = tmp_path / "hook"
    conf = tmp_path / "apt.conf"
    conf.write_text(
        f'APT::Update::Pre-Invoke {{ "touch {hook}"; }};\nDPkg::Pre-Invoke {{ "touch {hook}"; }};\n'
        'Acquire::http::User-Agent "machine";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(conf))
    agents: set[str | None] = set()
    answer = Quiet.do_GET
    monkeypatch.setattr(Quiet, "do_GET", lambda self: (agents.add(self.headers["User-Agent"]), answer(self)))
    archive.publish("testing", (NAME, "6.12.94-1", package(BASE)))
    lists = Path("/var/lib/apt/lists")
    before = sorted(lists.glob("*"))
    debian.fetch_kernel(RISCV64, "testing", archive.site)
    assert not hook.exists()
    assert agents == {"machine"}
    assert sorted(lists.glob("*")) == before


@dataclass(frozen=True)
class Machine:
    """A machine whose apt has `lines` for sources, and read no list yet. APT_CONFIG names its configuration."""

    folder: Path
    archive: Archive
    monkeypatch: pytest.MonkeyPatch

    def sources(self, *lines: str) -> tuple[str, ...]:
        """Write sources.list, and return what must be carried over for a state of our own to read it."""
        keyring = debian.KEYRINGS[0]
        (self.folder / "sources.list").write_text("".join(f"deb [arch=riscv64 signed-by={keyring}] {line}\n" for line in lines))
        own = (
            f'Dir::Etc::SourceList "{self.folder}/sources.list";',
            'Dir::Etc::SourceParts "/dev/null";',
            'APT::Architecture "riscv64";',
            'APT::Architectures { "riscv64"; };',
        )
        (self.folder / "state" / "lists" / "partial").mkdir(parents=True)
        state = f'Dir::State "{self.folder}/state";\nDir::State::Lists "{self.folder}/state/lists";\n'
        (self.folder / "apt.conf").write_text("\n".join(own) + "\n" + state)
        self.monkeypatch.setenv("APT_CONFIG", str(self.folder / "apt.conf"))
        return own

    def site(self, carried: tuple[str, ...]) -> str:
        return debian.machine_site(self.folder / "own", carried)


@pytest.fixture
def machine(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Machine(Path(name), archive, monkeypatch)


def test_site_of_the_machines_own_sources(machine: Machine) -> None:
    """Before a first update, with one of them down."""
    machine.archive.publish("testing", (NAME, "6.12.94-1", package(BASE)))
    carried = machine.sources(f"http://127.0.0.2:{free_port()}/down stable main", f"{machine.archive.site} testing main")
    assert machine.site(carried) == machine.archive.site


def test_site_of_the_machines_own_lists(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an update nothing is asked any more: a mirror whose small files lag behind does as well."""
    machine.archive.publish("testing", (NAME, "6.12.94-1", package(BASE)))
    carried = machine.sources(f"{machine.archive.site} testing main")
    subprocess.run(["apt-get", "-q", "update"], check=True, capture_output=True)
    asked: list[str] = []
    monkeypatch.setattr(Quiet, "do_GET", lambda self: asked.append(self.path))
    assert machine.site(carried) == machine.archive.site
    assert asked == []


@pytest.mark.parametrize(
    ("origin", "why"),
    [("Ubuntu", ""), ("", ": (Could not|Unable to) connect to 127.0.0.2")],
    ids=["another system", "no network"],
)
def test_no_site(machine: Machine, origin: str, why: str) -> None:
    """What apt said is told, and what to do: another system's apt has no source of Debian."""
    machine.archive.publish("testing", (NAME, "6.12.94-1", package(BASE)), origin=origin)
    site = machine.archive.site if origin else f"http://127.0.0.2:{free_port()}/down"
    carried = machine.sources(f"{site} testing main")
    with pytest.raises(VdsoError, match=f"^debian: no Debian among the sources of this machine's apt{why}") as caught:
        machine.site(carried)
    assert "; set MIRROR to the address of a Debian mirror; or give a file as BASE, or BASE=minimal" in str(caught.value)


def test_changed_package_is_refused(archive: Archive) -> None:
    archive.publish("testing", (NAME, "6.12.94-1", package(BASE)))
    path = next(archive.folder.glob("pool/*.deb"))
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert "testing: Hash Sum mismatch; give a file" in refused(suite="testing", mirror=archive.site)


def test_changed_index_is_refused(archive: Archive) -> None:
    archive.publish("testing", (NAME, "6.12.94-1", package(BASE)))
    signed = archive.folder / "dists/testing/InRelease"
    signed.write_text(signed.read_text().replace("Suite: testing", "Suite: Testing"))
    assert "testing InRelease' is not signed.; give a file" in refused(suite="testing", mirror=archive.site)


def test_key_that_is_not_debians_is_refused(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.publish("testing", (NAME, "6.12.94-1", package(BASE)))
    (archive.folder.parent / "empty.gpg").write_bytes(b"")
    monkeypatch.setattr(debian, "KEYRINGS", (archive.folder.parent / "empty.gpg",))
    assert "testing InRelease' is not signed.; give a file" in refused(suite="testing", mirror=archive.site)


@pytest.fixture(scope="module")
def real() -> debian.Kernel:
    """Download the kernel that BASE=debian gets here, today."""
    if not shutil.which("apt-get") or not any(path.is_file() for path in debian.KEYRINGS):
        pytest.skip("no apt, or no keyring of Debian, on this machine")
    try:
        return debian.fetch_kernel(RISCV64)
    except VdsoError as error:
        if no_network(error):
            pytest.skip(f"no network: {error}")
        raise


def test_real_debian(real: debian.Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    base = find(real.package, real.data, RISCV64)
    assert real.package in kernel_packages(real.package, RISCV64)
    assert base.startswith(b"\x7fELF\2\1")
    assert b"linux-vdso.so.1\0" in base
    assert b"\0__vdso_clock_gettime\0" in base
    with capsys.disabled():
        where = f"{real.suite} of {real.site}"
        print(f"\n{real.package} {real.version}, {where}: base.so SHA-256 {hashlib.sha256(base).hexdigest()}")

# SPDX-License-Identifier: MIT
"""An archive of our own: what Debian's looks like to apt, small, signed by a key of our own, served on this machine."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from vdso.elf import elf64


def package(base: bytes) -> bytes:
    """Return a .deb whose kernel image holds `base`."""
    kernel, tar = bytes(elf64.PAGE) + base, io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        info = tarfile.TarInfo("./boot/vmlinux")
        info.size = len(kernel)
        archive.addfile(info, io.BytesIO(kernel))
    return package_of(tar.getvalue())


def package_of(data_tar_gz: bytes) -> bytes:
    """Return a .deb of this content."""
    out = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0\n"), ("data.tar.gz", data_tar_gz)):
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


@dataclass(frozen=True)
class Archive:
    """`folder` is what `site` serves; `keyring` has the key that `gpg` signs with."""

    folder: Path
    site: str
    gpg: list[str]
    keyring: Path

    def publish(self, suite: str, *packages: tuple[str, str, bytes], origin: str = "Debian") -> None:
        """Write `dists/suite` with (name, version, .deb), signed. `origin`: whose archive it says to be."""
        index = ""
        for name, version, deb in packages:
            path = f"pool/{name}_{version}_riscv64.deb"
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_bytes(deb)
            index += f"Package: {name}\nVersion: {version}\nArchitecture: riscv64\nMaintainer: t <t@example.org>\n"
            index += f"Filename: {path}\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\nDescription: t\n\n"
        files = {
            "Packages": index.encode(),
            "Packages.gz": gzip.compress(index.encode(), mtime=0),
            "Release": f"Archive: {suite}\nComponent: main\nArchitecture: riscv64\n".encode(),
        }
        dist = self.folder / "dists" / suite
        by_hash = dist / "main/binary-riscv64/by-hash/SHA256"
        by_hash.mkdir(parents=True, exist_ok=True)
        release = f"Origin: {origin}\nLabel: {origin}\nSuite: {suite}\nCodename: {suite}\nArchitectures: riscv64\n"
        release += "Components: main\nAcquire-By-Hash: yes\nDate: Sat, 01 Aug 2020 00:00:00 UTC\nSHA256:\n"
        for name, data in files.items():
            digest = hashlib.sha256(data).hexdigest()
            (by_hash / digest).write_bytes(data)
            release += f" {digest} {len(data)} main/binary-riscv64/{name}\n"
        (dist / "InRelease").unlink(missing_ok=True)
        sign = [*self.gpg, "--clearsign", "--output", str(dist / "InRelease")]
        subprocess.run(sign, input=release.encode(), check=True, capture_output=True)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[Archive]:
    """Yield an empty archive, which is deleted afterwards."""
    if not shutil.which("gpg") or not shutil.which("apt-get"):
        pytest.skip("no gpg, or no apt, on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # apt checks signatures as another user
        home = folder / "home"
        home.mkdir(mode=0o700)
        gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        subprocess.run([*gpg, "--quick-gen-key", "test"], check=True, capture_output=True)
        keyring = folder / "debian-archive-keyring.gpg"
        keyring.write_bytes(subprocess.run([*gpg, "--export"], check=True, capture_output=True).stdout)
        www = folder / "www"
        www.mkdir()
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(www))) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield Archive(www, f"http://127.0.0.1:{server.server_port}", gpg, keyring)
            finally:
                server.shutdown()
                thread.join()
                subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)

# SPDX-License-Identifier: MIT
"""What SECURITY.md says of input: nothing of it reaches a shell, an interpreter or a path, and only what is locked runs."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from debian_archive import package_of
from elf_builder import Spec, build
from repository import ROOT

TOOL = ROOT / "site_scons" / "site_tools"
SOURCES = [*TOOL.rglob("*.py"), ROOT / "sconsw", ROOT / "SConstruct", ROOT / "SConscript"]
FORBIDDEN = {
    "system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell",
    "eval", "exec", "loads", "load",
    "extract", "extractall", "unpack_archive",
}  # fmt: skip
ALLOWED = {"json.loads"}
RUNS = {"run", "Popen", "call", "check_call", "check_output"}


def faults(source: str) -> list[str]:
    """Return calls that give text to a shell or an interpreter, or let an archive choose the places of its files."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        last = name.rpartition(".")[2]
        if last in FORBIDDEN and name not in ALLOWED:
            found.append(name)
        if any(word.arg == "shell" for word in call.keywords):
            found.append(f"{name}: shell")
        if last in RUNS and call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
            found.append(f"{name}: a string")
        if last.startswith("exec") and last not in ("execve", "exec_module") and last not in FORBIDDEN:
            found.append(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_shell_no_interpreter_no_unpacking(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "os.system(f'ar x {path}')",
        "subprocess.run(f'ar x {path}', check=True)",
        "subprocess.run(words, shell=True)",
        "os.popen(words)",
        "eval(text)",
        "pickle.loads(data)",
        "archive.extractall(folder)",
        "archive.extract(member)",
        "os.execlp(name, name)",
    ],
)
def test_such_a_line_is_found(line: str) -> None:
    assert len(faults(line)) == 1


# Refuses whatever makes or changes a file, a folder or a link.
WATCH = """
import os, sys
def hook(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise SystemExit(f"writes {arguments[0]}")
    if event in ("os.mkdir", "os.symlink", "os.link", "os.rename", "os.chmod", "os.mknod", "os.remove", "subprocess.Popen"):
        raise SystemExit(f"{event} {arguments}")
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[2])
from vdso.arch.riscv64.facts import RISCV64
from vdso.extract.find import find
data = open(sys.argv[1], "rb").read()
sys.addaudithook(hook)
if len(sys.argv) > 3:
    open(sys.argv[3], "wb")
sys.stdout.write(str(len(find("given", data, RISCV64))))
"""


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def test_a_package_is_a_stream(tmp_path: Path) -> None:
    """Names that lead out, links to files of the host, devices: they are passed over, and no file is made of anything."""
    base, evil = build(Spec()), tmp_path / "evil"
    kernel = bytes(4096) + base
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as file:
        for info, data in (
            member(f"../../../../../..{evil}", b"x"),
            member(str(evil), b"x"),
            member("./boot/vmlinux-link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("./boot/vmlinuz-hard", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
            member("./boot/Image-device", type=tarfile.CHRTYPE),
            member("./boot/vmlinux-fifo", type=tarfile.FIFOTYPE),
            member(f"../../../../../..{evil}/boot/vmlinux", kernel),
        ):
            file.addfile(info, io.BytesIO(data))
    deb = tmp_path / "kernel.deb"
    deb.write_bytes(package_of(tar.getvalue()))
    command = [sys.executable, "-c", WATCH, deb, TOOL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, str(len(base))), done.stderr
    assert not evil.exists()
    writing = subprocess.run([*command, evil], capture_output=True, text=True, check=False)
    assert (writing.returncode, writing.stderr) == (1, f"writes {evil}\n")


def test_only_what_is_locked_is_installed() -> None:
    for lock in ("requirements.txt", "requirements-test.txt"):
        lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
        wanted = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        assert len(wanted) > 5
        for line in wanted:
            assert re.fullmatch(r"[A-Za-z0-9._-]+==\S+( ; [^-]*)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line), f"{lock}: {line}"
    text = (ROOT / "sconsw").read_text()
    assert text.count('"install"') == 2  # pip's and apt-get's
    assert '"install", "--no-compile", "--require-hashes", "--only-binary", ":all:", "-r"' in text

# SPDX-License-Identifier: MIT
"""What can happen to a build, made to happen: death at a moment or before a file appears, a full disk, another user."""

from __future__ import annotations

import errno
import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from repository import ROOT

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
UP_TO_DATE = "scons: `vdso' is up to date.\n"
TREE = ("SConstruct", "SConscript", "site_scons", "vdso_src", "templates", "requirements.txt", "LICENSE", "LICENSES")
NOBODY = 65534

# Python loads it at start: a process dies, or is refused, when it is about to rename to or open a file of that name.
HOOK = f"""
import os, signal, sys
name, kind = os.environ["FAULT_AT"], os.environ["FAULT"]
def hook(event, arguments):
    path = arguments[1] if event == "os.rename" else arguments[0] if event == "open" else None
    if isinstance(path, (str, os.PathLike)) and (os.path.basename(os.fspath(path)) + ".").startswith(name + "."):
        if event == "open" and (not arguments[2] & os.O_CREAT or kind == "kill"):
            return
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError({errno.ENOSPC}, os.strerror({errno.ENOSPC}), os.fspath(path))
sys.addaudithook(hook)
"""


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OUTPUTS}


def copy_tree(folder: Path, sabotage: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """Copy all that a build needs; sabotage: file to (text, its replacement)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TREE:
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__")
        (shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / name))
    for name, (old, new) in (sabotage or {}).items():
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        (folder / name).write_text(text.replace(old, new))
    return folder


class Scons:
    """`scons vdso OUT=out` of a checkout."""

    def __init__(self, out: Path, root: Path = ROOT) -> None:
        self.out, self.root = out, root

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "SCons", "-Q", "vdso", f"OUT={self.out}", *words]

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start it in a process group of its own, as a shell does."""
        return subprocess.Popen(
            self.command(*words), cwd=self.root, env=clean() | environ, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip

    def run(
        self, *words: str, before: Callable[[], None] | None = None, prefix: tuple[str, ...] = (), **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, *self.command(*words)], cwd=self.root, env=clean() | environ, preexec_fn=before,
            capture_output=True, text=True, check=False)  # fmt: skip

    def good(self, *words: str, **environ: str) -> dict[str, bytes]:
        """Run it, which must go well, and return the outputs."""
        done = self.run(*words, **environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return contents(self.out)

    def killed(self, after: float, *words: str, **environ: str) -> bool:
        """Send SIGKILL to the whole group; return False if the build was faster."""
        process = self.start(*words, **environ)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        return process.returncode == -signal.SIGKILL

    def faulty(self, hooks: Path, kind: str, at: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it so that it dies ("kill") before a file appears under the name `at`, or can't write that file ("full")."""
        (hooks / "sitecustomize.py").write_text(HOOK)
        return self.run(*words, PYTHONPATH=str(hooks), FAULT=kind, FAULT_AT=at)


def clean() -> dict[str, str]:
    """Return the environment of a run: nothing for SCons, and no proxy, which an archive on this machine does not need."""
    return {name: value for name, value in os.environ.items() if name != "SCONSFLAGS" and not name.lower().endswith("_proxy")}


def seconds(what: Callable[[], object]) -> float:
    start = time.monotonic()
    what()
    return time.monotonic() - start


def largest_file(size: int) -> Callable[[], None]:
    """Return a function for a child process: no file may become larger, and a write behind that fails as on a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@functools.cache
def other_user() -> tuple[str, ...]:
    """Return a prefix that runs a command as nobody, who may read everything (python lies in root's home) and write little."""
    if os.geteuid() == 0:
        caps = ("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search")
        return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *caps)
    return ()

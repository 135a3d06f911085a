# SPDX-License-Identifier: MIT
"""One copy of the checkout, in which tests run on one fault at a time. The checkout itself is never touched."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from checkout import fresh

from .mutant import Mutant

FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.M)
WALL = 1800  # seconds after which even a machine that does much else is not only slow


@dataclass(frozen=True)
class Outcome:
    """What came of running tests. by: the test that failed, or what else ended it; "" where all passed."""

    by: str
    seconds: float
    printed: str


class Trial:
    """A copy in `folder`. `caches`: a folder that trials share for what their tests compile once."""

    def __init__(self, folder: Path, caches: Path) -> None:
        self.root = fresh(folder)
        for command in (["init", "-q"], ["add", "-A"]):  # some tests ask git for the files of a checkout
            subprocess.run(["git", *command], cwd=self.root, check=True)
        self._environ = {
            **{name: value for name, value in os.environ.items() if name not in ("SCONSFLAGS", "PYTEST_ADDOPTS")},
            "PYTHONDONTWRITEBYTECODE": "1",  # a cache knows a source by size and second alone
            "CARGO_TARGET_DIR": str(caches / "cargo"),
            "TMPDIR": str(folder.with_name("tmp")),
        }

    @contextlib.contextmanager
    def fault(self, mutant: Mutant) -> Iterator[None]:
        """Put a fault into the copy, and take it out again."""
        path = self.root / mutant.path
        text = path.read_text()
        path.write_text(mutant.applied(text))
        try:
            yield
        finally:
            path.write_text(text)

    def run(self, tests: Sequence[str], seconds: float = WALL) -> Outcome:
        """Run tests until the first fails, or a process of theirs has taken `seconds` of a processor."""
        temporary = Path(self._environ["TMPDIR"])
        temporary.mkdir(exist_ok=True)
        words = ["-x", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]

        def limits() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 10))
            Path("/proc/self/oom_score_adj").write_text("1000")  # a limit on addresses would stop the address sanitizer

        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *words], cwd=self.root, env=self._environ, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limits,
        )  # fmt: skip
        try:
            printed, _ = process.communicate(timeout=WALL)
        except subprocess.TimeoutExpired:
            printed = ""
        finally:
            with contextlib.suppress(ProcessLookupError):  # what a test has started and left behind
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            shutil.rmtree(temporary, ignore_errors=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if process.returncode in (4, 5):
            raise RuntimeError(f"pytest can't run {' '.join(words)}:\n{printed}")
        return Outcome(_ended(process.returncode, printed), spent if spent else time.monotonic() - began, printed)


def _ended(status: int, printed: str) -> str:
    """Return the test that failed, or what else ended pytest; "" for nothing."""
    if status == 0:
        return ""
    found = FAILED.search(printed)
    if found:
        return found[1].removeprefix("tests/")
    return "no end" if status < 0 else f"status {status}"

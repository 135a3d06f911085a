# SPDX-License-Identifier: MIT
"""Runs apt on a state of its own, without touching the machine's apt.

apt does what it is good at: proxies, mirrors, signatures, hashes. Its state lies in a temporary folder, and it reads one
configuration file, which APT_CONFIG names: `-o` comes after apt.conf.d has been read, hooks and all. Only the machine's
settings of the network and of dates are carried over. No root is needed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import VdsoError

WITHOUT = "give a file as BASE, or BASE=minimal, which needs no network"
"""What to do where Debian's archive can't be used."""
CARRIED = re.compile(r"Acquire::(http|https|ftp|socks5h|Check-Date|Check-Valid-Until|Max-FutureTime)\b", re.IGNORECASE)
NETWORK_TRIES = 'Acquire::Retries "1"; Acquire::http::Timeout "20"; Acquire::https::Timeout "20";'
LONGEST = 3600  # seconds that one command of apt may take


class Failed(Exception):
    """An apt command ended with an error. The message is the first that it printed."""


def run(command: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> str:
    """Return the standard output of a command. Failed where it ends with an error, VdsoError where it is not installed."""
    try:
        done = subprocess.run(
            command, env=environment | {"LC_ALL": "C"}, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=LONGEST, check=False)  # fmt: skip
    except FileNotFoundError:
        raise VdsoError("debian", f"no {command[0]} on this machine", WITHOUT) from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command[:2])} took more than {LONGEST} seconds") from None
    if done.returncode:
        raise Failed(complaint(done.stderr) or f"{' '.join(command[:2])} ended with status {done.returncode}")
    return done.stdout


def complaint(stderr: str) -> str:
    """Return apt's first error, else its first warning, shortened to a line."""
    lines = stderr.splitlines()
    first = next((line for kind in ("E: ", "W: ") for line in lines if line.startswith(kind)), "")
    return re.sub(r"Failed to fetch \S+\s+", "", first[3:]).strip().rstrip(":")[:200]


def carry_over(dump: str) -> tuple[str, ...]:
    """Return the lines of `apt-config dump` on how this machine reaches the network (proxies, certificates) and on dates."""
    return tuple(line for line in dump.splitlines() if CARRIED.match(line))


def configuration(folder: Path, carried: Iterable[str], extra: Iterable[str]) -> str:
    """Return an apt.conf for a state below `folder`. apt reads nothing of /etc/apt/apt.conf* with it, so no hook runs."""
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


class Apt:
    """apt on a state below `folder`; a call returns a command's output. `extra` can replace the machine's source lists."""

    def __init__(self, folder: Path, carried: Iterable[str], extra: Iterable[str]) -> None:
        for part in ("lists/partial", "cache/archives/partial", "state", "download"):
            (folder / part).mkdir(parents=True)
        conf = folder / "apt.conf"
        conf.write_text(configuration(folder, carried, extra), encoding="utf-8")
        self.download = folder / "download"
        self._environment = dict(os.environ) | {"APT_CONFIG": str(conf)}

    def __call__(self, *command: str) -> str:
        return run(command, self._environment, self.download)

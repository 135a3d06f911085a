# SPDX-License-Identifier: MIT
"""Installs what a lock file names, as a user does. A test that needs it is skipped where there is no network."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

PIP = ("-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check")


def install_locked(python: Path, lock: Path, *words: object, environ: dict[str, str] | None = None) -> None:
    """Run `pip install` of `python` on a lock file; `words` are further ones of pip's."""
    _install(python, ("--require-hashes", "-r", lock, *words), environ)


def install_newest(python: Path, package: str, *words: object) -> None:
    """Run `pip install` of `python` for the newest version of a package that pip finds."""
    _install(python, ("--upgrade", package, *words), None)


def _install(python: Path, words: Sequence[object], environ: dict[str, str] | None) -> None:
    plain = ("--no-compile", "--only-binary", ":all:", "--retries", "2")
    command = [str(word) for word in (python, *PIP, "install", *plain, *words)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    skip_without_network(done.returncode, done.stderr.splitlines())
    assert done.returncode == 0, done.stderr


def skip_without_network(status: int, said: Sequence[str]) -> None:
    """Skip the test whose pip failed and said that it reached nobody."""
    broken = [line for line in said if "connection" in line]
    if status and broken and any("No matching distribution" in line for line in said):
        pytest.skip(f"no network: {broken[-1]}")

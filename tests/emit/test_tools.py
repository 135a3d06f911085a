# SPDX-License-Identifier: MIT
"""The tools of a build: what is told of each, and that it is looked up once a process."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from vdso.arch import DEFAULT
from vdso.emit import tools
from vdso.stubs import toolchain

SCONS, COMPILER = "4.11.0", DEFAULT.compilers.called("")[0]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    tools.tool_versions.cache_clear()
    yield
    tools.tool_versions.cache_clear()


def test_a_program_of_the_machine_has_its_version_and_its_digest() -> None:
    found = tools.tool_versions("4.11", COMPILER.cc, COMPILER.ld, os.environ["PATH"])
    linker = shutil.which(COMPILER.ld)
    assert linker is not None
    digest = hashlib.sha256(Path(linker).read_bytes()).hexdigest()
    assert found["ld"] == f"{toolchain.version(linker)}, sha256 {digest}"
    assert {"scons", "lief", "gcc"} <= found.keys()


def test_tools_are_looked_up_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many variants in a SConstruct would read and hash the compiler anew."""
    digests = []
    real = tools.sha256
    monkeypatch.setattr(tools, "sha256", lambda path: digests.append(path) or real(path))
    first = tools.tool_versions("4.11", COMPILER.cc, COMPILER.ld, os.environ["PATH"])
    once = len(digests)
    assert tools.tool_versions("4.11", COMPILER.cc, COMPILER.ld, os.environ["PATH"]) == first
    assert len(digests) == once > 0
    tools.tool_versions("4.11", COMPILER.cc, COMPILER.ld, os.environ["PATH"] + os.pathsep)
    assert len(digests) > once

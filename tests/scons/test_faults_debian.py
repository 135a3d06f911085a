# SPDX-License-Identifier: MIT
"""BASE=debian that is killed: against a signed archive on this machine, by a copy of this checkout that trusts its key."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debian_archive import package, serve
from elf_builder import Spec, build
from faults import UP_TO_DATE, Scons, contents, copy_tree, seconds

NAME, VERSION = "linux-image-6.12.107-riscv64", "6.12.107-1"


@contextmanager
def fetching(folder: Path) -> Iterator[tuple[Scons, tuple[str, ...]]]:
    """Yield scons in `folder`, and the arguments for a base from an archive that exists until the end."""
    with serve() as archive:
        archive.publish("testing", (NAME, VERSION, package(build(Spec()))))
        trusting = ('Path("/usr/share/keyrings")', f'Path("{archive.keyring.parent}")')
        tree = copy_tree(folder / "tree", {"site_scons/site_tools/vdso/extract/debian.py": trusting})
        yield Scons(folder / "out", tree), ("BASE=debian:testing", f"MIRROR={archive.site}")


def test_killed_at_random_points(tmp_path: Path, full: bool) -> None:
    """From nothing each time, half of them from what another base left; then on, or to that other base and back."""
    chance = random.Random(6)
    with fetching(tmp_path) as (scons, debian):
        whole = seconds(lambda: scons.good(*debian))
        right, kills = contents(scons.out), 0
        other = scons.good("BASE=minimal")
        while kills < (20 if full else 3):
            if chance.random() < 0.5:
                shutil.rmtree(scons.out)
            else:
                assert scons.good("BASE=minimal") == other
            if not scons.killed(chance.uniform(0, whole), *debian):
                continue
            kills += 1
            if kills % 2:
                assert scons.good("BASE=minimal") == other, f"kill {kills}"
            assert scons.good(*debian) == right, f"kill {kills}"
        assert scons.run(*debian).stdout == UP_TO_DATE


def test_what_was_fetched_outlives_a_kill_and_the_network(tmp_path: Path) -> None:
    with fetching(tmp_path) as (scons, debian):
        right = scons.good(*debian)
        scons.faulty(tmp_path, "kill", "vdso.rs", *debian, "LOAD_ADDR=0x500000000")
    done = scons.run(*debian)
    assert "  KEPT    what was fetched before" in done.stdout, done.stderr
    assert contents(scons.out) == right
    # another base under that name is not taken for it
    scons.good("BASE=minimal")
    assert scons.run(*debian).returncode == 2

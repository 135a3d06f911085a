# SPDX-License-Identifier: MIT
"""Debian's own kernel for aarch64 maps an image of ours and serves it to programs; and what it maps itself is a base.

Its vDSO is overwritten in the file by ours, made from it, with the frequency of QEMU's machine compiled in: Linux has no
data page of our layout. A running Linux has patched its vDSO (alternatives) where the file has not.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from arch.aarch64.debian_kernel import base, kernel_image
from kernel_builds import PROGRAMS, build_vdso, program
from kernels.linux_guest import SECONDS, Guest, boot, first_page, with_vdso
from kernels.program_builds import CFLAGS
from machines import MACHINES
from repository import TESTS
from vdso.arch.aarch64.facts import AARCH64
from vdso.image.reader import read_vdso

pytestmark = pytest.mark.xdist_group("qemu")

MACHINE = MACHINES[AARCH64.name]
# The image's clock starts with the machine, Linux's some time later: how much depends on what else this machine does.
COMMANDS = {"clocks": [str(SECONDS * 10**9)], "signals": [], "cancel": [], "served": []}
# What vdso-selftest finds wrong with a kernel that keeps its own time beside the image's: another origin, another resolution.
TIME_OF_ITS_OWN = {
    *(f"clock_gettime({clock})" for clock in ("MONOTONIC", "MONOTONIC_RAW", "MONOTONIC_COARSE", "BOOTTIME")),
    *("clock_getres", "MONOTONIC does not go back in a second", "MONOTONIC does not go back between threads"),
}


def booted(folder: Path, kernel: bytes, selftest: Path) -> Guest:
    flags = (*CFLAGS, f"-I{TESTS / 'arch' / AARCH64.name}")
    names = ("init", "dump", *COMMANDS)
    programs = {name: program(PROGRAMS / f"{name}.c", *flags, arch=AARCH64.name) for name in names}
    commands = [["dump"], *([name, *arguments] for name, arguments in COMMANDS.items()), ["selftest"]]
    return boot(folder, kernel, {**programs, "selftest": selftest}, commands, MACHINE, "ttyAMA0")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guest")
    (folder / "linux.so").write_bytes(base())
    words = (f"BASE={folder / 'linux.so'}", "DATA_PAGE=none", f"TIMEBASE_HZ={MACHINE.hz}")
    return build_vdso(folder / "out", "selftest", *words, arch=AARCH64.name)


@pytest.fixture(scope="module")
def ours(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    kernel = with_vdso(kernel_image(), base(), (out / "vdso.so").read_bytes())
    return booted(tmp_path_factory.mktemp("ours"), kernel, out / "vdso-selftest")


@pytest.fixture(scope="module")
def debians(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return booted(tmp_path_factory.mktemp("debians"), kernel_image(), out / "vdso-selftest")


def exports(out: Path) -> dict[str, int]:
    return {export["name"]: export["address"] for export in json.loads((out / "vdso.json").read_text())["exports"]}


def dumped(guest: Guest) -> bytes:
    return bytes.fromhex("".join(guest.lines["dump"]))


def test_what_the_kernel_has_compiled_in_holds(out: Path) -> None:
    """It sends signal handlers to rt_sigreturn of its own vDSO."""
    name = AARCH64.export("rt_sigreturn")
    theirs = {symbol.name: symbol.value for symbol in read_vdso("linux.so", base(), AARCH64).exports.values()}
    assert exports(out)[name] == theirs[name]


def test_the_image_is_what_is_mapped(ours: Guest, out: Path) -> None:
    image = (out / "vdso.so").read_bytes()
    assert ours.vdso == first_page(image)
    assert dumped(ours) == image[: len(dumped(ours))]


@pytest.mark.parametrize("name", COMMANDS)
def test_programs_run_well(ours: Guest, name: str) -> None:
    assert ours.status[name] == 0, "\n".join(ours.lines[name])
    assert ours.last(name).startswith("ok ")


def test_clocks_are_served_without_system_calls(ours: Guest, debians: Guest) -> None:
    """REALTIME, its COARSE sister and TAI have no time in an image without a page; Linux's own has all of them."""
    assert ours.last("served") == "ok served=1,4,6,7 refused=0,5,11"
    assert debians.last("served") == "ok served=0,1,4,5,6,7,11 refused="


def test_handlers_return_through_the_image(ours: Guest, out: Path) -> None:
    assert ours.last("signals") == f"ok handlers=5 return={exports(out)[AARCH64.export('rt_sigreturn')]:#x}"


def failed(guest: Guest) -> set[str]:
    return {name for line in guest.lines["selftest"] for name in re.findall(r"^not ok \d+ - (.*)$", line)}


def test_selftest_tells_the_two_apart(ours: Guest, debians: Guest) -> None:
    """It knows the image again and finds it well, all but what comes of Linux's own time; and knows Linux's for another's."""
    assert "# it is one of scons-vdso, made with DATA_PAGE=none" in ours.lines["selftest"]
    assert failed(ours) == TIME_OF_ITS_OWN, "\n".join(ours.lines["selftest"])
    assert "# it is none of scons-vdso" in debians.lines["selftest"]
    assert (failed(debians), debians.status["selftest"]) == (set(), 0), "\n".join(debians.lines["selftest"])


def test_what_a_running_linux_maps_is_a_base(debians: Guest, tmp_path: Path) -> None:
    """It is the one of the file but for sites of alternatives, which lie in functions that are replaced or hidden."""
    live, file = dumped(debians), base()
    changed = [at for at in range(len(live)) if live[at] != file[at]]
    assert changed, "this Linux patches getrandom, whatever the CPU is"
    assert len({at // AARCH64.code_unit for at in changed}) <= 5
    (tmp_path / "live.so").write_bytes(live)
    made = build_vdso(tmp_path / "out", f"BASE={tmp_path / 'live.so'}", arch=AARCH64.name)
    kept = read_vdso("made.so", (made / "vdso.so").read_bytes(), AARCH64).exports
    assert {AARCH64.export(name) for name in AARCH64.syscalls} < kept.keys()
    assert AARCH64.export("getrandom") not in kept

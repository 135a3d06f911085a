# SPDX-License-Identifier: MIT
"""Debian's own kernels map an image of ours and serve it to programs: kernels that none of us wrote.

The vDSO is overwritten in the kernel by ours, made from it, with the frequency of QEMU's machine compiled in: Linux has no
data page of our layout. The same guest with the kernel as Debian made it says what is different, and what it maps itself
is a base: a running Linux has patched its vDSO (alternatives) where the file has not.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arch.x86_64.linux_guest import LINUX as X86
from debian_packages import kernel_image, kernel_vdso
from kernel_builds import build_vdso
from kernels.linux_guest import SECONDS, Guest, Linux, first_page
from kernels.program_builds import LIBCS, OWN_RESTORER, static
from vdso.arch.aarch64.facts import AARCH64
from vdso.arch.arch import HIDE, Arch
from vdso.arch.riscv64.facts import RISCV64
from vdso.image.reader import read_vdso

pytestmark = pytest.mark.xdist_group("qemu")

LINUXES = {linux.arch.name: linux for linux in (Linux(RISCV64), Linux(AARCH64, console="ttyAMA0"), X86)}
COMMANDS = {
    # The image's clock starts with the machine, Linux's some time later: how much depends on what else this machine does.
    **{f"clocks-{libc}": [str(SECONDS * 10**9)] for libc in LIBCS},
    **{f"served-{libc}": [] for libc in LIBCS},
    "cancel-glibc": [],
}
SIGNALS: dict[str, list[str]] = {f"signals-{libc}": [] for libc in LIBCS}
# What vdso-selftest finds wrong with a kernel that keeps its own time beside the image's: another origin, another resolution.
TIME_OF_ITS_OWN = {
    *(f"clock_gettime({clock})" for clock in ("MONOTONIC", "MONOTONIC_RAW", "MONOTONIC_COARSE", "BOOTTIME")),
    *("clock_getres", "MONOTONIC does not go back in a second", "MONOTONIC does not go back between threads"),
}


def commands(arch: Arch) -> dict[str, list[str]]:
    """Return the programs of a guest, PROGRAM-LIBC, with their arguments: of signals where handlers return through a vDSO."""
    return {**COMMANDS, **(SIGNALS if arch.sigreturn else {})}


WITH_SIGRETURN = {name: linux for name, linux in LINUXES.items() if linux.arch.sigreturn}
with_sigreturn = pytest.mark.parametrize("linux", WITH_SIGRETURN.values(), ids=WITH_SIGRETURN, indirect=True, scope="module")
libcs = pytest.mark.parametrize("libc", LIBCS)


@pytest.fixture(scope="module", params=LINUXES.values(), ids=LINUXES)
def linux(request: pytest.FixtureRequest) -> Linux:
    found: Linux = request.param
    return found


@pytest.fixture(scope="module")
def out(linux: Linux, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guest")
    (folder / "linux.so").write_bytes(kernel_vdso(linux.arch))
    words = (f"BASE={folder / 'linux.so'}", "DATA_PAGE=none", f"TIMEBASE_HZ={linux.hz}")
    return build_vdso(folder / "out", "selftest", *words, arch=linux.arch.name)


def booted(linux: Linux, folder: Path, kernel: bytes, out: Path, *words: str) -> Guest:
    own = commands(linux.arch)
    programs = {name: static(*name.split("-"), linux.arch.name) for name in own}
    programs |= {"dump": static("dump", "glibc", linux.arch.name), "selftest": out / "vdso-selftest"}
    every = [["dump"], *([name, *arguments] for name, arguments in own.items()), ["selftest"]]
    return linux.boot(folder, kernel, programs, every, words)


@pytest.fixture(scope="module")
def ours(linux: Linux, out: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    image = (out / "vdso.so").read_bytes()
    kernel = linux.put_vdso(kernel_image(linux.arch), kernel_vdso(linux.arch), image)
    return booted(linux, tmp_path_factory.mktemp("ours"), kernel, out, *linux.other_counter)


@pytest.fixture(scope="module")
def debians(linux: Linux, out: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return booted(linux, tmp_path_factory.mktemp("debians"), kernel_image(linux.arch), out)


def sigreturn(linux: Linux, out: Path) -> int:
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    name = linux.arch.export("rt_sigreturn")
    return next(int(export["address"]) for export in exports if export["name"] == name)


@with_sigreturn
def test_what_the_kernel_has_compiled_in_holds(linux: Linux, out: Path) -> None:
    """It sends signal handlers to rt_sigreturn of its own vDSO."""
    theirs = read_vdso("linux.so", kernel_vdso(linux.arch), linux.arch).exports
    assert sigreturn(linux, out) == theirs[linux.arch.export("rt_sigreturn")].value


def test_the_image_is_what_is_mapped(ours: Guest, debians: Guest, out: Path) -> None:
    image = (out / "vdso.so").read_bytes()
    assert ours.vdso == first_page(image)
    assert not ours.patched(image)
    assert ours.vdso != debians.vdso


def test_programs_run_well(linux: Linux, ours: Guest) -> None:
    for name in commands(linux.arch):
        assert ours.status[name] == 0, "\n".join(ours.lines[name])
        assert ours.last(name).startswith("ok ")


@libcs
def test_clocks_are_served_without_system_calls(ours: Guest, debians: Guest, libc: str) -> None:
    """REALTIME, its COARSE sister and TAI have no time in an image without a page; Linux's own has all of them."""
    assert ours.last(f"served-{libc}") == "ok served=1,4,6,7 refused=0,5,11"
    assert debians.last(f"served-{libc}") == "ok served=0,1,4,5,6,7,11 refused="


@libcs
@with_sigreturn
def test_handlers_return_through_the_image(linux: Linux, ours: Guest, out: Path, libc: str) -> None:
    """A C library that names a function of its own has them return to that one."""
    through = ours.last(f"signals-{libc}") == f"ok handlers=5 return={sigreturn(linux, out):#x}"
    assert through is ((linux.arch.name, libc) not in OWN_RESTORER)


def test_selftest_tells_the_two_apart(ours: Guest, debians: Guest) -> None:
    """It knows the image again and finds it well, all but what comes of Linux's own time; and knows Linux's for another's."""
    assert "# it is one of scons-vdso, made with DATA_PAGE=none" in ours.lines["selftest"]
    assert ours.failed() == TIME_OF_ITS_OWN, "\n".join(ours.lines["selftest"])
    assert "# it is none of scons-vdso" in debians.lines["selftest"]
    assert (debians.failed(), debians.status["selftest"]) == (set(), 0), "\n".join(debians.lines["selftest"])


def test_what_a_running_linux_maps_is_a_base(linux: Linux, debians: Guest, tmp_path: Path) -> None:
    """It is the one of the file but for sites of alternatives, which lie in functions that are replaced or hidden."""
    arch, file = linux.arch, kernel_vdso(linux.arch)
    sites = {at for site in read_vdso("linux.so", file, arch).patched for at in range(site.start, site.end)}
    assert debians.patched(file) <= sites
    assert bool(debians.patched(file)) is bool(sites), "QEMU's CPU has what Linux patches code for"
    (tmp_path / "live.so").write_bytes(debians.dumped())
    made = build_vdso(tmp_path / "out", f"BASE={tmp_path / 'live.so'}", arch=arch.name)
    kept = read_vdso("made.so", (made / "vdso.so").read_bytes(), arch).exports
    assert {arch.export(name) for name in arch.syscalls} <= kept.keys()
    hidden = {arch.export(name) for name, policy in arch.policy.items() if policy == HIDE}
    assert not hidden & kept.keys()

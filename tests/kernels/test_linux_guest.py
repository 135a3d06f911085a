# SPDX-License-Identifier: MIT
"""Debian's own kernel maps an image of ours and serves it to programs: a kernel that none of us wrote.

Its vDSO is overwritten in the file by ours, made from it, with the frequency of QEMU's machine compiled in: Linux has no
data page of our layout. The same guest with the kernel as Debian made it says what is different.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from debian_packages import KERNEL, kernel_image
from kernel_builds import build_vdso
from kernels.linux_guest import SECONDS, Guest, boot, first_page, with_vdso
from kernels.program_builds import static
from vdso.arch.riscv64.facts import RISCV64
from vdso.extract.find import find
from vdso.image.reader import read_vdso

pytestmark = pytest.mark.xdist_group("qemu")

HZ = 10_000_000  # of QEMU's machine `virt`
# The image's clock starts with the machine, Linux's some time later: how much depends on what else this machine does.
TOLERANCE_NS = SECONDS * 10**9
COMMANDS = {
    "clocks-glibc": [str(TOLERANCE_NS)],
    "clocks-musl": [str(TOLERANCE_NS)],
    "signals-glibc": [],
    "signals-musl": [],
    "cancel-glibc": [],
    "served-glibc": [],
    "served-musl": [],
}
# What vdso-selftest finds wrong with a kernel that keeps its own time beside the image's: another origin, another resolution.
TIME_OF_ITS_OWN = {
    *(f"clock_gettime({clock})" for clock in ("MONOTONIC", "MONOTONIC_RAW", "MONOTONIC_COARSE", "BOOTTIME")),
    *("clock_getres", "MONOTONIC does not go back in a second", "MONOTONIC does not go back between threads"),
}


def booted(folder: Path, kernel: bytes, selftest: Path) -> Guest:
    programs = {"init": static("init", "glibc"), **{name: static(*name.split("-")) for name in COMMANDS}}
    commands = [[name, *arguments] for name, arguments in COMMANDS.items()]
    return boot(folder, kernel, {**programs, "selftest": selftest}, [*commands, ["selftest"]])


@pytest.fixture(scope="module")
def kernel() -> bytes:
    return kernel_image()


@pytest.fixture(scope="module")
def base(kernel: bytes) -> bytes:
    return find(KERNEL, kernel, RISCV64)


@pytest.fixture(scope="module")
def out(base: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guest")
    (folder / "linux.so").write_bytes(base)
    return build_vdso(folder / "out", "selftest", f"BASE={folder / 'linux.so'}", "DATA_PAGE=none", f"TIMEBASE_HZ={HZ}")


@pytest.fixture(scope="module")
def ours(kernel: bytes, base: bytes, out: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return booted(
        tmp_path_factory.mktemp("ours"), with_vdso(kernel, base, (out / "vdso.so").read_bytes()), out / "vdso-selftest"
    )


@pytest.fixture(scope="module")
def debians(kernel: bytes, out: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return booted(tmp_path_factory.mktemp("debians"), kernel, out / "vdso-selftest")


def address(exports: list[dict], name: str) -> int:
    return next(export["address"] for export in exports if export["name"] == f"__vdso_{name}")


def test_what_the_kernel_has_compiled_in_holds(base: bytes, out: Path) -> None:
    """It sends signal handlers to rt_sigreturn of its own vDSO."""
    theirs = read_vdso("linux.so", base, RISCV64)
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    assert address(exports, "rt_sigreturn") == theirs.exports["__vdso_rt_sigreturn"].value


def test_the_image_is_what_is_mapped(ours: Guest, debians: Guest, base: bytes, out: Path) -> None:
    assert ours.vdso == first_page((out / "vdso.so").read_bytes())
    assert debians.vdso == first_page(base)
    assert ours.vdso != debians.vdso


@pytest.mark.parametrize("name", COMMANDS)
def test_programs_run_well(ours: Guest, name: str) -> None:
    assert ours.status[name] == 0, "\n".join(ours.lines[name])
    assert ours.last(name).startswith("ok ")


@pytest.mark.parametrize("libc", ["glibc", "musl"])
def test_clocks_are_served_without_system_calls(ours: Guest, debians: Guest, libc: str) -> None:
    """REALTIME, its COARSE sister and TAI have no time in an image without a page; Linux's own has all of them."""
    assert ours.last(f"served-{libc}") == "ok served=1,4,6,7 refused=0,5,11"
    assert debians.last(f"served-{libc}") == "ok served=0,1,4,5,6,7,11 refused="


@pytest.mark.parametrize("libc", ["glibc", "musl"])
def test_handlers_return_through_the_image(ours: Guest, out: Path, libc: str) -> None:
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    assert ours.last(f"signals-{libc}") == f"ok handlers=5 return={address(exports, 'rt_sigreturn'):#x}"


def failed(guest: Guest) -> set[str]:
    return {name for line in guest.lines["selftest"] for name in re.findall(r"^not ok \d+ - (.*)$", line)}


def test_selftest_tells_the_two_apart(ours: Guest, debians: Guest) -> None:
    """It knows the image again and finds it well, all but what comes of Linux's own time; and knows Linux's for another's."""
    assert "# it is one of scons-vdso, made with DATA_PAGE=none" in ours.lines["selftest"]
    assert failed(ours) == TIME_OF_ITS_OWN, "\n".join(ours.lines["selftest"])
    assert "# it is none of scons-vdso" in debians.lines["selftest"]
    assert (failed(debians), debians.status["selftest"]) == (set(), 0), "\n".join(debians.lines["selftest"])

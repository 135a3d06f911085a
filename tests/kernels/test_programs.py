# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go on the example kernels: right time, no system call, and signals that return through the image.

The kernels count system calls; the programs say how many they made on purpose.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from debian_packages import KERNEL, deb
from kernel_builds import ALL_KERNELS, LIBC_KERNELS, build_kernel, build_vdso, kernel, minimal
from kernels.program_builds import LIBCS, OWN_RESTORER, go_for, static
from machines import machine_of
from qemu import Run, boot
from vdso.arch import ARCHES

pytestmark = pytest.mark.xdist_group("qemu")

TGKILL, RT_SIGRETURN = "tgkill", "rt_sigreturn"
CLOCK_GETTIME, CLOCK_GETRES, GETTIMEOFDAY = "clock_gettime", "clock_getres", "gettimeofday"
TIME = "time"  # where an architecture has it

kernels = pytest.mark.parametrize("name", LIBC_KERNELS)
KERNELS_AND_LIBCS = [(name, libc) for name in LIBC_KERNELS for libc in LIBCS]
kernels_and_libcs = pytest.mark.parametrize(("name", "libc"), KERNELS_AND_LIBCS)


def run(guest: Path, program: str, libc: str, *args: str, log: Path, vdso: str = "on") -> tuple[Run, dict[str, int]]:
    """Boot a kernel with two cpus. Return the run, and the values of the program's last line, ok NAME=VALUE..."""
    done = boot(guest, static(program, libc, machine_of(guest).arch), [f"vdso={vdso}"], args, cpus=2, log=log)
    lines = [line for line in done.text.splitlines() if line.startswith("ok ")]
    assert done.exit == 0, done.text
    assert len(lines) == 1, done.text
    return done, {name: int(value, 0) for name, value in re.findall(r"(\w+)=(\w+)", lines[0])}


def rt_sigreturn(out: Path) -> int:
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    address: int = next(export["address"] for export in exports if export["name"].endswith("_rt_sigreturn"))
    return address


@kernels_and_libcs
def test_the_clock_is_read_without_system_calls(name: str, libc: str, tmp_path: Path) -> None:
    """Between two system calls around it, to the nanosecond; and 99, -1 and INT_MIN are refused, by the kernel."""
    done, said = run(kernel(name), "clocks", libc, "0", log=tmp_path / "guest.txt")
    assert said["served"] > 500
    assert done.syscalls(CLOCK_GETTIME) == said["clock_gettime"]
    # musl's clock_getres never looks at a vDSO
    asked = said["clock_getres"] + (said["getres_served"] if libc == "musl" else 0)
    assert done.syscalls(CLOCK_GETRES) == asked
    assert done.syscalls(GETTIMEOFDAY) == 0


@kernels_and_libcs
def test_the_count_can_tell(name: str, libc: str, tmp_path: Path) -> None:
    done, said = run(kernel(name), "clocks", libc, "0", vdso="off", log=tmp_path / "guest.txt")
    # glibc's gettimeofday() is the system call of its own on some architectures
    asked = sum(done.syscalls(name) for name in (CLOCK_GETTIME, GETTIMEOFDAY, TIME) if name in done.numbers)
    assert asked == said["clock_gettime"] + said["served"]
    assert done.syscalls(CLOCK_GETRES) == said["clock_getres"] + said["getres_served"]


@pytest.mark.parametrize(
    ("name", "libc"), [(name, libc) for name, libc in KERNELS_AND_LIBCS if ARCHES[ALL_KERNELS[name].arch].sigreturn]
)
def test_signal_handlers_return_through_the_image(name: str, libc: str, tmp_path: Path) -> None:
    """To its rt_sigreturn; a C library that names a function of its own has them return to that one."""
    done, said = run(kernel(name), "signals", libc, log=tmp_path / "guest.txt")
    arch = ALL_KERNELS[name].arch
    assert (said["return"] == rt_sigreturn(minimal(arch))) is ((arch, libc) not in OWN_RESTORER)
    assert said["handlers"] == done.syscalls(RT_SIGRETURN) == 5


@kernels
def test_cancelled_threads_unwind_through_the_image(name: str, tmp_path: Path) -> None:
    """Six handlers, of which few return: the stack is unwound from the others, through the frame of rt_sigreturn.

    None returns with glibc to 2.40. From 2.41 on a handler returns where its thread is not in a system call that can be
    cancelled (glibc bug 12683), and the thread ends at its next one.
    """
    done, said = run(kernel(name), "cancel", "glibc", log=tmp_path / "guest.txt")
    assert said == {"cancelled": 6, "cleanups": 666}
    assert done.syscalls(TGKILL) == 6
    assert done.syscalls(RT_SIGRETURN) <= 3


@pytest.mark.parametrize("vdso", ["on", "off"])
@pytest.mark.parametrize(
    ("name", "architecture"), [("c", "riscv64"), ("c-loongarch64", "loong64"), ("c-aarch64", "arm64"), ("c-x86_64", "amd64")]
)
def test_a_program_of_go(name: str, architecture: str, vdso: str, tmp_path: Path) -> None:
    """Unmodified, on each architecture of the kernel in C: without the vDSO each time.Now is two system calls."""
    done = boot(kernel(name), go_for("clocks", architecture), [f"vdso={vdso}"], ["0"], cpus=2, log=tmp_path / "guest.txt")
    said = re.search(r"^ok served=(\d+) clock_gettime=(\d+)$", done.text, re.M)
    assert done.exit == 0, done.text
    assert said, done.text
    served, meant = map(int, said.groups())
    if vdso == "on":
        assert done.syscalls(CLOCK_GETTIME) == meant
    else:  # the runtime reads the clock for itself, too
        assert done.syscalls(CLOCK_GETTIME) >= meant + 2 * served


@pytest.fixture(scope="module")
def linux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the outputs from Debian's newest Linux: in that image rt_sigreturn and its unwind information are Linux's own."""
    return build_vdso(tmp_path_factory.mktemp("linux"), f"BASE={deb(KERNEL)}")


def test_programs_on_an_image_from_linux(linux: Path, tmp_path: Path) -> None:
    guest = build_kernel("c", tmp_path / "kernel", vdso=linux)
    done, said = run(guest, "clocks", "glibc", "0", log=tmp_path / "clocks.txt")
    assert done.syscalls(CLOCK_GETTIME) == said["clock_gettime"]
    _, said = run(guest, "signals", "glibc", log=tmp_path / "signals.txt")
    assert said == {"handlers": 5, "return": rt_sigreturn(linux)}
    _, said = run(guest, "cancel", "glibc", log=tmp_path / "cancel.txt")
    assert said == {"cancelled": 6, "cleanups": 666}

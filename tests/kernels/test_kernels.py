# SPDX-License-Identifier: MIT
"""The example kernels: what the device tree says holds, user mode reaches what it may, and several cpus do no harm."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_builds import (
    ALL_KERNELS,
    EXAMPLES,
    KERNELS,
    LIBC_KERNELS,
    PROGRAMS,
    Replace,
    build_kernel,
    build_vdso,
    kernel,
    program,
    run,
)
from machines import MACHINES, machine_of
from qemu import GuestError, Run, boot
from repository import ROOT

pytestmark = pytest.mark.xdist_group("qemu")

CLOCK_GETTIME = "clock_gettime"
KILLED = 128 + 11  # SIGSEGV
READS = 994  # how often the demo's program reads the counter itself, in a batch of 1000 calls
IMAGE = 0x300000000

kernels = pytest.mark.parametrize("name", KERNELS)
libc_kernels = pytest.mark.parametrize("name", LIBC_KERNELS)
all_kernels = pytest.mark.parametrize("name", ALL_KERNELS)


def demo(guest: Path, calls: int, log: Path, *words: str, cpus: int = 1, more: tuple[str, ...] = ()) -> tuple[Run, float]:
    """Run the demo's program. Return the run, and the nanoseconds of a call that the program measured."""
    source = program(EXAMPLES / "demo.c", arch=machine_of(guest).arch)
    done = boot(guest, source, words, [str(calls)], cpus=cpus, log=log, more=more)
    said = re.search(rf"^demo: calls={calls} ns_per_call=(-?[0-9.]+) ns_per_counter=-?[0-9.]+$", done.text, re.M)
    assert done.exit == 0, done.text
    assert said, done.text
    return done, float(said[1])


@all_kernels
@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize(("vdso", "calls"), [("on", 0), ("off", 1000)])
def test_system_calls_are_counted_exactly(name: str, cpus: int, vdso: str, calls: int, tmp_path: Path) -> None:
    done, _ = demo(kernel(name), 1000, tmp_path / "guest.txt", f"vdso={vdso}", cpus=cpus)
    assert done.syscalls(CLOCK_GETTIME) == calls
    assert done.values["counter_traps"] == 0


@all_kernels
def test_the_vdso_is_on_where_nothing_is_said(name: str, tmp_path: Path) -> None:
    assert demo(kernel(name), 1000, tmp_path / "guest.txt")[0].syscalls(CLOCK_GETTIME) == 0


COUNTER_OFF: dict[str, Replace] = {
    "c": {"vdso_kernel.c": ("counter_allow(1);", "counter_allow(0);")},
    "rust": {"src/vdso_kernel.rs": ("machine::allow_counter(true);", "machine::allow_counter(false);")},
}


@kernels
def test_a_counter_that_user_mode_may_not_read_shows_in_the_traps(name: str, tmp_path: Path) -> None:
    """The OpenSBI of QEMU 7.2 answers such a read: the program does not notice, and only the counter of traps tells.

    That of QEMU 10 passes the first one on to the kernel, which ends the program.
    """
    guest = build_kernel(name, tmp_path / "kernel", replace=COUNTER_OFF[name])
    done = boot(guest, program(EXAMPLES / "demo.c"), [], ["1000"], log=tmp_path / "guest.txt")
    assert done.syscalls(CLOCK_GETTIME) == 0
    assert (done.exit, done.values["counter_traps"]) in ((0, 1000 + READS), (128 + 4, 1)), done.text


@pytest.mark.parametrize(("name", "signal"), [("c-aarch64", 4), ("rust-aarch64", 4), ("c-x86_64", 11), ("rust-x86_64", 11)])
def test_a_program_that_reads_a_forbidden_counter_is_killed(name: str, signal: int, tmp_path: Path) -> None:
    """The read traps into the kernel itself (ESR_EL1.EC 0x18, #GP), which counts it. A page that says so spares programs it."""
    arch = ALL_KERNELS[name].arch
    log, source = tmp_path / "guest.txt", program(EXAMPLES / "demo.c", arch=arch)
    done = boot(kernel(name), source, ["counter=off"], ["1000"], log=log)
    assert done.exit == 128 + signal, done.text
    assert done.values["counter_traps"] == 1
    words = ["counter=off", "page=off"]
    done = boot(kernel(name), program(PROGRAMS / "clocks.c", arch=arch), words, ["0"], log=log)
    assert (done.exit, done.values["counter_traps"]) == (0, 0), done.text


@pytest.mark.parametrize("name", ["c-x86_64", "rust-x86_64"])
def test_a_counter_that_is_no_clock_is_not_read(name: str, tmp_path: Path) -> None:
    """Without the name by which QEMU's emulation is known, no bit says that the counter runs at one rate."""
    clocks, log = program(PROGRAMS / "clocks.c", arch="x86_64"), tmp_path / "guest.txt"
    done = boot(kernel(name), clocks, args=["0"], log=log, more=("-cpu", "max,tcg-cpuid=off"))
    said = re.search(r"^ok served=(\d+) clock_gettime=(\d+)", done.text, re.M)
    assert said, done.text
    assert done.syscalls(CLOCK_GETTIME) + done.syscalls("gettimeofday") + done.syscalls("time") == int(said[1]) + int(said[2])


@kernels
def test_the_frequency_is_that_of_the_device_tree(name: str, tmp_path: Path) -> None:
    """With a tree that says a tenth of the frequency, the same calls take ten times as long by the program's clock."""
    tree = tmp_path / "virt.dtb"
    run(*MACHINES["riscv64"].qemu, "-machine", f"dumpdtb={tree}")
    blob, real = tree.read_bytes(), (10_000_000).to_bytes(4, "big")
    assert blob.count(real) == 1
    tree.write_bytes(blob.replace(real, (100_000).to_bytes(4, "big")))
    calls = 100_000
    _, right = demo(kernel(name), calls, tmp_path / "right.txt")
    _, slow = demo(kernel(name), calls, tmp_path / "slow.txt", more=("-dtb", str(tree)))
    assert slow > 20 * right


@kernels
def test_without_a_real_time_clock_it_is_1970(name: str, tmp_path: Path) -> None:
    tree, source = tmp_path / "virt.dtb", tmp_path / "now.c"
    run(*MACHINES["riscv64"].qemu, "-machine", f"dumpdtb={tree}")
    blob = tree.read_bytes()
    assert blob.count(b"rtc@") == 1
    tree.write_bytes(blob.replace(b"rtc@", b"xyz@"))
    source.write_text(
        "#include <stdio.h>\n#include <time.h>\n#include <sys/time.h>\nint main(void)\n{\n\tstruct timeval t;\n"
        '\tprintf("now: %ld %d %ld\\n", (long)time(NULL), gettimeofday(&t, NULL), (long)t.tv_sec);\n\treturn 0;\n}\n'
    )
    for words, more in (((), ()), (("vdso=off",), ()), ((), ("-dtb", str(tree))), (("vdso=off",), ("-dtb", str(tree)))):
        done = boot(kernel(name), program(source), words, log=tmp_path / "guest.txt", more=more)
        said = re.search(r"^now: (-?\d+) (-?\d+) (-?\d+)$", done.text, re.M)
        assert said, done.text
        assert said[2] == "0"
        assert all(int(second) in (range(60) if more else range(10**9, 2**40)) for second in (said[1], said[3])), done.text


# ---- What user mode reaches


PLACES = {
    "riscv64": {"kernel": "80200000", "firmware": "80000000", "device": "10000000", "upper half": "ffffffff80200000"},
    "aarch64": {"kernel": "40200000", "firmware": "40000000", "device": "9000000", "upper half": "ffffff8009000000"},
    "x86_64": {
        "kernel": "ffffffff80101000",
        "firmware": "f0000",
        "device": "fffffffffee00000",
        "upper half": "ffffffffc0000000",
    },
}
"""Where what is not the program's lies. `firmware`: what it, or QEMU itself, puts at the start of memory."""


@libc_kernels
@pytest.mark.parametrize(
    ("how", "place", "status"),
    [
        ("read", "vdso", 0),
        ("read", "data", 0),
        ("write", "vdso", KILLED),
        ("write", "data", KILLED),
        ("open", "vdso", KILLED),  # mprotect() refuses
        ("open", "data", KILLED),
        ("exec", "data", KILLED),
        ("read", "kernel", KILLED),
        ("exec", "kernel", KILLED),
        ("open", "kernel", KILLED),
        ("read", "firmware", KILLED),
        ("read", "device", KILLED),
        ("read", "upper half", KILLED),
    ],
)
def test_user_mode_reaches_its_own(name: str, how: str, place: str, status: int, tmp_path: Path) -> None:
    arch = ALL_KERNELS[name].arch
    args = [how, PLACES[arch].get(place, place)]
    done = boot(kernel(name), program(PROGRAMS / "touch.c", arch=arch), args=args, log=tmp_path / "guest.txt")
    assert done.exit == status, done.text


@libc_kernels
def test_without_the_vdso_nothing_is_mapped(name: str, tmp_path: Path) -> None:
    for place in ("vdso", f"{IMAGE:x}"):
        touch = program(PROGRAMS / "touch.c", arch=ALL_KERNELS[name].arch)
        assert boot(kernel(name), touch, ["vdso=off"], ["read", place], log=tmp_path / "guest.txt").exit == KILLED


# ---- Several cpus


def threads(guest: Path, log: Path) -> Run:
    return boot(guest, program(PROGRAMS / "threads.c", arch=machine_of(guest).arch), args=["6", "60"], cpus=4, log=log)


@libc_kernels
def test_threads_on_four_harts(name: str, tmp_path: Path) -> None:
    done = threads(kernel(name), tmp_path / "guest.txt")
    assert done.exit == 0, done.text
    said = re.search(r"^threads: rounds=60 handled=(\d+) refused=360$", done.text, re.M)
    assert said, done.text
    assert int(said[1]) > 0


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        ("mm.c", "\t\tcpu_wake(cpu);\n\t\twhile (", "\t\twhile (0 && ", "a write to a page that was protected"),
        ("mm.c", "\tif (cpu->map_seen != changes)\n", "\tif (0)\n", "a write to a page that was protected"),
        ("thread.c", "\tfp_sync(thread);\n", "\t(void)thread;\n", "floating point registers lost"),
    ],
    ids=["no other CPU forgets", "none forgets on the way back", "no floating point"],
)
def test_the_program_sees_what_a_kernel_forgets(file: str, old: str, new: str, finding: str, tmp_path: Path) -> None:
    guest = build_kernel("c", tmp_path / "kernel", replace={file: (old, new)})
    done = threads(guest, tmp_path / "guest.txt")
    assert done.exit == 1
    assert f"threads: {finding} in round" in done.text


# ---- How it is made, and how it ends


@pytest.mark.parametrize("arch", MACHINES)
def test_make_calls_scons_vdso(arch: str, tmp_path: Path) -> None:
    """Door 1: Make calls scons-vdso, which knows what is up to date; nothing is compiled twice."""
    command = ["make", "-C", str(EXAMPLES / "kernel-c"), f"ARCH={arch}", f"OUT={tmp_path}"]
    command.append(f"SCONSW={sys.executable} -m SCons -Q -C {ROOT}")
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert first.returncode == 0, first.stdout + first.stderr
    assert "minimal" in (tmp_path / "vdso" / "vdso.h").read_text()
    assert "vdso_kernel.o" in first.stdout
    assert "vdso_kernel.o" not in second.stdout
    assert demo(tmp_path / "kernel.elf", 1000, tmp_path / "guest.txt")[0].syscalls(CLOCK_GETTIME) == 0


@all_kernels
def test_the_data_page_before_the_image(name: str, tmp_path: Path) -> None:
    blob = build_vdso(tmp_path / "vdso", "DATA_PAGE=before", "LOAD_ADDR=0x723450000", arch=ALL_KERNELS[name].arch)
    guest = build_kernel(name, tmp_path / "kernel", vdso=blob)
    done, _ = demo(guest, 1000, tmp_path / "guest.txt")
    assert (done.syscalls(CLOCK_GETTIME), done.values["counter_traps"]) == (0, 0)


@all_kernels
def test_what_is_no_program_is_refused(name: str, tmp_path: Path) -> None:
    log = tmp_path / "guest.txt"
    with pytest.raises(GuestError, match=rf"^(QEMU ended with status|the guest ended without saying).* in {log}$"):
        boot(kernel(name), ROOT / "README.md", log=log, seconds=30)


def running(word: str) -> list[str]:
    """Return the command lines of this machine's processes that have this word; a bare Debian has no `ps`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if word in line]


def test_an_endless_program_is_killed_and_its_words_are_kept(tmp_path: Path) -> None:
    source, log = tmp_path / "endless.c", tmp_path / "guest.txt"
    source.write_text(
        '#include <unistd.h>\nint main(void)\n{\n\tif (write(1, "working\\n", 8) == 8)\n\t\tfor (;;)\n\t\t\t;\n}\n'
    )
    with pytest.raises(GuestError, match=rf"^the guest was killed after 5 s without an end; what it printed is in {log}$"):
        boot(kernel("c"), program(source), log=log, seconds=5)
    assert "\nworking" in log.read_text()
    assert running("python")
    assert not running(str(program(source)))


def test_a_missing_qemu_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = kernel("c")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuestError, match=r"^qemu-system-riscv64: not found; ./sconsw --install demo"):
        boot(guest, tmp_path / "program", log=tmp_path / "log")


def test_what_is_for_no_machine_is_said(tmp_path: Path) -> None:
    mips = tmp_path / "mips.elf"
    mips.write_bytes(b"\x7fELF".ljust(18, b"\0") + b"\x08\0")
    expected = rf"^{mips}: e_machine is 0x8, which is none of riscv64, loongarch64, aarch64, x86_64; name a kernel"
    with pytest.raises(GuestError, match=expected):
        boot(mips, tmp_path / "program", log=tmp_path / "log")

# SPDX-License-Identifier: MIT
"""`scons demo`: its lines, and that it fails where it has to."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path

import demo
import kernel_builds
import pytest
from kernels.test_kernels import COUNTER_OFF, READS
from machines import MACHINES
from machines.machine import Machine
from scons_build import scons
from vdso.arch import DEFAULT

pytestmark = pytest.mark.xdist_group("qemu")

CALL, LIBRARY = 30, 30
"""Instructions of clock_gettime in the image, and at most those of the C library and of the program around it."""


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_target(machine: Machine, tmp_path: Path) -> None:
    arch, names = machine.arch, tuple(demo.KERNELS)
    for example, built in kernel_builds.ALL_KERNELS.items():
        if (built.arch, built.language) == (arch, "rust"):
            kernel_builds.kernel(example)  # so that `core`, which all kernels share, is compiled by now
    done = scons("demo", "BASE=minimal", f"ARCH={arch}", f"OUT={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("kernel=")]
    of_each = [lines[at : at + 3] for at in range(0, len(lines), 3)]
    for name, (on, off, ratio) in zip(names, of_each, strict=True):
        figures = "ns_per_call=[0-9.]+ instructions_per_call=([0-9]+) counter_traps=0"
        with_it = re.fullmatch(rf"kernel={name} vdso=on clock_gettime_syscalls=0 {figures}", on)
        without = re.fullmatch(rf"kernel={name} vdso=off clock_gettime_syscalls=200000 {figures}", off)
        assert with_it, on
        assert without, off
        assert CALL < int(with_it[1]) < CALL + LIBRARY
        found = re.fullmatch(rf"kernel={name} ratio=([0-9.]+) instructions_ratio=([0-9.]+) counter_share=(0\.[0-9]+)", ratio)
        assert found, ratio
        assert float(found[1]) > 1
        assert f"{found[1]} times faster on kernel-{name} (" in done.stdout.splitlines()[-1]
        assert float(found[2]) == pytest.approx(int(without[1]) / int(with_it[1]), abs=0.1)
    assert (tmp_path / "demo" / f"guest-{names[-1]}-off.txt").is_file()
    assert done.stdout.splitlines()[-1].startswith("demo: clock_gettime by the vDSO is ")
    natively = [line for line in done.stdout.splitlines() if line.startswith("native ")]
    assert len(natively) == (4 if arch == platform.machine() and machine.place else 0), natively
    told = [line for line in done.stdout.splitlines() if line.startswith("  BOOT ")]
    boots = [f"vdso={vdso}" for vdso in ("on", "off") * demo.ROUNDS]
    boots += [f"vdso={vdso}, instructions counted" for vdso in ("on", "off")]
    assert told == [f"  BOOT    kernel-{name} {words}" for name in names for words in boots]


def boot(call: float, counter: float = 1.0) -> demo.Boot:
    return demo.Boot(syscalls=0, counter_traps=0, call=call, counter=counter)


def test_of_all_boots_the_least_counts() -> None:
    """One that was interrupted all the time takes no part."""
    on = demo.Result("c", "on", (boot(90, 55), boot(50, 25)), boot(40))
    off = demo.Result("c", "off", (boot(500), boot(900)), boot(480))
    assert demo.ratios(on, off, same_counter=True) == "ratio=10.0 instructions_ratio=12.0 counter_share=0.50"
    assert demo.ratios(on, off, same_counter=False) == "ratio=10.0 instructions_ratio=12.0"
    assert "vdso=off clock_gettime_syscalls=0 ns_per_call=500.0 instructions_per_call=480 " in str(off)


def test_the_verdict_is_a_sentence() -> None:
    pairs = [
        (demo.Result(name, "on", (boot(on),), boot(40)), demo.Result(name, "off", (boot(off),), boot(480)))
        for name, on, off in (("c", 100.2, 840), ("rust", 101, 888.8))
    ]
    assert demo.verdict(pairs) == (
        "clock_gettime by the vDSO is 8.4 times faster on kernel-c (100 ns in place of 840) and "
        "8.8 times faster on kernel-rust (101 ns in place of 889), without a system call"
    )


def outcome(kernel: Path, blob: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the status and the error lines of a demo with fewer calls, and with one kernel, in place of that in C."""

    def make(_arch: str, out: Path, _vdso: Path) -> None:
        out.mkdir(parents=True)
        (out / "kernel.elf").write_bytes(kernel.read_bytes())

    if not (blob / "vdso.json").exists():
        (blob / "vdso.json").write_text(json.dumps({"arch": DEFAULT.name, "counter_offset": 0, "page_size": 4096}))
    monkeypatch.setattr(demo, "KERNELS", {"c": make})
    monkeypatch.setattr(demo, "CALLS", 1000)
    monkeypatch.setattr(demo, "ROUNDS", 1)
    status = demo.main([str(blob)])
    return status, capsys.readouterr().err


def test_a_counter_that_traps_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = kernel_builds.build_kernel("c", tmp_path / "kernel", replace=COUNTER_OFF["c"])
    status, said = outcome(kernel, tmp_path, monkeypatch, capsys)
    trapped = "trapped: the kernel does not let the program read it"
    assert status == 1
    assert said in (
        f"demo: kernel=c vdso=on: {1000 + READS} reads of the counter {trapped}\n"
        f"demo: kernel=c vdso=off: {READS} reads of the counter {trapped}\n"
        f"demo: what the guests printed is in {tmp_path}/demo\n",
        # of firmware that passes the read on to the kernel, which ends the program
        f"demo: kernel=c vdso=on: the program ended with 132, as a read of the counter {trapped}; what was printed is in "
        f"{tmp_path}/demo/guest-c-on.txt\n",
    )


def test_a_vdso_that_makes_system_calls_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blob = kernel_builds.build_vdso(tmp_path / "vdso", "POLICY=clock_gettime:syscall")
    kernel = kernel_builds.build_kernel("c", tmp_path / "kernel", vdso=blob)
    status, said = outcome(kernel, tmp_path, monkeypatch, capsys)
    assert status == 1
    assert said.startswith("demo: kernel=c vdso=on: 1000 system calls clock_gettime, not 0, of 1000 calls of the program\n")


def test_a_kernel_that_ignores_vdso_off_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = kernel_builds.build_kernel("c", tmp_path / "kernel", replace={"main.c": ('{ "vdso=off", &vdso_on },', "")})
    status, said = outcome(kernel, tmp_path, monkeypatch, capsys)
    assert status == 1
    assert said.startswith("demo: kernel=c vdso=off: 0 system calls clock_gettime, not 1000, of 1000 calls of the program\n")


def test_a_guest_without_an_end_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = kernel_builds.build_kernel(
        "c", tmp_path / "kernel", replace={"main.c": ("\tpower_off();\n", "\tfor (;;)\n\t\t;\n")}
    )
    monkeypatch.setattr(demo, "SECONDS", 5)
    log = tmp_path / "demo" / "guest-c-on.txt"
    assert outcome(kernel, tmp_path, monkeypatch, capsys) == (
        1,
        f"demo: the guest was killed after 5 s without an end; what it printed is in {log}\n",
    )
    assert "kernel: exit=0" in log.read_text()

# SPDX-License-Identifier: MIT
"""The ways between the example kernels and user mode, by a program that says the same on Debian's Linux."""

from __future__ import annotations

from pathlib import Path

import pytest
from arch.x86_64.linux_guest import LINUX
from debian_packages import kernel_image
from kernel_builds import Replace, build_kernel, kernel, program
from machines import MACHINES
from qemu import execute
from vdso.arch.x86_64.facts import X86_64

pytestmark = pytest.mark.xdist_group("qemu")

ARCH = X86_64.name
SOURCE = Path(__file__).with_name("user_mode.c")
SAID = "ok faults=10 interrupted=300"
FRAME, CPU_C = "x86_64/frame.h", "x86_64/cpu.c"
CONTEXT, CPU, TABLES = (f"src/x86_64/{name}.rs" for name in ("context", "cpu", "tables"))
LANGUAGES = ("c", "rust")
WRONG: dict[str, tuple[Replace, Replace, tuple[str, str]]] = {
    "the red zone is used": (
        {FRAME: ("RED_ZONE 128 ", "RED_ZONE 0 ")},
        {CONTEXT: ("RED_ZONE: usize = 128;", "RED_ZONE: usize = 0;")},
        ("the red zone (16) (0x10)",) * 2,
    ),
    "a handler returns by sysret": (
        {FRAME: ("thread->regs[VECTOR] = 0;", "thread->regs[VECTOR] = VECTOR_SYSCALL;")},
        {CONTEXT: ("registers[VECTOR] = 0;", "registers[VECTOR] = 256;")},
        ("a signal changed rcx",) * 2,
    ),
    "vector registers are not loaded": (
        {"signal.c": ("\tfp_load(thread);\n", "")},
        {"src/signal.rs": ("unsafe { machine::restore_fp(&thread.fp) };", "let _ = &thread.fp;")},
        ("a vector register (8), the red zone (16) (0x8)",) * 2,
    ),
    "a handler starts with the flags of before": (
        {FRAME: ("~(FLAGS_TF | FLAGS_DF | FLAGS_RF)", "~FLAGS_RF")},
        {CONTEXT: ("!(TRAP_FLAG | DIRECTION | RESUME)", "!(TRAP_FLAG & DIRECTION | RESUME)")},
        ("flags of a handler",) * 2,
    ),
    "a system call keeps the flag of steps": (
        {CPU_C: ("FMASK 0x44700", "FMASK 0x44600")},
        {CPU: ("CLEARED: usize = 1 << 8 | IF", "CLEARED: usize = IF")},
        ("kernel trap: vector 1,", "a trap of the kernel: vector 1,"),
    ),
    "programs may have every gate": (
        {CPU_C: ("0xee00 : 0x8e00", "0xee00 : 0xee00")},
        {TABLES: ("const GATE: usize = 0x8e00;", "const GATE: usize = 0xee00;")},
        ("wrong: int",) * 2,
    ),
    "ports are open": (
        {CPU_C: ("tasks[index].ports = sizeof(struct task) << 16;", "tasks[index].ports = 0;")},
        {TABLES: ("(TASK_SIZE as u32) << 16", "0")},
        ("wrong: outb",) * 2,
    ),
}
"""A fault, to what is replaced in the C and in the Rust kernel, and what is said then."""


def said(elf: Path, cpus: int, log: Path) -> str:
    """Return what the program and the kernel print, which need not come to its end."""
    machine = MACHINES[ARCH]
    words = machine.guest(elf, program(SOURCE, arch=ARCH), "vdso=on")
    execute([*machine.qemu, "-smp", str(cpus), "-no-reboot", *words], log, 60)
    return log.read_text(errors="replace")


def test_linux_says_so(tmp_path: Path) -> None:
    """The program must be right about Linux before it can judge another kernel."""
    guest = LINUX.boot(tmp_path, kernel_image(X86_64), {"user-mode": program(SOURCE, arch=ARCH)}, [["user-mode"]])
    assert (guest.status["user-mode"], guest.lines["user-mode"]) == (0, [SAID]), guest


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_finds_all_as_it_was(language: str, cpus: int, tmp_path: Path) -> None:
    text = said(kernel(f"{language}-{ARCH}"), cpus, tmp_path / "guest.txt")
    assert f"{SAID}\nkernel: exit=0\n" in text.replace("\r", ""), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("wrong", WRONG)
def test_it_tells_of_a_wrong_kernel(wrong: str, language: str, tmp_path: Path) -> None:
    index = LANGUAGES.index(language)
    elf = build_kernel(f"{language}-{ARCH}", tmp_path, WRONG[wrong][index])
    text = said(elf, 2, tmp_path / "guest.txt")
    assert WRONG[wrong][2][index] in text, text

# SPDX-License-Identifier: MIT
"""What is known of a machine of QEMU, so that kernels boot and programs are built in the same way on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

EXAMPLES = Path(__file__).resolve().parents[1]
SOURCES = EXAMPLES.parent / "vdso_src"
LAUNCHER = EXAMPLES / "launcher" / "launcher.c"
LAUNCHER_ADDRESS = 0x60000000


# include/uapi/asm-generic/unistd.h of Linux
GENERIC_NUMBERS = MappingProxyType(
    {
        "clock_gettime": 113,
        "clock_getres": 114,
        "gettimeofday": 169,
        "tgkill": 131,
        "rt_sigreturn": 139,
        "getcpu": 168,
    }
)
"""Numbers of the system calls that demo and tests count, of all younger architectures."""


class GuestError(Exception):
    """The guest did not come to its end: one line that says how, and where its output is."""


@dataclass(frozen=True)
class Machine:
    """A machine of QEMU.

    arch            the name of the architecture
    elf             e_machine of its kernels
    qemu            the program, and its words for the machine, without the number of CPUs
    guest           words of QEMU for a kernel, a program and the kernel's command line
    page_size       of the example kernels
    hz              the counter's frequency; None: that of the host's own, which the kernel measures
    compile         a compiler of static programs for Linux, with its words; sources and `-o` follow
    reader          sources for a program that reads an image as vdso-selftest does, beyond those in `compile`
    counter_page    writes a device tree for QEMU with these words, in which the firmware opens the page of a counter; None:
                    there is no such page
    numbers         of system calls, by their names
    place           option of the linker for the address of a static program, such as the launcher; None: `compile` has no whole
                    C library, and makes no launcher
    """

    arch: str
    elf: int
    qemu: tuple[str, ...]
    guest: Callable[[Path, Path, str], list[str]]
    page_size: int
    hz: int | None
    compile: tuple[str, ...]
    reader: tuple[str, ...]
    counter_page: Callable[[Sequence[str], Path], Path] | None = None
    numbers: Mapping[str, int] = field(default_factory=lambda: GENERIC_NUMBERS)
    place: str | None = "-Ttext-segment"


def includes(arch: str) -> tuple[str, ...]:
    """Return flags that find the headers of vdso-selftest and of the stubs: by quotes alone, as one is called time.h."""
    folders = (SOURCES / "selftest", SOURCES / arch / "selftest", SOURCES / arch, SOURCES)
    return tuple(word for folder in folders for word in ("-iquote", str(folder)))


def demo_command(machine: Machine, program: Path) -> tuple[str, ...]:
    """Return the command that builds `program` of demo.c."""
    return (*machine.compile, *includes(machine.arch), "-o", str(program), str(EXAMPLES / "demo.c"))


def launcher_flags(arch: str, place: str) -> tuple[str, ...]:
    """Return what the launcher is compiled with: its headers, and its own place by that option of the linker."""
    folders = (LAUNCHER.parent / arch, SOURCES, SOURCES / arch)
    return (f"-Wl,{place}={LAUNCHER_ADDRESS:#x}", *(f"-I{folder}" for folder in folders))


def image_sources() -> tuple[str, ...]:
    """Return the sources of vdso-selftest that read an image."""
    return tuple(str(SOURCES / "selftest" / f"{name}.c") for name in ("image", "symbols", "strings"))

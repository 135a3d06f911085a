# SPDX-License-Identifier: MIT
"""AArch64, the 64-bit state of Arm's architecture."""

from types import MappingProxyType

from ..arch import HIDE, KEEP, REPLACE, Alternatives, Arch, Counter, Emulation, Entry, Installed
from ..compilers import Compilers, Flags

_CCFLAGS = (
    "-mcmodel=tiny",  # the data page is never far: one instruction forms its address
    "-mgeneral-regs-only",
    "-mbranch-protection=none",
    "-mno-outline-atomics",  # which call helpers of libgcc
    "-ffixed-x18",  # the platform register, which some systems keep for a thread
)

AARCH64 = Arch(
    name="aarch64",
    machine=183,
    debian="arm64",
    version="LINUX_2.6.39",
    export_prefix="__kernel_",
    compilers=Compilers(
        words=(
            "aarch64-linux-gnu-",
            "aarch64-unknown-linux-gnu-",
            "aarch64-none-linux-gnu-",
            "aarch64-none-elf-",
            "aarch64-unknown-elf-",
            "aarch64-elf-",
        ),
        gnu=Flags(_CCFLAGS),
        llvm=Flags(("--target=aarch64-unknown-none-elf", *_CCFLAGS)),
    ),
    emulation=Emulation(
        user=Installed("qemu-aarch64", ("qemu-user",)),
        system=Installed("qemu-system-aarch64", ("qemu-system-arm",)),
        cc=Installed("aarch64-linux-gnu-gcc", ("gcc-aarch64-linux-gnu", "binutils-aarch64-linux-gnu")),
        libc=Installed("/usr/aarch64-linux-gnu/lib/libc.a", ("libc6-dev-arm64-cross",)),
        rust_targets=("aarch64-unknown-none-softfloat", "aarch64-unknown-none"),
    ),
    counter=Counter(
        read="cntvct_el0",
        cpu="CPU",
        allow="set CNTKCTL_EL1.EL0VCTEN",
        firmware="",
        frequency="CNTFRQ_EL0",
    ),
    counter_page=None,
    code_unit=4,
    page_sizes=(4096, 16384, 65536),
    trap=b"\x00\x00\x00\x00",  # udf #0: permanently undefined
    landing_pad=None,  # a `bti` is a hint: code that begins with one runs on every CPU
    # arch/arm64/include/asm/alternative.h of Linux, struct alt_instr
    alternatives=Alternatives(".altinstructions", (Entry("<iiHBB", 3),)),
    # ELF for the Arm 64-bit Architecture, "Static AArch64 relocations": PREL64 to PREL16, LD_PREL_LO19 to CONDBR19, JUMP26 to
    # LDST64_ABS_LO12_NC, MOVW_PREL_G0 to MOVW_PREL_G3, LDST128_ABS_LO12_NC
    relocations=frozenset({*range(260, 263), *range(273, 281), *range(282, 294), 299}),
    zero_register="xzr",
    number_register="x8",
    result_registers=("x0",),
    stack_register="sp",
    frame_pointer="x29",
    return_register="x30",
    thread_registers=("tpidr_el0", "x18"),
    # version 1, "zR", code alignment 4, data alignment -8, return address in x30; augmentation 0x1b; DW_CFA_def_cfa(sp, 0)
    leaf_cie=b"\x01zR\0\x04\x78\x1e\x01\x1b\x0c\x1f\x00",
    # What TTBR0_EL1 maps (Linux, arch/arm64/Kconfig, ARM64_VA_BITS)
    user_space=MappingProxyType(
        {
            "2 levels of 16 KiB": 1 << 36,
            "3 levels of 4 KiB": 1 << 39,
            "2 levels of 64 KiB": 1 << 42,
            "4 levels of 4 KiB": 1 << 48,
        }
    ),
    budget=MappingProxyType({"clock_gettime": 136}),
    no_return=frozenset({93, 94, 139}),
    sigreturn=bytes.fromhex("681180d2010000d4"),  # mov x8, #139; svc #0 (libgcc config/aarch64/linux-unwind.h)
    syscalls=MappingProxyType({"clock_gettime": 113, "clock_getres": 114, "gettimeofday": 169}),
    policy=MappingProxyType(
        {
            "rt_sigreturn": KEEP,
            "clock_gettime": REPLACE,
            "gettimeofday": REPLACE,
            "clock_getres": REPLACE,
            "getrandom": HIDE,
        }
    ),
)

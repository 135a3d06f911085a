# SPDX-License-Identifier: MIT
"""RISC-V, 64 bit."""

from types import MappingProxyType

from ..arch import HIDE, KEEP, REPLACE, SYSCALL, Alternatives, Arch, Counter, Emulation, Entry, Installed, Mark
from ..compilers import Compilers, Flags

# Without `_zicsr`, which gcc 10 and clang 16 do not know: every assembler takes `rdtime` as it is.
_CCFLAGS = ("-march=rv64imac", "-mabi=lp64", "-mcmodel=medany", "-mno-relax")

RISCV64 = Arch(
    name="riscv64",
    machine=243,
    debian="riscv64",
    version="LINUX_4.15",
    export_prefix="__vdso_",
    compilers=Compilers(
        words=(
            "riscv64-linux-gnu-",
            "riscv64-unknown-elf-",
            "riscv64-unknown-linux-gnu-",
            "riscv64-none-elf-",
            "riscv64-elf-",
        ),
        gnu=Flags(_CCFLAGS, ("-mrelax", "-mcmodel=medlow", "-malign-data=natural")),
        llvm=Flags(("--target=riscv64-unknown-none-elf", *_CCFLAGS), ("-mrelax", "-mcmodel=medlow")),
    ),
    emulation=Emulation(
        user=Installed("qemu-riscv64", ("qemu-user",)),
        system=Installed("qemu-system-riscv64", ("qemu-system-misc",)),
        cc=Installed("riscv64-linux-gnu-gcc", ("gcc-riscv64-linux-gnu", "binutils-riscv64-linux-gnu")),
        libc=Installed("/usr/riscv64-linux-gnu/lib/libc.a", ("libc6-dev-riscv64-cross",)),
        rust_targets=("riscv64imac-unknown-none-elf", "riscv64gc-unknown-none-elf"),
    ),
    counter=Counter(
        read="rdtime",
        cpu="hart",
        allow="set scounteren.TM",
        firmware="firmware sets mcounteren.TM; without firmware the kernel does",
        frequency="the device tree",
    ),
    counter_page=Counter(
        read="mtime",
        cpu="hart",
        allow="map the page of mtime for user mode, read-only",
        firmware="firmware leaves that page to user mode",
        frequency="the device tree",
    ),
    code_unit=2,
    page_sizes=(4096,),
    trap=b"\x00\x00",  # the all-zero parcel is defined illegal (RISC-V unprivileged ISA, 1.5)
    landing_pad=Mark("lpad", 0xFFF, 0x017),  # auipc with rd = zero (RISC-V CFI extensions, Zicfilp)
    # arch/riscv/include/asm/alternative.h of Linux, struct alt_entry; a vDSO has had it from 6.3 on
    alternatives=Alternatives(".alternative", (Entry("<iiHHI", 3),)),
    # RISC-V psABI, "Relocations": BRANCH to CALL_PLT, PCREL_HI20 to PCREL_LO12_S, ADD8 to SUB64, ALIGN to RVC_JUMP,
    # RELAX to 32_PCREL, SET_ULEB128 and SUB_ULEB128
    relocations=frozenset({*range(16, 20), *range(23, 26), *range(33, 41), *range(43, 46), *range(51, 58), 60, 61}),
    zero_register="zero",
    number_register="a7",
    result_registers=("a0",),
    stack_register="sp",
    frame_pointer="s0",
    return_register="ra",
    thread_registers=("tp", "gp"),
    # version 1, "zR", code alignment 1, data alignment -4, return address in x1; augmentation 0x1b; DW_CFA_def_cfa(x2, 0)
    leaf_cie=b"\x01zR\0\x01\x7c\x01\x01\x1b\x0c\x02\x00",
    # RISC-V privileged ISA, "Sv39" to "Sv57": addresses are sign-extended; the upper half is the kernel's by custom
    user_space=MappingProxyType({"Sv39": 1 << 38, "Sv48": 1 << 47, "Sv57": 1 << 56}),
    budget=MappingProxyType({"clock_gettime": 116}),
    no_return=frozenset({93, 94, 139}),
    sigreturn=bytes.fromhex("9308b00873000000"),  # li a7, 139; ecall (libgcc config/riscv/linux-unwind.h)
    syscalls=MappingProxyType(
        {
            "clock_gettime": 113,
            "clock_getres": 114,
            "getcpu": 168,
            "gettimeofday": 169,
            "riscv_hwprobe": 258,
            "flush_icache": 259,
        }
    ),
    policy=MappingProxyType(
        {
            "rt_sigreturn": KEEP,
            "clock_gettime": REPLACE,
            "gettimeofday": REPLACE,
            "clock_getres": REPLACE,
            "getcpu": KEEP,
            "flush_icache": KEEP,
            "riscv_hwprobe": SYSCALL,
            "getrandom": HIDE,
        }
    ),
    musl_knew_hash=False,  # from 1.2.6 on, which is content with DT_GNU_HASH
    asserted=frozenset({"getcpu"}),
)

# SPDX-License-Identifier: MIT
"""x86-64, the 64-bit mode of x86."""

from types import MappingProxyType

from ..arch import HIDE, REPLACE, SYSCALL, Alternatives, Arch, Counter, Emulation, Entry, Installed
from ..compilers import Compilers, Flags

_CCFLAGS = (
    "-fpie",  # the code model of position independent code forms the data page's address relative to the pc
    "-mgeneral-regs-only",
    "-fcf-protection=none",
    "-mno-red-zone",  # a stub has nothing on the stack
)

X86_64 = Arch(
    name="x86_64",
    machine=62,
    debian="amd64",
    version="LINUX_2.6",
    export_prefix="__vdso_",
    compilers=Compilers(
        words=(
            "x86_64-linux-gnu-",
            "x86_64-unknown-linux-gnu-",
            "x86_64-pc-linux-gnu-",
            "x86_64-elf-",
        ),
        gnu=Flags(_CCFLAGS),
        llvm=Flags(("--target=x86_64-unknown-none-elf", *_CCFLAGS)),
    ),
    emulation=Emulation(
        user=Installed("qemu-x86_64", ("qemu-user",)),
        system=Installed("qemu-system-x86_64", ("qemu-system-x86",)),
        cc=Installed("x86_64-linux-gnu-gcc", ("gcc-x86-64-linux-gnu|gcc", "binutils-x86-64-linux-gnu")),
        libc=Installed("/usr/lib/x86_64-linux-gnu/libc.a", ("libc6-dev",)),  # of the machine itself: its programs run natively
        rust_targets=("x86_64-unknown-none",),
    ),
    counter=Counter(
        read="rdtsc",
        cpu="CPU",
        allow="leave CR4.TSD 0",
        firmware="",
        frequency="CPUID 0x15, or else a measurement,",
    ),
    counter_page=None,
    code_unit=1,
    page_sizes=(4096,),
    trap=b"\xcc",  # int3
    landing_pad=None,  # an `endbr64` is a nop: code that begins with one runs on every CPU
    # arch/x86/include/asm/alternative.h of Linux, struct alt_instr: with flags, from 5.10 without padlen, and before
    alternatives=Alternatives(".altinstructions", (Entry("<iiHHBB", 4), Entry("<iiHBB", 3), Entry("<iiHBBB", 3))),
    # System V ABI, AMD64 supplement, "Relocation Types": PC32, PLT32, PC16, PC8, PC64
    relocations=frozenset({2, 4, 13, 15, 24}),
    zero_register="",
    number_register="rax",
    result_registers=("rax", "rcx", "r11"),
    stack_register="rsp",
    frame_pointer="rbp",
    return_register="",
    thread_registers=("fs", "gs"),
    # version 1, "zR", code alignment 1, data alignment -8, return address in column 16; augmentation 0x1b;
    # DW_CFA_def_cfa(rsp, 8), DW_CFA_offset(16, 1)
    leaf_cie=b"\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01\x00",
    # The lower half of what page tables map (Linux, Documentation/arch/x86/x86_64/mm.rst)
    user_space=MappingProxyType({"4 levels of 4 KiB": 1 << 47, "5 levels of 4 KiB": 1 << 56}),
    budget=MappingProxyType({"clock_gettime": 134}),
    no_return=frozenset({15, 60, 231}),
    sigreturn=b"",  # the C library brings it (SA_RESTORER)
    syscalls=MappingProxyType({"clock_gettime": 228, "clock_getres": 229, "gettimeofday": 96, "time": 201, "getcpu": 309}),
    policy=MappingProxyType(
        {
            "clock_gettime": REPLACE,
            "gettimeofday": REPLACE,
            "clock_getres": REPLACE,
            "time": REPLACE,  # glibc calls it by an ifunc
            "getcpu": SYSCALL,  # Linux keeps the numbers in a limit of the GDT and in TSC_AUX
            "getrandom": HIDE,
            "sgx_enter_enclave": HIDE,  # it calls a function whose address the caller gives
            # Linux's kernel knows these by their addresses: elsewhere they do not keep what they promise
            "futex_robust_list64_try_unlock": HIDE,
            "futex_robust_list32_try_unlock": HIDE,
        }
    ),
    asserted=frozenset({"getcpu"}),
)

# SPDX-License-Identifier: MIT
"""LoongArch, 64 bit."""

from types import MappingProxyType

from ..arch import HIDE, KEEP, REPLACE, SYSCALL, Alternatives, Arch, Counter, Emulation, Entry, Installed
from ..compilers import LLVM, Compilers, Flags

_CCFLAGS = ("-mabi=lp64s", "-mfpu=none", "-mcmodel=normal")  # with a floating point unit clang takes vector registers too

LOONGARCH64 = Arch(
    name="loongarch64",
    machine=258,
    debian="loong64",
    version="LINUX_5.10",
    export_prefix="__vdso_",
    compilers=Compilers(
        words=(
            LLVM,
            "loongarch64-linux-gnu-",
            "loongarch64-unknown-linux-gnu-",
            "loongarch64-unknown-elf-",
            "loongarch64-elf-",
        ),
        gnu=Flags((*_CCFLAGS, "-mno-relax", "-falign-functions=4")),
        # Aligned to 32 bytes, functions could miss the slots of Linux, which has 16. 2 is a power of two.
        llvm=Flags(("--target=loongarch64-unknown-none", *_CCFLAGS, "-mllvm", "-align-all-functions=2")),
    ),
    emulation=Emulation(
        user=Installed("qemu-loongarch64", ("qemu-user",)),
        system=Installed("qemu-system-loongarch64", ("qemu-system-misc",)),
        cc=Installed("clang-19", ("clang-19", "lld-19")),
        libc=Installed("clang-19", ("clang-19",)),
        rust_targets=("loongarch64-unknown-none-softfloat",),
        counting=(
            Installed("qemu-loongarch64", ("qemu-user",)),
            Installed("clang-19", ("clang-19",)),
            Installed("ld.lld-19", ("lld-19",)),
        ),
    ),
    counter=Counter(
        read="rdtime.d",
        cpu="CPU",
        allow="leave CSR.MISC.DRDTL3 0",
        firmware="",
        frequency="CPUCFG",
    ),
    counter_page=None,
    code_unit=4,
    page_sizes=(4096, 16384, 65536),
    trap=b"\x00\x00\x2a\x00",  # break 0; zeros are no instruction of today's manual, and no promise of tomorrow's
    landing_pad=None,
    # arch/loongarch/include/asm/alternative.h of Linux, struct alt_instr; no vDSO has had one
    alternatives=Alternatives(".altinstructions", (Entry("<iiHBB", 3),)),
    # LoongArch psABI, "Relocations": ADD8 to SUB64, B16 to B26, PCALA_HI20 and PCALA_LO12, 32_PCREL, RELAX, ALIGN,
    # PCREL20_S2, ADD6 to SUB_ULEB128, 64_PCREL, CALL36
    relocations=frozenset({*range(47, 57), *range(64, 67), 71, 72, 99, 100, *range(102, 111)}),
    zero_register="zero",
    number_register="a7",
    result_registers=("a0", *(f"t{number}" for number in range(9))),
    stack_register="sp",
    frame_pointer="fp",
    return_register="ra",
    thread_registers=("tp", "r21"),
    # version 1, "zR", code alignment 1, data alignment -8, return address in r1; augmentation 0x1b; DW_CFA_def_cfa(r3, 0)
    leaf_cie=b"\x01zR\0\x01\x78\x01\x01\x1b\x0c\x03\x00",
    # The lower half of what page tables map (Linux, arch/loongarch/Kconfig), which has 2^(VALEN - 1) bytes at most (Reference
    # Manual, "Virtual Address Space"): no CPU is known with a VALEN of more than 48.
    user_space=MappingProxyType({"2 levels of 16 KiB": 1 << 36, "3 levels of 4 KiB": 1 << 39, "VALEN of 48": 1 << 47}),
    budget=MappingProxyType({"clock_gettime": 144}),
    no_return=frozenset({93, 94, 139}),
    sigreturn=bytes.fromhex("0b2c820300002b00"),  # ori a7, zero, 139; syscall 0 (libgcc config/loongarch/linux-unwind.h)
    syscalls=MappingProxyType({"clock_gettime": 113, "clock_getres": 114, "getcpu": 168, "gettimeofday": 169}),
    policy=MappingProxyType(
        {
            "rt_sigreturn": KEEP,
            "clock_gettime": REPLACE,
            "gettimeofday": REPLACE,
            "clock_getres": REPLACE,
            "getcpu": SYSCALL,  # Linux keeps the number of a CPU's node in a page of its own
            "getrandom": HIDE,
        }
    ),
)

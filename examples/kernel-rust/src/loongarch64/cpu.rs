// SPDX-License-Identifier: MIT
//! The registers of a CPU, and the way into user mode and back.

use super::board;
use super::paging::{LEVEL_BITS, PAGE_SHIFT, SHIFTS};
use crate::memory::Space;
use crate::trap::Trap;
use core::arch::{asm, global_asm};

/// The registers of a user thread: pc, then r1 to r31.
pub type Registers = [usize; 32];
pub const NO_REGISTERS: Registers = [0; 32];
pub const PC: usize = 0;
pub const RA: usize = 1;
pub const TP: usize = 2;
pub const SP: usize = 3;
pub const A0: usize = 4;
/// The register of a system call's number, and that of its result.
pub const NUMBER: usize = 11;
pub const RESULT: usize = A0;

/// From the instruction of a system call, where the pc is, to behind it.
pub const SYSCALL_STEP: usize = 4;
/// The size of that instruction.
pub const SYSCALL_SIZE: usize = 4;

/// 32 registers of 128 bits, of which the lower half is the floating-point register; fcc0 to fcc7, a byte each; fcsr0.
pub type FpRegisters = [u64; 66];
pub const NO_FP: FpRegisters = [0; 66];

/// The arguments of clone with TLS and with the address of the child's tid: Linux without CONFIG_CLONE_BACKWARDS.
pub const CLONE_TLS: usize = 4;
pub const CLONE_CHILD: usize = 3;

/// e_machine
pub const ELF: usize = 258;

/// ori $a7, $zero, 139; syscall 0
pub const SIGRETURN: [u8; 8] = [0x0b, 0x2c, 0x82, 0x03, 0, 0, 0x2b, 0];

// Control and status registers (LoongArch Reference Manual, Volume 1, 7.4)
pub const CRMD: usize = 0x0;
const PRMD: usize = 0x1;
const EUEN: usize = 0x2;
const MISC: usize = 0x3;
const ECFG: usize = 0x4;
const ESTAT: usize = 0x5;
const ERA: usize = 0x6;
const BADV: usize = 0x7;
const EENTRY: usize = 0xc;
const ASID: usize = 0x18;
const PGDL: usize = 0x19;
const PGDH: usize = 0x1a;
const PGD: usize = 0x1b;
const PWCL: usize = 0x1c;
const PWCH: usize = 0x1d;
const STLBPS: usize = 0x1e;
pub const CPUID: usize = 0x20;
const SAVE0: usize = 0x30;
pub const TCFG: usize = 0x41;
const TICLR: usize = 0x44;
const TLBRENTRY: usize = 0x88;
const TLBRSAVE: usize = 0x8b;
const TLBRELO0: usize = 0x8c;
const TLBRELO1: usize = 0x8d;
const TLBREHI: usize = 0x8e;
pub const DMW0: usize = 0x180;
pub const DMW1: usize = 0x181;

const CRMD_IE: usize = 1 << 2;
pub const CRMD_PG: usize = 1 << 4;
/// Back to user mode, with interrupts.
const PRMD_USER: usize = 7;
/// Programs may not read the counter.
const MISC_DRDTL3: usize = 1 << 7;
const EUEN_FPE: usize = 1;
const EUEN_SXE: usize = 2;
/// Of CPUCFG word 2: there are vector registers.
const LSX: usize = 1 << 6;

// Of ESTAT and ECFG
const TIMER: usize = 1 << 11;
const CALL: usize = 1 << 12;

/// The record of the path into user mode; the assembly below knows its layout.
#[repr(C)]
pub struct Frame {
    pub registers: Registers,
    kernel_sp: usize,
}

impl Frame {
    pub const fn new() -> Self {
        Self { registers: NO_REGISTERS, kernel_sp: 0 }
    }
}

extern "C" {
    /// Goes on in user mode with these registers, and returns at the next trap.
    pub fn enter_user(frame: &mut Frame);
    pub fn save_fp(registers: &mut FpRegisters);
    pub fn restore_fp(registers: &FpRegisters);
    fn idle();
    fn trap_entry();
    fn refill_entry();
}

// In user mode SAVE0 holds the frame, in the kernel 0. The kernel takes interrupts in `idle` alone, and goes on behind that
// without them, wherever in there they came. The target has no floating point, so its instructions are words here:
// fld.d, fst.d, vld, vst with an offset from $a0; movfcsr2gr, movgr2fcsr, movcf2gr, movgr2cf with $t0.
global_asm!(
    r"
    .macro each_callee_saved op
        \op $ra, $sp, 0
        \op $fp, $sp, 8
        \op $s0, $sp, 16
        \op $s1, $sp, 24
        \op $s2, $sp, 32
        \op $s3, $sp, 40
        \op $s4, $sp, 48
        \op $s5, $sp, 56
        \op $s6, $sp, 64
        \op $s7, $sp, 72
        \op $s8, $sp, 80
        \op $tp, $sp, 88
        \op $r21, $sp, 96
    .endm
    .macro each_but_a0 op
        .irp n, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op $r\n, $a0, 8*\n
        .endr
    .endm
    .macro each_fp op
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        .word \op | 16*\n << 10 | 4 << 5 | \n
        .endr
    .endm
    .macro all_fp plain, vector
        ori $t0, $zero, 2
        cpucfg $t0, $t0
        andi $t0, $t0, {LSX}
        bnez $t0, 1f
        each_fp \plain
        b 2f
1:      each_fp \vector
2:
    .endm

    .text
    .global enter_user
enter_user:
    addi.d $sp, $sp, -112
    each_callee_saved st.d
    st.d $sp, $a0, 256
    move $t0, $a0
    csrwr $t0, {SAVE0}
    ld.d $t0, $a0, 0
    csrwr $t0, {ERA}
    ori $t0, $zero, {PRMD_USER}
    csrwr $t0, {PRMD}
    each_but_a0 ld.d
    ld.d $a0, $a0, 32
    ertn

    .global trap_entry
    .balign 4096
trap_entry:
    csrwr $a0, {SAVE0}
    beqz $a0, 1f
    each_but_a0 st.d
    move $t0, $zero
    csrwr $t0, {SAVE0}
    st.d $t0, $a0, 32
    csrrd $t0, {ERA}
    st.d $t0, $a0, 0
    ld.d $sp, $a0, 256
    each_callee_saved ld.d
    addi.d $sp, $sp, 112
    ret
1:  csrwr $a0, {SAVE0}
    csrrd $t0, {ESTAT}
    bstrpick.d $t0, $t0, 21, 16
    bnez $t0, 2f
    la.pcrel $t0, idle_end
    csrwr $t0, {ERA}
    move $t0, $zero
    csrwr $t0, {PRMD}
    ertn
2:  bl trap_in_kernel

    .global idle
idle:
    ori $t0, $zero, {CRMD_PG} | {CRMD_IE}
    csrwr $t0, {CRMD}
    idle 0
idle_end:
    ori $t0, $zero, {CRMD_PG}
    csrwr $t0, {CRMD}
    ret

    /* Fills the TLB. The CPU runs this at its physical address. Where there is no table, the pages are not valid. */
    .global refill_entry
    .balign 4096
refill_entry:
    csrwr $t0, {TLBRSAVE}
    csrrd $t0, {PGD}
    lddir $t0, $t0, 3
    beqz $t0, 2f
    lddir $t0, $t0, 1
    beqz $t0, 2f
    ldpte $t0, 0
    ldpte $t0, 1
1:  tlbfill
    csrrd $t0, {TLBRSAVE}
    ertn
2:  csrrd $t0, {TLBREHI}
    bstrins.d $t0, $zero, 5, 0
    ori $t0, $t0, {PAGE_SHIFT}
    csrwr $t0, {TLBREHI}
    csrwr $zero, {TLBRELO0}
    csrwr $zero, {TLBRELO1}
    b 1b

    .global save_fp
save_fp:
    all_fp 0x2bc00000, 0x2c400000
    .word 0x0114c80c
    st.d $t0, $a0, 520
    .irp n, 0,1,2,3,4,5,6,7
    .word 0x0114dc0c | \n << 5
    st.b $t0, $a0, 512+\n
    .endr
    ret

    .global restore_fp
restore_fp:
    all_fp 0x2b800000, 0x2c000000
    ld.d $t0, $a0, 520
    .word 0x0114c180
    .irp n, 0,1,2,3,4,5,6,7
    ld.bu $t0, $a0, 512+\n
    .word 0x0114d980 | \n
    .endr
    ret
",
    LSX = const LSX, SAVE0 = const SAVE0, ERA = const ERA, PRMD = const PRMD, PRMD_USER = const PRMD_USER,
    ESTAT = const ESTAT, CRMD = const CRMD, CRMD_PG = const CRMD_PG, CRMD_IE = const CRMD_IE,
    TLBRSAVE = const TLBRSAVE, PGD = const PGD, TLBREHI = const TLBREHI, TLBRELO0 = const TLBRELO0,
    TLBRELO1 = const TLBRELO1, PAGE_SHIFT = const PAGE_SHIFT
);

macro_rules! write_csr {
    ($csr:expr, $value:expr) => {
        // SAFETY: the registers that this kernel writes change how it is interrupted, what user mode may do, and where its
        // memory lies: each use says what it relies on.
        unsafe { core::arch::asm!("csrwr {}, {}", inout(reg) $value => _, const $csr) }
    };
}
pub(super) use write_csr;

macro_rules! read_csr {
    ($csr:expr) => {{
        let value: usize;
        // SAFETY: reading has no effect.
        unsafe { core::arch::asm!("csrrd {}, {}", out(reg) value, const $csr, options(nostack)) };
        value
    }};
}

/// Returns a word of CPUCFG.
pub fn cpucfg(word: usize) -> usize {
    let value: usize;
    // SAFETY: reading has no effect.
    unsafe { asm!("cpucfg {}, {}", out(reg) value, in(reg) word, options(nomem, nostack)) };
    value & 0xffff_ffff
}

/// What AT_HWCAP says (arch/loongarch/include/uapi/asm/hwcap.h): CPUCFG, atomics, unaligned access, floating point; LSX.
pub fn hwcap() -> usize {
    0xf | if cpucfg(2) & LSX != 0 { 1 << 4 } else { 0 }
}

/// Sets the CPU up for user mode with this page table: its traps, its TLB, its interrupts.
pub fn set_up_cpu(root: usize) {
    write_csr!(SAVE0, 0_usize);
    write_csr!(EENTRY, trap_entry as *const () as usize);
    write_csr!(TLBRENTRY, refill_entry as *const () as usize);
    write_csr!(STLBPS, PAGE_SHIFT);
    write_csr!(TLBREHI, PAGE_SHIFT);
    write_csr!(ASID, 0_usize);
    // Where each level begins in an address, and how many bits it has: PTBase and Dir1, Dir3.
    write_csr!(PWCL, PAGE_SHIFT | LEVEL_BITS << 5 | SHIFTS[1] << 10 | LEVEL_BITS << 15);
    write_csr!(PWCH, SHIFTS[0] | LEVEL_BITS << 6);
    write_csr!(PGDL, root);
    write_csr!(PGDH, root);
    write_csr!(EUEN, EUEN_FPE | if cpucfg(2) & LSX != 0 { EUEN_SXE } else { 0 });
    flush_translations_here();
    board::accept_calls();
    write_csr!(ECFG, TIMER | CALL);
}

pub fn flush_translations_here() {
    // SAFETY: makes this CPU see the page table as it is, and the program's code as it was loaded.
    unsafe { asm!("invtlb 0, $zero, $zero", "ibar 0") }
}

/// Waits for an interrupt, and leaves it pending.
pub fn wait_for_interrupt() {
    // SAFETY: it comes back with interrupts off, and changes only a register that a call may change.
    unsafe { idle() }
}

/// Takes back the interrupts that are pending. Returns whether the timer's was among them.
fn take_interrupts() -> bool {
    let pending = read_csr!(ESTAT);
    if pending & CALL != 0 {
        board::take_calls();
    }
    if pending & TIMER != 0 {
        write_csr!(TICLR, 1_usize);
    }
    pending & TIMER != 0
}

/// Takes back what woke this CPU up; the kernel looks at its deadlines anyhow.
pub fn forget_call() {
    take_interrupts();
}

/// Lets programs read the counter, or not: then each read is a trap. QEMU's MISC is 0 and read-only.
pub fn allow_counter(allowed: bool) {
    let misc = read_csr!(MISC);
    let changed = if allowed { misc & !MISC_DRDTL3 } else { misc | MISC_DRDTL3 };
    if changed != misc {
        write_csr!(MISC, changed);
    }
}

pub fn counter() -> u64 {
    let counter: u64;
    // SAFETY: reads the counter. Without `nomem` the read stays in its place between the writes to the data page.
    unsafe { asm!("rdtime.d {}, $zero", out(reg) counter, options(nostack)) }
    counter
}

/// Reads of the counter that a program on this CPU made where it may not.
pub struct TrapCount(usize);

impl TrapCount {
    pub fn start() -> Self {
        Self(0)
    }

    /// Counts a trap if it was such a read.
    pub fn look(&mut self, trap: Trap, _space: &Space, _registers: &Registers) {
        self.0 += usize::from(matches!(trap, Trap::CounterRead));
    }

    pub fn read(&self) -> usize {
        self.0
    }
}

/// Says what the last trap was; interrupts are taken back. Numbers: Ecode of the manual's table 21.
pub fn trap(_frame: &Frame) -> Trap {
    let address = read_csr!(BADV);
    match read_csr!(ESTAT) >> 16 & 63 {
        0 if take_interrupts() => Trap::Timer,
        0 => Trap::Called,
        1..=7 => Trap::Fault(address),
        0xb => Trap::SystemCall,
        0xc => Trap::Breakpoint,
        0xd | 0xf..=0x11 => Trap::Illegal,
        0xe => Trap::CounterRead,
        _ => Trap::Misaligned(address),
    }
}

#[no_mangle]
extern "C" fn trap_in_kernel() -> ! {
    let (cause, value) = (read_csr!(ESTAT) >> 16, read_csr!(BADV));
    panic!("a trap of the kernel: cause {cause:#x}, value {value:#x}, pc {:#x}", read_csr!(ERA));
}

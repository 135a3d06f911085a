// SPDX-License-Identifier: MIT
//! Entries of page tables. The kernel is not in them: windows (DMW) show it all memory.

/// As Linux has them by default. QEMU before 8.2 has no smaller ones.
pub const PAGE: usize = 16384;
pub const PAGE_SHIFT: usize = PAGE.ilog2() as usize;
pub const LEVEL_BITS: usize = PAGE_SHIFT - 3;

/// Where the indices of the first two tables begin in an address.
pub const SHIFTS: [usize; 2] = [PAGE_SHIFT + 2 * LEVEL_BITS, PAGE_SHIFT + LEVEL_BITS];

/// The access of user mode to a page: these bits, and OWNED, are software's.
pub const READ: usize = 1 << 7;
pub const WRITE: usize = 1 << 8;
pub const EXECUTE: usize = 1 << 9;
/// The page is from `Pages` and goes back there. An entry may be OWNED and not VALID.
pub const OWNED: usize = 1 << 10;

pub const VALID: usize = 1 << 0;
/// It may be written.
const DIRTY: usize = 1 << 1;
const USER: usize = 3 << 2;
const CACHED: usize = 1 << 4;
const NO_READ: usize = 1 << 61;
const NO_EXECUTE: usize = 1 << 62;

/// No address of the program is the kernel's.
pub const KERNEL: (usize, usize) = (0, 0);

/// A program, with all that brk gives it, ends here.
pub const PROGRAM_END: usize = 0x2_0000_0000;

pub fn page_of(entry: usize) -> usize {
    entry & 0x0000_ffff_ffff_f000
}

/// Returns an entry that leads to a table: its address alone.
pub fn table(page: usize) -> usize {
    page
}

/// Returns an entry for a page of user mode, which is not VALID yet. QEMU 7.2 does not look for NO_EXECUTE.
pub fn leaf(page: usize, access: usize) -> usize {
    let dirty = if access & WRITE != 0 { DIRTY } else { 0 };
    let no_read = if access & READ == 0 { NO_READ } else { 0 };
    let no_execute = if access & EXECUTE == 0 { NO_EXECUTE } else { 0 };
    page | USER | CACHED | access | dirty | no_read | no_execute
}

pub fn map_kernel(_set: impl FnMut(usize, usize)) {}

// SPDX-License-Identifier: MIT
//! Entries of page tables: VMSAv8-64 with pages of 4 KiB and four levels, the kernel in a block of 1 GiB.

pub const PAGE: usize = 4096;

/// Where the indices of the first three tables begin in an address.
pub const SHIFTS: [usize; 3] = [39, 30, 21];

/// The access of user mode to a page: these bits, and OWNED, are software's.
pub const READ: usize = 1 << 55;
pub const WRITE: usize = 1 << 56;
pub const EXECUTE: usize = 1 << 57;
/// The page is from `Pages` and goes back there. An entry may be OWNED and not VALID.
pub const OWNED: usize = 1 << 58;

pub const VALID: usize = 1 << 0;
/// An entry of the last level, or one that leads to a table.
const PAGE_OR_TABLE: usize = 1 << 1;
/// The second kind of memory of MAIR_EL1, inner shareable.
pub const CACHED: usize = 1 << 2 | 3 << 8;
const USER: usize = 1 << 6;
const READ_ONLY: usize = 1 << 7;
pub const ACCESSED: usize = 1 << 10;
pub const KERNEL_NO_EXECUTE: usize = 1 << 53;
pub const USER_NO_EXECUTE: usize = 1 << 54;

/// The GiB with all memory and the kernel, which lies between those of the program: its start and its end.
pub const KERNEL: (usize, usize) = (0x4000_0000, 0x8000_0000);

/// A program, with all that brk gives it, ends here.
pub const PROGRAM_END: usize = KERNEL.0;

extern "C" {
    /// boot.rs: the table of the lowest 512 GiB, in which the kernel's block is. Those of the program come beside it.
    static LEVEL1: [usize; 512];
}

pub fn page_of(entry: usize) -> usize {
    entry & 0x0000_ffff_ffff_f000
}

/// Returns an entry that leads to a table.
pub fn table(page: usize) -> usize {
    page | PAGE_OR_TABLE | VALID
}

/// Returns an entry for a page of user mode, which is not VALID yet.
pub fn leaf(page: usize, access: usize) -> usize {
    let user = if access & READ != 0 { USER } else { 0 };
    let read_only = if access & WRITE == 0 { READ_ONLY } else { 0 };
    let no_execute = if access & EXECUTE == 0 { USER_NO_EXECUTE } else { 0 };
    page | PAGE_OR_TABLE | CACHED | ACCESSED | KERNEL_NO_EXECUTE | access | user | read_only | no_execute
}

/// Calls `set` with each entry of the first table that the kernel needs: its index, its value.
pub fn map_kernel(mut set: impl FnMut(usize, usize)) {
    set(0, table(&raw const LEVEL1 as usize));
}

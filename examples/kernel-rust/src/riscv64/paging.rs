// SPDX-License-Identifier: MIT
//! Entries of page tables: Sv39, with the kernel in a gigapage of its own.

pub const PAGE: usize = 4096;

/// Where the indices of the first two tables begin in an address.
pub const SHIFTS: [usize; 2] = [30, 21];

/// The access of user mode to a page.
pub const READ: usize = 1 << 1;
pub const WRITE: usize = 1 << 2;
pub const EXECUTE: usize = 1 << 3;

pub const VALID: usize = 1 << 0;
const USER: usize = 1 << 4;
const ACCESSED: usize = 1 << 6;
const DIRTY: usize = 1 << 7;
/// The page is from `Pages` and goes back there; the hardware ignores this bit. An entry may be OWNED and not VALID.
pub const OWNED: usize = 1 << 8;

const GIGAPAGE: usize = 1 << 30;

/// The gigapage of the kernel, which lies between those of the program: its start and its end.
pub const KERNEL: (usize, usize) = (0x8000_0000, 0x8000_0000 + GIGAPAGE);

/// A program, with all that brk gives it, ends here.
pub const PROGRAM_END: usize = KERNEL.0;

/// Where the kernel finds the devices of the first gigapage of physical addresses, read-only.
pub const DEVICES: usize = !((1 << 38) - 1);

/// The page of mtime on QEMU's `virt`, and on many boards: one of the CLINT at 0x2000000.
#[cfg(counter_page)]
pub const COUNTER_PAGE: usize = 0x200_b000;

pub fn page_of(entry: usize) -> usize {
    entry >> 10 << 12
}

/// Returns an entry that leads to a table.
pub fn table(page: usize) -> usize {
    page >> 12 << 10 | VALID
}

/// Returns an entry for a page of user mode, which is not VALID yet.
pub fn leaf(page: usize, access: usize) -> usize {
    page >> 12 << 10 | USER | ACCESSED | DIRTY | access
}

/// Calls `set` with each entry of the first table that the kernel needs: its index, its value.
pub fn map_kernel(mut set: impl FnMut(usize, usize)) {
    set(KERNEL.0 / GIGAPAGE, KERNEL.0 >> 12 << 10 | VALID | READ | WRITE | EXECUTE | ACCESSED | DIRTY);
    set(DEVICES / GIGAPAGE % 512, VALID | READ | ACCESSED | DIRTY);
}

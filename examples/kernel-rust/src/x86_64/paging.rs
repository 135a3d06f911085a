// SPDX-License-Identifier: MIT
//! Entries of page tables: four levels, pages of 4 KiB. The kernel has the upper half of all addresses.

pub const PAGE: usize = 4096;

/// Where the indices of the first three tables begin in an address.
pub const SHIFTS: [usize; 3] = [39, 30, 21];

/// The access of user mode to a page: these bits, and OWNED, are software's.
pub const READ: usize = 1 << 52;
pub const WRITE: usize = 1 << 53;
pub const EXECUTE: usize = 1 << 54;
/// The page is from `Pages` and goes back there. An entry may be OWNED and not VALID.
pub const OWNED: usize = 1 << 55;

pub const VALID: usize = 1 << 0;
const WRITABLE: usize = 1 << 1;
const USER: usize = 1 << 2;
const NOT_CACHED: usize = 1 << 4;
/// Accessed and dirty: set at once, so that no CPU has to.
const USED: usize = 1 << 5 | 1 << 6;
const LARGE: usize = 1 << 7;
const NO_EXECUTE: usize = 1 << 63;

/// Where the kernel sees the first GiB of physical addresses, with all memory.
pub const BASE: usize = 0xffff_ffff_8000_0000;
/// From a physical address in the fourth GiB, which has the devices, to where the kernel sees it: in the last GiB.
pub const DEVICES: usize = 0xffff_ffff_0000_0000;
pub const GIB: usize = 1 << 30;
const FOURTH: usize = 3 * GIB;
const LARGE_PAGE: usize = 2 << 20;

/// No address of the program is the kernel's.
pub const KERNEL: (usize, usize) = (0, 0);

/// A program, with all that brk gives it, ends here.
pub const PROGRAM_END: usize = 0x2_0000_0000;

#[repr(C, align(4096))]
pub struct Table([usize; 512]);

/// Makes a table of large pages from a physical address on, with these bits.
const fn large_pages(start: usize, bits: usize) -> Table {
    let mut table = [0; 512];
    let mut index = 0;
    while index < table.len() {
        table[index] = (start + index * LARGE_PAGE) | bits | LARGE | USED | WRITABLE | VALID;
        index += 1;
    }
    Table(table)
}

/// User mode may use neither.
#[no_mangle]
static MEMORY: Table = large_pages(0, 0);
#[no_mangle]
static DEVICE_PAGES: Table = large_pages(FOURTH, NOT_CACHED | NO_EXECUTE);

extern "C" {
    /// boot.rs: the first table of all CPUs when they start. Its last entry is the kernel's.
    static BOOT_ROOT: Table;
}

/// Returns the physical address of a page that the kernel sees.
pub fn physical(page: usize) -> usize {
    page - BASE
}

pub fn page_of(entry: usize) -> usize {
    BASE + (entry & 0x000f_ffff_ffff_f000)
}

/// Returns an entry that leads to a table.
pub fn table(page: usize) -> usize {
    physical(page) | USED | USER | WRITABLE | VALID
}

/// Returns an entry for a page of user mode, which is not VALID yet. What can be written or executed can be read, too.
pub fn leaf(page: usize, access: usize) -> usize {
    let user = if access & (READ | EXECUTE) != 0 { USER } else { 0 };
    let writable = if access & WRITE != 0 { WRITABLE } else { 0 };
    let no_execute = if access & EXECUTE == 0 { NO_EXECUTE } else { 0 };
    physical(page) | USED | access | user | writable | no_execute
}

/// Calls `set` with each entry of the first table that the kernel needs: its index, its value.
pub fn map_kernel(mut set: impl FnMut(usize, usize)) {
    // SAFETY: nobody changes it but CPUs, which note there that they have used it.
    set(511, unsafe { BOOT_ROOT.0[511] });
}

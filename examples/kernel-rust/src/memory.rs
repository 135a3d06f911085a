// SPDX-License-Identifier: MIT
//! Physical pages, and the one address space (Sv39): the program's, with the kernel in a gigapage of its own.
//!
//! The kernel lies at its physical addresses, so every physical address is a pointer. It never follows an address of the
//! program: it walks the page table as the processor would for user mode, and takes the physical address.

use crate::syscall::{Errno, EACCES, EFAULT, EINVAL, ENOMEM};
use core::sync::atomic::{AtomicU32, Ordering};

pub const PAGE: usize = 4096;

/// The access of user mode to a page: bits of a page table entry.
pub const READ: usize = 1 << 1;
pub const WRITE: usize = 1 << 2;
pub const EXECUTE: usize = 1 << 3;

const VALID: usize = 1 << 0;
const USER: usize = 1 << 4;
const ACCESSED: usize = 1 << 6;
const DIRTY: usize = 1 << 7;
/// The page is from `Pages` and goes back there; the hardware ignores this bit. An entry may be OWNED and not VALID.
const OWNED: usize = 1 << 8;

const SV39: usize = 8 << 60;
const GIGAPAGE: usize = 1 << 30;
const USER_END: usize = 1 << 38;

/// Where the kernel finds the devices of the first gigapage of physical addresses, read-only.
const DEVICES: usize = !(USER_END - 1);

/// The gigapage of the kernel, which lies between those of the program.
pub const KERNEL_START: usize = 0x8000_0000;
pub const KERNEL_END: usize = KERNEL_START + GIGAPAGE;

pub fn is_user(address: usize, size: usize) -> bool {
    let end = address.saturating_add(size);
    end <= KERNEL_START || (KERNEL_END <= address && end <= USER_END)
}

/// Returns where the kernel finds the device at a physical address of the first gigapage, with a page table and without.
#[cfg(counter_page)]
pub fn device(physical: usize) -> usize {
    if crate::cpu::has_page_table() {
        DEVICES + physical
    } else {
        physical
    }
}

pub fn page_up(address: usize) -> usize {
    address.saturating_add(PAGE - 1) & !(PAGE - 1)
}

/// Free pages: those that were given back, in a list through their first words, and all unreserved ones from `fresh` on.
pub struct Pages {
    list: usize,
    fresh: usize,
    end: usize,
    reserved: [(usize, usize); 2],
}

impl Pages {
    pub const fn new() -> Self {
        Self { list: 0, fresh: 0, end: 0, reserved: [(0, 0); 2] }
    }

    pub fn start(&mut self, start: usize, end: usize, reserved: [(usize, usize); 2]) {
        *self = Self { list: 0, fresh: start, end, reserved };
    }

    /// Takes a page of zeros.
    pub fn take(&mut self) -> Result<usize, Errno> {
        let page = if self.list != 0 {
            let page = self.list;
            self.list = *word(page);
            page
        } else {
            while let Some(range) = self.reserved.iter().find(|range| self.fresh < range.1 && range.0 < self.fresh + PAGE) {
                self.fresh = page_up(range.1);
            }
            if self.fresh + PAGE > self.end {
                return Err(ENOMEM);
            }
            self.fresh += PAGE;
            self.fresh - PAGE
        };
        bytes(page, PAGE).fill(0);
        Ok(page)
    }

    fn give_back(&mut self, page: usize) {
        *word(page) = self.list;
        self.list = page;
    }
}

/// Memory that the kernel reaches at its physical address.
fn bytes(physical: usize, size: usize) -> &'static mut [u8] {
    // SAFETY: only pages from `Pages` and of the vDSO come here, and the lock of the kernel keeps other harts from them.
    // User mode may write to them meanwhile, so the kernel never reads a byte twice and expects it unchanged.
    unsafe { core::slice::from_raw_parts_mut(physical as *mut u8, size) }
}

/// A word of a page table or of a free page.
fn word(physical: usize) -> &'static mut usize {
    // SAFETY: as above; aligned, as pages and their entries are.
    unsafe { &mut *(physical as *mut usize) }
}

fn page_of(entry: usize) -> usize {
    entry >> 10 << 12
}

/// The address space. All sizes are in whole pages.
pub struct Space {
    root: usize,
    /// Harts that run a thread, a bit each by the firmware's number: only they may have translations in their TLB.
    users: usize,
}

impl Space {
    pub const fn new() -> Self {
        Self { root: 0, users: 0 }
    }

    pub fn start(&mut self, pages: &mut Pages) {
        self.root = pages.take().expect("a page");
        let kernel = KERNEL_START >> 12 << 10 | VALID | READ | WRITE | EXECUTE | ACCESSED | DIRTY;
        *word(self.root + KERNEL_START / GIGAPAGE * 8) = kernel;
        *word(self.root + DEVICES / GIGAPAGE % 512 * 8) = VALID | READ | ACCESSED | DIRTY;
    }

    /// Returns the value for `satp`.
    pub fn satp(&self) -> usize {
        SV39 | self.root >> 12
    }

    /// Returns the last-level entry of a user address, which may be zero. Missing tables are made if `pages` are given.
    fn entry(&self, address: usize, mut pages: Option<&mut Pages>) -> Result<&'static mut usize, Errno> {
        if !is_user(address, 1) {
            return Err(EFAULT);
        }
        let mut table = self.root;
        for shift in [30, 21] {
            let entry = word(table + (address >> shift & 511) * 8);
            if *entry == 0 {
                let pages = pages.as_deref_mut().ok_or(EFAULT)?;
                *entry = pages.take()? >> 12 << 10 | VALID;
            }
            table = page_of(*entry);
        }
        Ok(word(table + (address >> 12 & 511) * 8))
    }

    /// Maps a page that always belongs to the kernel, as those of the vDSO.
    pub fn map(&mut self, pages: &mut Pages, address: usize, physical: usize, access: usize) -> Result<(), Errno> {
        *self.entry(address, Some(pages))? = physical >> 12 << 10 | VALID | USER | ACCESSED | DIRTY | access;
        Ok(())
    }

    /// Gives pages the access. Pages that are there keep their content; a missing page is made of zeros, for any access.
    pub fn protect(&mut self, pages: &mut Pages, address: usize, size: usize, access: usize) -> Result<(), Errno> {
        for address in (address..address + size).step_by(PAGE) {
            let entry = match self.entry(address, (access != 0).then_some(&mut *pages)) {
                Err(EFAULT) => continue,
                entry => entry?,
            };
            if *entry & VALID != 0 && *entry & OWNED == 0 {
                return Err(EACCES);
            }
            let page = match *entry {
                0 if access == 0 => continue,
                0 => pages.take()?,
                entry => page_of(entry),
            };
            let valid = if access == 0 { 0 } else { VALID };
            *entry = page >> 12 << 10 | OWNED | USER | ACCESSED | DIRTY | access | valid;
        }
        self.flush();
        Ok(())
    }

    pub fn unmap(&mut self, pages: &mut Pages, address: usize, size: usize) {
        // The pages are used again only after no hart has the old translations.
        let mut freed = 0;
        for address in (address..address + size).step_by(PAGE) {
            if let Ok(entry) = self.entry(address, None) {
                if *entry & OWNED != 0 {
                    let page = page_of(*entry);
                    *word(page) = freed;
                    freed = page;
                }
                *entry = 0;
            }
        }
        self.flush();
        while freed != 0 {
            let next = *word(freed);
            pages.give_back(freed);
            freed = next;
        }
    }

    /// Enters a hart that is about to run a thread here, and starts without translations.
    pub fn enter(&mut self, hart: usize) {
        self.users |= 1 << hart;
        crate::cpu::flush_translations_here();
    }

    pub fn leave(&mut self, hart: usize) {
        self.users &= !(1 << hart);
    }

    /// Makes every hart forget old translations before it returns.
    fn flush(&self) {
        crate::cpu::flush_translations_here();
        if self.users.count_ones() > 1 {
            crate::sbi::flush_translations(self.users);
        }
    }

    /// Tells whether the address is mapped, so that a fault is one of access.
    pub fn is_mapped(&self, address: usize) -> bool {
        self.entry(address, None).is_ok_and(|entry| *entry & VALID != 0)
    }

    /// Returns the place of a user address, if user mode has the access.
    fn translate(&self, address: usize, access: usize) -> Result<usize, Errno> {
        let entry = *self.entry(address, None)?;
        let needed = VALID | USER | access;
        if entry & needed == needed {
            Ok(page_of(entry) + address % PAGE)
        } else {
            Err(EFAULT)
        }
    }

    /// Calls `visit` with each part of user memory that lies in one page, and its place in the whole.
    fn parts(&self, start: usize, size: usize, access: usize, mut visit: impl FnMut(&mut [u8], usize)) -> Result<(), Errno> {
        let mut done = 0;
        while done < size {
            let address = start.checked_add(done).ok_or(EFAULT)?;
            let part = (PAGE - address % PAGE).min(size - done);
            visit(bytes(self.translate(address, access)?, part), done);
            done += part;
        }
        Ok(())
    }

    pub fn read(&self, address: usize, to: &mut [u8]) -> Result<(), Errno> {
        self.parts(address, to.len(), READ, |part, at| to[at..at + part.len()].copy_from_slice(part))
    }

    pub fn write(&self, address: usize, from: &[u8]) -> Result<(), Errno> {
        self.parts(address, from.len(), WRITE, |part, at| part.copy_from_slice(&from[at..at + part.len()]))
    }

    /// Fills the program's own pages before it runs, whatever their access.
    pub fn load(&self, address: usize, from: &[u8]) -> Result<(), Errno> {
        self.parts(address, from.len(), 0, |part, at| part.copy_from_slice(&from[at..at + part.len()]))
    }

    pub fn read_words<const N: usize>(&self, address: usize) -> Result<[usize; N], Errno> {
        let mut words = [[0; 8]; N];
        self.read(address, words.as_flattened_mut())?;
        Ok(words.map(usize::from_le_bytes))
    }

    pub fn write_words<const N: usize>(&self, address: usize, words: [usize; N]) -> Result<(), Errno> {
        self.write(address, words.map(usize::to_le_bytes).as_flattened())
    }

    /// Returns the word of a futex, which threads change meanwhile by atomic instructions.
    pub fn read_futex(&self, address: usize) -> Result<u32, Errno> {
        if address % 4 != 0 {
            return Err(EINVAL);
        }
        let place = self.translate(address, READ)? as *mut u32;
        // SAFETY: aligned, and in a page that the kernel's lock keeps mapped.
        Ok(unsafe { AtomicU32::from_ptr(place) }.load(Ordering::Relaxed))
    }
}

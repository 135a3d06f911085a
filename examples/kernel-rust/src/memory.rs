// SPDX-License-Identifier: MIT
//! Physical pages, and the one address space: the program's.
//!
//! The kernel sees each page of memory at one address, which is a pointer; most machines' kernels see it at its physical one.
//! `leaf`, `table` and `page_of` of the machine know where that is. The kernel never follows an address of the program: it walks
//! the page table as the processor would for user mode, and takes the address where it sees the page itself.

use crate::kernel::MAX_CPUS;
use crate::machine::{self, page_of, KERNEL, OWNED, PAGE, READ, SHIFTS, VALID};
use crate::syscall::{Errno, EACCES, EFAULT, EINVAL, ENOMEM};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

pub const USER_END: usize = 1 << 38;
const ENTRIES: usize = PAGE / 8;

pub fn is_user(address: usize, size: usize) -> bool {
    let end = address.saturating_add(size);
    end <= KERNEL.0 || (KERNEL.1 <= address && end <= USER_END)
}

/// Where a CPU is, for those that change the page table.
struct Presence {
    /// As the machine names it.
    id: AtomicUsize,
    in_user: AtomicBool,
    /// The last of CHANGES that its translations are from.
    seen: AtomicU64,
}

static CPUS: [Presence; MAX_CPUS] =
    [const { Presence { id: AtomicUsize::new(0), in_user: AtomicBool::new(false), seen: AtomicU64::new(0) } }; MAX_CPUS];

/// Counts the changes of the page table.
static CHANGES: AtomicU64 = AtomicU64::new(0);

pub fn name_cpus(ids: &[usize]) {
    for (presence, id) in CPUS.iter().zip(ids) {
        presence.id.store(*id, Ordering::Relaxed);
    }
}

/// Forgets old translations on the way to user mode. A CPU first says that it is there, and then looks for a change; who
/// changes something does it the other way round, so at least one of the two sees the other.
pub fn enter_user(cpu: usize) {
    let presence = &CPUS[cpu];
    presence.in_user.store(true, Ordering::SeqCst);
    let changes = CHANGES.load(Ordering::SeqCst);
    if presence.seen.load(Ordering::Relaxed) != changes {
        machine::flush_translations_here();
        presence.seen.store(changes, Ordering::SeqCst);
    }
}

pub fn leave_user(cpu: usize) {
    CPUS[cpu].in_user.store(false, Ordering::SeqCst);
}

/// Makes every CPU forget old translations, and what it fetched as code, before it runs the program again, and returns when
/// none is in user mode with old ones.
fn flush() {
    let changes = CHANGES.fetch_add(1, Ordering::SeqCst) + 1;
    for presence in &CPUS {
        let is_behind = || presence.in_user.load(Ordering::SeqCst) && presence.seen.load(Ordering::SeqCst) < changes;
        if is_behind() {
            machine::interrupt(presence.id.load(Ordering::Relaxed));
        }
        while is_behind() {
            spin_loop();
        }
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

/// Memory, where the kernel sees it.
fn bytes(place: usize, size: usize) -> &'static mut [u8] {
    // SAFETY: only pages from `Pages` and of the vDSO come here, and the lock of the kernel keeps other CPUs from them.
    // User mode may write to them meanwhile, so the kernel never reads a byte twice and expects it unchanged.
    unsafe { core::slice::from_raw_parts_mut(place as *mut u8, size) }
}

/// A word of a page table or of a free page.
fn word(place: usize) -> &'static mut usize {
    // SAFETY: as above; aligned, as pages and their entries are.
    unsafe { &mut *(place as *mut usize) }
}

/// The address space. All sizes are in whole pages.
pub struct Space {
    root: usize,
}

impl Space {
    pub const fn new() -> Self {
        Self { root: 0 }
    }

    pub fn start(&mut self, pages: &mut Pages) {
        self.root = pages.take().expect("a page");
        machine::map_kernel(|index, entry| *word(self.root + index * 8) = entry);
    }

    /// Returns the address of the first table.
    pub fn root(&self) -> usize {
        self.root
    }

    /// Returns the last-level entry of a user address, which may be zero. Missing tables are made if `pages` are given.
    fn entry(&self, address: usize, mut pages: Option<&mut Pages>) -> Result<&'static mut usize, Errno> {
        if !is_user(address, 1) {
            return Err(EFAULT);
        }
        let mut table = self.root;
        for shift in SHIFTS {
            let entry = word(table + (address >> shift) % ENTRIES * 8);
            if *entry == 0 {
                let pages = pages.as_deref_mut().ok_or(EFAULT)?;
                *entry = machine::table(pages.take()?);
            }
            table = page_of(*entry);
        }
        Ok(word(table + address / PAGE % ENTRIES * 8))
    }

    /// Maps a page that always belongs to the kernel, as those of the vDSO.
    pub fn map(&mut self, pages: &mut Pages, address: usize, page: usize, access: usize) -> Result<(), Errno> {
        *self.entry(address, Some(pages))? = machine::leaf(page, access) | VALID;
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
            *entry = machine::leaf(page, access) | OWNED | valid;
        }
        flush();
        Ok(())
    }

    pub fn unmap(&mut self, pages: &mut Pages, address: usize, size: usize) {
        // The pages are used again only after no CPU has the old translations.
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
        flush();
        while freed != 0 {
            let next = *word(freed);
            pages.give_back(freed);
            freed = next;
        }
    }

    /// Tells whether the address is mapped, so that a fault is one of access.
    pub fn is_mapped(&self, address: usize) -> bool {
        self.entry(address, None).is_ok_and(|entry| *entry & VALID != 0)
    }

    /// Returns the place of a user address, if user mode has the access.
    fn translate(&self, address: usize, access: usize) -> Result<usize, Errno> {
        let entry = *self.entry(address, None)?;
        let needed = VALID | access;
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
        self.parts(address, from.len(), machine::WRITE, |part, at| part.copy_from_slice(&from[at..at + part.len()]))
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

// SPDX-License-Identifier: MIT
//! Reads what QEMU tells by fw_cfg (its manual: QEMU Firmware Configuration Device) on a machine without firmware.

use crate::kernel::{Machine, MAX_CPUS};
use crate::memory::page_up;

const CPUS: u16 = 0x05;
const FILES: u16 = 0x19;

/// How the machine reaches the device.
pub trait Device {
    fn select(&self, key: u16);

    /// Returns the next byte of the item that was selected last.
    fn byte(&self) -> u8;

    fn next<const N: usize>(&self) -> [u8; N] {
        core::array::from_fn(|_| self.byte())
    }

    /// Puts a file that QEMU was given by -fw_cfg at the address, and returns its size; None: there is no such file.
    fn load(&self, name: &str, address: usize, end: usize) -> Option<usize> {
        self.select(FILES);
        for _ in 0..u32::from_be_bytes(self.next()) {
            let size = u32::from_be_bytes(self.next()) as usize;
            let [key, _] = [u16::from_be_bytes(self.next()), u16::from_be_bytes(self.next())];
            let found: [u8; 56] = self.next();
            let length = found.iter().position(|byte| *byte == 0).unwrap_or(found.len());
            if &found[..length] != name.as_bytes() {
                continue;
            }
            assert!(address + size < end, "a file that is too large");
            self.select(key);
            for at in address..address + size {
                // SAFETY: memory behind the kernel, which nobody else uses yet.
                unsafe { (at as *mut u8).write(self.byte()) }
            }
            return Some(size);
        }
        None
    }
}

/// Returns what QEMU tells of the machine: the number of CPUs, whose names are 0 and up, the command line (opt/words), and the
/// program (opt/program).
///
/// # Safety
/// Nobody uses the memory between the kernel and `memory_end`.
pub unsafe fn machine(device: &impl Device, memory_end: usize) -> Machine {
    let start = &raw const crate::kernel_end as usize;
    let mut machine = Machine::new();
    device.select(CPUS);
    machine.cpu_count = usize::from(u16::from_le_bytes(device.next())).min(MAX_CPUS);
    machine.cpus = core::array::from_fn(|index| index);
    machine.memory_end = memory_end;
    let mut free = start;
    if let Some(size) = device.load("opt/words", free, memory_end) {
        let words = core::slice::from_raw_parts(free as *const u8, size);
        machine.words = core::str::from_utf8(words).expect("text in opt/words").trim_end_matches('\0');
        free = page_up(free + size);
    }
    if let Some(size) = device.load("opt/program", free, memory_end) {
        machine.program = (free, free + size);
        free += size;
    }
    machine.reserved = [(start, free), (0, 0)];
    machine
}

// SPDX-License-Identifier: MIT
//! The rest of a PC: console, power, the time of day, memory, the program.

use super::fw_cfg::{self, Device};
use super::paging::{physical, BASE, GIB};
use super::{ports, tsc};
use crate::kernel::Machine;

const UART: u16 = 0x3f8;
const CMOS: u16 = 0x70;
/// The masks of the interrupts of devices.
const PIC: [u16; 2] = [0x21, 0xa1];
/// PM1a control of the PIIX4, where SeaBIOS puts it.
const POWER: u16 = 0x604;
const SLEEP_ENABLE: u16 = 1 << 13;

/// fw_cfg: an item is selected by one port, and its bytes come by the next.
struct FwCfg(u16);

impl Device for FwCfg {
    fn select(&self, key: u16) {
        ports::write16(self.0, key);
    }

    fn byte(&self) -> u8 {
        ports::read(self.0 + 1)
    }
}

const FW_CFG: FwCfg = FwCfg(0x510);

/// What PVH tells (Xen, include/public/arch-x86/hvm/start_info.h), and an entry of its map of memory.
#[repr(C)]
struct Start {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    words: u64,
    acpi: u64,
    map: u64,
    map_entries: u32,
    reserved: u32,
}
const MAGIC: u32 = 0x336e_c578;

#[repr(C)]
struct Range {
    start: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}
const RAM: u32 = 1;

pub fn put(byte: u8) {
    // Bit 5 of the line's status says that the transmitter takes a byte.
    while ports::read(UART + 5) & 0x20 == 0 {}
    ports::write(UART, byte);
}

pub fn shut_down(_failed: bool) -> ! {
    ports::write16(POWER, SLEEP_ENABLE);
    loop {
        core::hint::spin_loop();
    }
}

fn cmos(place: u8) -> u8 {
    ports::write(CMOS, place);
    ports::read(CMOS + 1)
}

/// Returns a number of two decimal digits, four bits each.
fn cmos_number(place: u8) -> u64 {
    let digits = u64::from(cmos(place));
    digits / 16 * 10 + digits % 16
}

/// Returns the nanoseconds since 1970 of the real-time clock, which QEMU sets to UTC, in decimal digits.
fn clock_ns() -> u64 {
    let changes = || cmos(0xa) & 0x80 != 0;
    let numbers = || [0, 2, 4, 7, 8, 9, 0x32].map(cmos_number);
    let [second, minute, hour, day, month, year, century] = loop {
        while changes() {}
        let found = numbers();
        if !changes() && found == numbers() {
            break found;
        }
    };
    // Days are counted from March: February, whose length varies, comes last.
    let years = century * 100 + year - u64::from(month < 3);
    let since = if month < 3 { month + 9 } else { month - 3 };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (since * 153 + 2) / 5 + day - 1 - 719_468;
    (days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000_000
}

/// Returns the end of the memory that the kernel is in, as far as boot.rs has mapped it.
///
/// # Safety
/// What PVH tells lies at that physical address.
unsafe fn memory_end(start: usize) -> usize {
    let start = &*((BASE + start) as *const Start);
    assert!(start.magic == MAGIC && start.version >= 1, "PVH tells of no memory");
    let map = core::slice::from_raw_parts((BASE + start.map as usize) as *const Range, start.map_entries as usize);
    let kernel = physical(&raw const crate::kernel_end as usize) as u64;
    let has_kernel = |range: &&Range| range.kind == RAM && (range.start..range.start + range.size).contains(&kernel);
    let range = map.iter().find(has_kernel).expect("the kernel is in memory");
    BASE + (range.start + range.size).min(GIB as u64) as usize
}

/// Reads the machine. How much memory there is says PVH, and all else fw_cfg. QEMU gives CPUs their numbers without a gap.
///
/// # Safety
/// The argument is what PVH has given, and nobody uses the memory behind the kernel.
pub unsafe fn read(argument: usize) -> Machine {
    for mask in PIC {
        ports::write(mask, 0xff);
    }
    let (counter_hz, is_clock) = tsc::measure();
    let mut machine = fw_cfg::machine(&FW_CFG, memory_end(argument));
    machine.counter_hz = counter_hz;
    machine.counter_unreliable = !is_clock;
    machine.wall_ns = Some(clock_ns());
    machine
}

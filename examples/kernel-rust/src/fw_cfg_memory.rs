// SPDX-License-Identifier: MIT
//! fw_cfg where it has registers in memory.

use super::fw_cfg::Device;

/// The address of the registers.
pub struct Registers(pub usize);

impl Device for Registers {
    fn select(&self, key: u16) {
        // SAFETY: the selector, which is big-endian.
        unsafe { ((self.0 + 8) as *mut u16).write_volatile(key.to_be()) }
    }

    fn byte(&self) -> u8 {
        // SAFETY: the data register.
        unsafe { (self.0 as *const u8).read_volatile() }
    }
}

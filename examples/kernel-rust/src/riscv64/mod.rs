// SPDX-License-Identifier: MIT
//! The machine: RISC-V of 64 bits, with SBI firmware.

mod boot;
pub mod cpu;
pub mod sbi;

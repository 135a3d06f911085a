// SPDX-License-Identifier: MIT
//! The machine: RISC-V of 64 bits, with SBI firmware.

mod boot;
mod context;
mod fdt;
mod hart;
mod paging;
mod sbi;

pub use context::*;
pub use fdt::read;
pub use hart::*;
pub use paging::*;
pub use sbi::*;

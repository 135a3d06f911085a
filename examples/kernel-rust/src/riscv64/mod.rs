// SPDX-License-Identifier: MIT
//! The machine: RISC-V of 64 bits, with SBI firmware.

mod boot;
#[path = "../generic_calls.rs"]
pub mod calls;
mod context;
mod fdt;
#[path = "../generic_frame.rs"]
mod frame;
mod hart;
mod paging;
mod sbi;

pub use context::*;
pub use fdt::read;
pub use frame::*;
pub use hart::*;
pub use paging::*;
pub use sbi::*;

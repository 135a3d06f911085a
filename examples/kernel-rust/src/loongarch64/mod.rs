// SPDX-License-Identifier: MIT
//! The machine: LoongArch of 64 bits, QEMU's `virt`, without firmware.

mod board;
mod boot;
#[path = "../generic_calls.rs"]
pub mod calls;
mod context;
mod cpu;
#[path = "../generic_frame.rs"]
mod frame;
#[path = "../fw_cfg.rs"]
mod fw_cfg;
#[path = "../fw_cfg_memory.rs"]
mod fw_cfg_memory;
mod paging;

pub use board::*;
pub use context::*;
pub use cpu::*;
pub use frame::*;
pub use paging::*;

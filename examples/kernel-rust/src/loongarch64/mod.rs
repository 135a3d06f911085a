// SPDX-License-Identifier: MIT
//! The machine: LoongArch of 64 bits, QEMU's `virt`, without firmware.

mod board;
mod boot;
mod context;
mod cpu;
#[path = "../fw_cfg.rs"]
mod fw_cfg;
mod paging;

pub use board::*;
pub use context::*;
pub use cpu::*;
pub use paging::*;

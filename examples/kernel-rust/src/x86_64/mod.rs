// SPDX-License-Identifier: MIT
//! The machine: x86-64, a PC as QEMU's `pc` is one, whose firmware starts the kernel by PVH.

mod apic;
mod board;
mod boot;
pub mod calls;
mod context;
mod cpu;
#[path = "../fw_cfg.rs"]
mod fw_cfg;
mod paging;
mod ports;
mod tables;
mod tsc;

pub use apic::{interrupt, set_timer, start_cpu};
pub use board::{put, read, shut_down};
pub use context::*;
pub use cpu::*;
pub use paging::*;

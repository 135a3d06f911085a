// SPDX-License-Identifier: MIT
//! What stops a program.

/// A trap from user mode.
#[derive(Clone, Copy)]
#[allow(dead_code)] // not every machine has all of them
pub enum Trap {
    /// Another CPU wants this one to look at what has changed.
    Called,
    Timer,
    SystemCall,
    /// An access that the page table does not allow; its address.
    Fault(usize),
    Misaligned(usize),
    Breakpoint,
    Illegal,
    /// A read of the counter that is forbidden, where the CPU itself tells that from other illegal instructions.
    CounterRead,
    /// Something that is the kernel's alone, where the CPU tells no more of it.
    Forbidden,
    /// A calculation without a result.
    Arithmetic,
}

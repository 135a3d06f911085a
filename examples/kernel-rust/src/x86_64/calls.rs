// SPDX-License-Identifier: MIT
//! Numbers of system calls (arch/x86/entry/syscalls/syscall_64.tbl of Linux), the calls that no younger architecture has, and
//! struct stat (arch/x86/include/uapi/asm/stat.h).

use super::TP;
use crate::cpu::Cpu;
use crate::kernel::Kernel;
use crate::memory::USER_END;
use crate::syscall::{Errno, EINVAL, ENOSYS};
use crate::vdso_kernel;

pub const WRITE: usize = 1;
pub const FSTAT: usize = 5;
pub const MMAP: usize = 9;
pub const MPROTECT: usize = 10;
pub const MUNMAP: usize = 11;
pub const BRK: usize = 12;
pub const RT_SIGACTION: usize = 13;
pub const RT_SIGPROCMASK: usize = 14;
pub const RT_SIGRETURN: usize = 15;
pub const WRITEV: usize = 20;
pub const SCHED_YIELD: usize = 24;
pub const NANOSLEEP: usize = 35;
pub const GETPID: usize = 39;
pub const CLONE: usize = 56;
pub const EXIT: usize = 60;
pub const KILL: usize = 62;
pub const GETTIMEOFDAY: usize = 96;
const ARCH_PRCTL: usize = 158;
pub const GETTID: usize = 186;
pub const TKILL: usize = 200;
const TIME: usize = 201;
pub const FUTEX: usize = 202;
pub const SCHED_GETAFFINITY: usize = 204;
pub const SET_TID_ADDRESS: usize = 218;
pub const CLOCK_GETTIME: usize = 228;
pub const CLOCK_GETRES: usize = 229;
pub const CLOCK_NANOSLEEP: usize = 230;
pub const EXIT_GROUP: usize = 231;
pub const TGKILL: usize = 234;
pub const NEWFSTATAT: usize = 262;
pub const READLINKAT: usize = 267;
pub const SET_ROBUST_LIST: usize = 273;
pub const PRLIMIT64: usize = 302;
pub const GETCPU: usize = 309;
pub const GETRANDOM: usize = 318;

const ARCH_SET_FS: usize = 0x1002;
const ARCH_GET_FS: usize = 0x1003;
const EPERM: Errno = Errno(1);

const CLOCK_REALTIME_COARSE: i32 = 5;

/// Serves the calls of this architecture alone.
pub fn other(kernel: &Kernel, cpu: &mut Cpu, number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [first, second, ..] = arguments;
    match number {
        TIME => time(kernel, first),
        ARCH_PRCTL => fs_base(kernel, cpu, first, second),
        _ => Err(ENOSYS),
    }
}

/// Tells the second of REALTIME_COARSE, as the vDSO does.
fn time(kernel: &Kernel, to: usize) -> Result<usize, Errno> {
    let (sec, _) = vdso_kernel::clock_gettime(CLOCK_REALTIME_COARSE).ok_or(EINVAL)?;
    if to != 0 {
        kernel.space.write_words(to, [sec as usize])?;
    }
    Ok(sec as usize)
}

/// Sets or gets the base of fs, where a C library has what belongs to a thread.
fn fs_base(kernel: &Kernel, cpu: &mut Cpu, operation: usize, address: usize) -> Result<usize, Errno> {
    let base = &mut cpu.frame.registers[TP];
    match operation {
        ARCH_SET_FS if address < USER_END => *base = address,
        ARCH_SET_FS => return Err(EPERM),
        ARCH_GET_FS => kernel.space.write_words(address, [*base])?,
        _ => return Err(EINVAL),
    }
    Ok(0)
}

/// Returns struct stat of a file with one name, in words.
pub fn stat(mode: usize, block_size: usize) -> [usize; 18] {
    let mut words = [0; 18];
    words[2] = 1; // st_nlink
    words[3] = mode;
    words[7] = block_size;
    words
}

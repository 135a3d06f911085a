// SPDX-License-Identifier: MIT
//! Numbers of system calls that Linux gives all younger architectures (include/uapi/asm-generic/unistd.h), and its struct stat
//! for them (include/uapi/asm-generic/stat.h).

use crate::cpu::Cpu;
use crate::kernel::Kernel;
use crate::syscall::{Errno, ENOSYS};

pub const WRITE: usize = 64;
pub const WRITEV: usize = 66;
pub const READLINKAT: usize = 78;
pub const NEWFSTATAT: usize = 79;
pub const FSTAT: usize = 80;
pub const EXIT: usize = 93;
pub const EXIT_GROUP: usize = 94;
pub const SET_TID_ADDRESS: usize = 96;
pub const FUTEX: usize = 98;
pub const SET_ROBUST_LIST: usize = 99;
pub const NANOSLEEP: usize = 101;
pub const CLOCK_GETTIME: usize = 113;
pub const CLOCK_GETRES: usize = 114;
pub const CLOCK_NANOSLEEP: usize = 115;
pub const SCHED_GETAFFINITY: usize = 123;
pub const SCHED_YIELD: usize = 124;
pub const KILL: usize = 129;
pub const TKILL: usize = 130;
pub const TGKILL: usize = 131;
pub const RT_SIGACTION: usize = 134;
pub const RT_SIGPROCMASK: usize = 135;
pub const RT_SIGRETURN: usize = 139;
pub const GETCPU: usize = 168;
pub const GETTIMEOFDAY: usize = 169;
pub const GETPID: usize = 172;
pub const GETTID: usize = 178;
pub const BRK: usize = 214;
pub const MUNMAP: usize = 215;
pub const CLONE: usize = 220;
pub const MMAP: usize = 222;
pub const MPROTECT: usize = 226;
pub const PRLIMIT64: usize = 261;
pub const GETRANDOM: usize = 278;

/// There are no others than those above.
pub fn other(_kernel: &Kernel, _cpu: &mut Cpu, _number: usize, _arguments: [usize; 6]) -> Result<usize, Errno> {
    Err(ENOSYS)
}

/// Returns struct stat of a file with one name, in words.
pub fn stat(mode: usize, block_size: usize) -> [usize; 16] {
    let mut words = [0; 16];
    words[2] = mode | 1 << 32; // st_mode, st_nlink
    words[7] = block_size;
    words
}

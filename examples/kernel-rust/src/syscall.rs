// SPDX-License-Identifier: MIT
//! The system calls of Linux that static programs of glibc and musl with threads make.

use crate::console::Console;
use crate::cpu::Cpu;
use crate::kernel::{Kernel, State, PROCESS};
use crate::machine::{
    calls, counter, save_fp, A0, CLONE_CHILD, CLONE_TLS, EXECUTE, NO_FP, NUMBER, PAGE, PROGRAM_END, READ, RESULT, SP, TP,
    WRITE,
};
use crate::memory::{is_user, page_up};
use crate::program::{MMAP_START, STACK_SIZE};
use crate::{signal, vdso_kernel};

/// An error number of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub usize);

pub const ENOENT: Errno = Errno(2);
pub const ESRCH: Errno = Errno(3);
pub const EINTR: Errno = Errno(4);
pub const EBADF: Errno = Errno(9);
pub const EAGAIN: Errno = Errno(11);
pub const ENOMEM: Errno = Errno(12);
pub const EACCES: Errno = Errno(13);
pub const EFAULT: Errno = Errno(14);
pub const ENODEV: Errno = Errno(19);
pub const EINVAL: Errno = Errno(22);
pub const ENOSYS: Errno = Errno(38);
pub const ETIMEDOUT: Errno = Errno(110);

impl Errno {
    /// Returns the number as a system call does, negated.
    pub fn result(self) -> usize {
        self.0.wrapping_neg()
    }
}

const NSEC_PER_SEC: usize = 1_000_000_000;
const CLOCK_REALTIME: usize = 0;
const CLOCK_MONOTONIC: usize = 1;
const TIMER_ABSTIME: usize = 1;

const PROT: [(usize, usize); 3] = [(1, READ), (2, READ | WRITE), (4, READ | EXECUTE)];
const MAP_FIXED: usize = 0x10;
const MAP_ANONYMOUS: usize = 0x20;

/// VM, FS, FILES, SIGHAND, THREAD: with these flags clone makes a thread of this process.
const CLONE_THREAD: usize = 0x1_0f00;
const CLONE_SETTLS: usize = 0x8_0000;
const CLONE_PARENT_SETTID: usize = 0x10_0000;
const CLONE_CHILD_CLEARTID: usize = 0x20_0000;
const CLONE_CHILD_SETTID: usize = 0x100_0000;

const FUTEX_WAIT: usize = 0;
const FUTEX_WAKE: usize = 1;
const FUTEX_REQUEUE: usize = 3;
const FUTEX_CMP_REQUEUE: usize = 4;
const FUTEX_WAIT_BITSET: usize = 9;
const FUTEX_WAKE_BITSET: usize = 10;
const FUTEX_COMMAND: usize = 0x7f;
const FUTEX_CLOCK_REALTIME: usize = 0x100;
const RLIMIT_STACK: usize = 3;
const S_IFCHR: usize = 0o20_000;
const IOV_MAX: usize = 1024;

/// A time that is too far for any program, but not for the timer.
const FOREVER: u64 = u64::MAX >> 1;

/// Serves the system call of the thread on this CPU.
pub fn handle(kernel: &mut Kernel, cpu: &mut Cpu) {
    let number = cpu.frame.registers[NUMBER];
    if let Some(count) = kernel.syscalls.get_mut(number) {
        *count += 1;
    }
    let arguments: [usize; 6] = core::array::from_fn(|index| cpu.frame.registers[A0 + index]);
    let [a, b, c, d, ..] = arguments;
    let thread = cpu.thread();
    let result = match number {
        calls::WRITE => write(kernel, a, b, c),
        calls::WRITEV => writev(kernel, a, b, c),
        calls::READLINKAT => Err(ENOENT),
        calls::NEWFSTATAT => stat(kernel, a, b, c),
        calls::FSTAT => write_stat(kernel, a, b),
        calls::EXIT => exit_thread(kernel, cpu, a),
        calls::EXIT_GROUP => exit(kernel, a),
        calls::SET_TID_ADDRESS => set_clear_tid(kernel, thread, a),
        calls::FUTEX => futex(kernel, cpu, arguments),
        calls::SET_ROBUST_LIST => Ok(0),
        calls::NANOSLEEP => sleep(kernel, cpu, CLOCK_MONOTONIC, false, a, b),
        calls::CLOCK_GETTIME => write_time(kernel, vdso_kernel::clock_gettime(a as i32), b),
        calls::CLOCK_GETRES => getres(kernel, a, b),
        calls::CLOCK_NANOSLEEP => sleep(kernel, cpu, a, b & TIMER_ABSTIME != 0, c, d),
        calls::SCHED_GETAFFINITY => affinity(kernel, b, c),
        calls::SCHED_YIELD => give_way(kernel, cpu),
        calls::KILL => signal::send_to_process(kernel, b),
        calls::TKILL => signal::send_to_thread(kernel, a, b),
        calls::TGKILL => signal::send_to_thread(kernel, b, c),
        calls::RT_SIGACTION => signal::set_action(kernel, a, b, c),
        calls::RT_SIGPROCMASK => signal::set_mask(kernel, thread, a, b, c),
        calls::RT_SIGRETURN => return signal::sigreturn(kernel, cpu),
        calls::GETCPU => getcpu(kernel, cpu.index, a, b),
        calls::GETTIMEOFDAY => gettimeofday(kernel, a, b),
        calls::GETPID => Ok(PROCESS),
        calls::GETTID => Ok(thread + 1),
        calls::BRK => Ok(set_break(kernel, a)),
        calls::MUNMAP => munmap(kernel, a, b),
        calls::CLONE => clone(kernel, cpu, arguments),
        calls::MMAP => mmap(kernel, a, b, c, d),
        calls::MPROTECT => mprotect(kernel, a, b, c),
        calls::PRLIMIT64 => limits(kernel, b, c, d),
        calls::GETRANDOM => random(kernel, a, b),
        _ => calls::other(kernel, cpu, number, arguments),
    };
    // A thread that has left the CPU gets its result when it is woken.
    if cpu.current == Some(thread) {
        cpu.frame.registers[RESULT] = result.unwrap_or_else(Errno::result);
    }
}

// Files: 0 to 2 are the console

fn write(kernel: &Kernel, file: usize, address: usize, size: usize) -> Result<usize, Errno> {
    if file > 2 {
        return Err(EBADF);
    }
    let mut buffer = [0; 128];
    for start in (0..size).step_by(buffer.len()) {
        let part = &mut buffer[..(size - start).min(128)];
        kernel.space.read(address.wrapping_add(start), part)?;
        Console::write(part);
    }
    Ok(size)
}

fn writev(kernel: &Kernel, file: usize, vector: usize, count: usize) -> Result<usize, Errno> {
    (0..count.min(IOV_MAX)).try_fold(0, |done, index| {
        let [address, size] = kernel.space.read_words(vector.wrapping_add(16 * index))?;
        Ok(done + write(kernel, file, address, size)?)
    })
}

/// Only fstat, as glibc calls it: with an empty path.
fn stat(kernel: &Kernel, file: usize, path: usize, to: usize) -> Result<usize, Errno> {
    let mut first = [0];
    kernel.space.read(path, &mut first)?;
    if first == [0] {
        write_stat(kernel, file, to)
    } else {
        Err(ENOENT)
    }
}

fn write_stat(kernel: &Kernel, file: usize, to: usize) -> Result<usize, Errno> {
    if file > 2 {
        return Err(EBADF);
    }
    kernel.space.write_words(to, calls::stat(S_IFCHR | 0o620, PAGE)).map(|()| 0)
}

// Threads

fn exit(kernel: &mut Kernel, status: usize) -> Result<usize, Errno> {
    kernel.exit.get_or_insert(status & 0xff);
    Ok(0)
}

fn exit_thread(kernel: &mut Kernel, cpu: &mut Cpu, status: usize) -> Result<usize, Errno> {
    let index = cpu.leave(kernel);
    let clear_tid = kernel.threads[index].clear_tid;
    if clear_tid != 0 && kernel.space.write(clear_tid, &[0; 4]).is_ok() {
        kernel.wake_futex(clear_tid, 1, u32::MAX, 0, 0);
    }
    kernel.threads[index].state = State::Free;
    if kernel.threads.iter().all(|thread| thread.state == State::Free) {
        return exit(kernel, status);
    }
    Ok(0)
}

fn set_clear_tid(kernel: &mut Kernel, thread: usize, address: usize) -> Result<usize, Errno> {
    kernel.threads[thread].clear_tid = address;
    Ok(thread + 1)
}

fn give_way(kernel: &mut Kernel, cpu: &mut Cpu) -> Result<usize, Errno> {
    cpu.frame.registers[A0] = 0;
    cpu.give_way(kernel);
    Ok(0)
}

fn clone(kernel: &mut Kernel, cpu: &mut Cpu, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [flags, stack, parent_tid, ..] = arguments;
    let (tls, child_tid) = (arguments[CLONE_TLS], arguments[CLONE_CHILD]);
    if flags & CLONE_THREAD != CLONE_THREAD {
        return Err(ENOSYS);
    }
    let mut registers = cpu.frame.registers;
    registers[RESULT] = 0;
    registers[SP] = stack;
    if flags & CLONE_SETTLS != 0 {
        registers[TP] = tls;
    }
    let mut fp = NO_FP;
    // SAFETY: stores the registers there, and changes none.
    unsafe { save_fp(&mut fp) };
    let blocked = kernel.threads[cpu.thread()].signals.blocked;
    let clear_tid = if flags & CLONE_CHILD_CLEARTID != 0 { child_tid } else { 0 };
    let tid = kernel.spawn(registers, fp, blocked, clear_tid)? + 1;
    for (flag, address) in [(CLONE_PARENT_SETTID, parent_tid), (CLONE_CHILD_SETTID, child_tid)] {
        if flags & flag != 0 {
            kernel.space.write(address, &(tid as u32).to_le_bytes())?;
        }
    }
    Ok(tid)
}

fn affinity(kernel: &Kernel, size: usize, to: usize) -> Result<usize, Errno> {
    if size < 8 {
        return Err(EINVAL);
    }
    kernel.space.write_words(to, [(1 << kernel.user_cpus) - 1]).map(|()| 8)
}

fn getcpu(kernel: &Kernel, index: usize, cpu: usize, node: usize) -> Result<usize, Errno> {
    for (address, value) in [(cpu, index as u32), (node, 0)] {
        if address != 0 {
            kernel.space.write(address, &value.to_le_bytes())?;
        }
    }
    Ok(0)
}

fn futex(kernel: &mut Kernel, cpu: &mut Cpu, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [address, operation, value, fourth, second, third_value] = arguments;
    let expect = |kernel: &Kernel, value: usize| match kernel.space.read_futex(address)? {
        found if found == value as u32 => Ok(()),
        _ => Err(EAGAIN),
    };
    match operation & FUTEX_COMMAND {
        command @ (FUTEX_WAIT | FUTEX_WAIT_BITSET) => {
            expect(kernel, value)?;
            let absolute = command == FUTEX_WAIT_BITSET;
            let clock = if operation & FUTEX_CLOCK_REALTIME != 0 { CLOCK_REALTIME } else { CLOCK_MONOTONIC };
            let deadline = if fourth == 0 { None } else { Some(deadline(kernel, clock, absolute, fourth)?) };
            let index = cpu.leave(kernel);
            let mask = if absolute { third_value as u32 } else { u32::MAX };
            kernel.wait(index, State::Waits { address, mask }, deadline);
            Ok(0)
        }
        FUTEX_WAKE => Ok(kernel.wake_futex(address, value, u32::MAX, 0, 0)),
        FUTEX_WAKE_BITSET => Ok(kernel.wake_futex(address, value, third_value as u32, 0, 0)),
        FUTEX_REQUEUE => Ok(kernel.wake_futex(address, value, u32::MAX, fourth, second)),
        FUTEX_CMP_REQUEUE => {
            expect(kernel, third_value)?;
            Ok(kernel.wake_futex(address, value, u32::MAX, fourth, second))
        }
        _ => Err(ENOSYS),
    }
}

// Time

/// Returns the counter at which `clock` reaches, or has moved on by, the time at `address`.
fn deadline(kernel: &Kernel, clock: usize, absolute: bool, address: usize) -> Result<u64, Errno> {
    let [sec, nsec] = kernel.space.read_words(address)?;
    if nsec >= NSEC_PER_SEC || (sec as isize) < 0 {
        return Err(EINVAL);
    }
    let total = |sec: i64, nsec: u32| i128::from(sec) * NSEC_PER_SEC as i128 + i128::from(nsec);
    let (now_sec, now_nsec) = vdso_kernel::clock_gettime(clock as i32).ok_or(EINVAL)?;
    let start = if absolute { total(now_sec, now_nsec) } else { 0 };
    let left = (total(sec as i64, nsec as u32) - start).max(0) as u128;
    let ticks = (left * u128::from(kernel.counter_hz)).div_ceil(NSEC_PER_SEC as u128);
    Ok(counter().saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX)).min(FOREVER))
}

fn sleep(
    kernel: &mut Kernel,
    cpu: &mut Cpu,
    clock: usize,
    absolute: bool,
    time: usize,
    rest: usize,
) -> Result<usize, Errno> {
    let deadline = deadline(kernel, clock, absolute, time)?;
    let index = cpu.leave(kernel);
    kernel.wait(index, State::Sleeps { rest: if absolute { 0 } else { rest } }, Some(deadline));
    Ok(0)
}

fn write_time(kernel: &Kernel, time: Option<(i64, u32)>, to: usize) -> Result<usize, Errno> {
    let (sec, nsec) = time.ok_or(EINVAL)?;
    kernel.space.write_words(to, [sec as usize, nsec as usize]).map(|()| 0)
}

fn getres(kernel: &Kernel, clock: usize, to: usize) -> Result<usize, Errno> {
    let resolution = vdso_kernel::clock_getres(clock as i32);
    if to == 0 {
        return resolution.map(|_| 0).ok_or(EINVAL);
    }
    write_time(kernel, resolution, to)
}

fn gettimeofday(kernel: &Kernel, time: usize, zone: usize) -> Result<usize, Errno> {
    if time != 0 {
        let (sec, nsec) = vdso_kernel::clock_gettime(CLOCK_REALTIME as i32).ok_or(EINVAL)?;
        kernel.space.write_words(time, [sec as usize, nsec as usize / 1000])?;
    }
    if zone != 0 {
        kernel.space.write_words(zone, [0])?;
    }
    Ok(0)
}

// Memory

fn access(protection: usize) -> usize {
    PROT.iter().filter(|(bit, _)| protection & bit != 0).fold(0, |access, (_, more)| access | more)
}

fn set_break(kernel: &mut Kernel, end: usize) -> usize {
    let (old, new) = (page_up(kernel.program_break), page_up(end));
    if end < kernel.break_start || new > PROGRAM_END {
        return kernel.program_break;
    }
    let Kernel { space, pages, .. } = kernel;
    if new < old {
        space.unmap(pages, new, old - new);
    } else if new > old && space.protect(pages, old, new - old, READ | WRITE).is_err() {
        space.unmap(pages, old, new - old);
        return kernel.program_break;
    }
    kernel.program_break = end;
    end
}

fn range(address: usize, size: usize) -> Result<usize, Errno> {
    let size = page_up(size);
    if address % PAGE == 0 && size != 0 && is_user(address, size) {
        Ok(size)
    } else {
        Err(EINVAL)
    }
}

/// Maps anonymous pages, which are taken at once. An address is used again only if it was in the lowest area.
fn mmap(kernel: &mut Kernel, hint: usize, size: usize, protection: usize, flags: usize) -> Result<usize, Errno> {
    if flags & MAP_ANONYMOUS == 0 {
        return Err(ENODEV);
    }
    let Kernel { space, pages, mmap_end, .. } = kernel;
    let start = if flags & MAP_FIXED != 0 { hint } else { mmap_end.checked_sub(page_up(size)).ok_or(ENOMEM)? };
    let size = range(start, size)?;
    if flags & MAP_FIXED != 0 {
        space.unmap(pages, start, size);
    } else if start < MMAP_START {
        return Err(ENOMEM);
    } else {
        *mmap_end = start;
    }
    if let Err(error) = space.protect(pages, start, size, access(protection)) {
        munmap(kernel, start, size)?;
        return Err(error);
    }
    Ok(start)
}

fn munmap(kernel: &mut Kernel, start: usize, size: usize) -> Result<usize, Errno> {
    let size = range(start, size)?;
    kernel.space.unmap(&mut kernel.pages, start, size);
    if start == kernel.mmap_end {
        kernel.mmap_end += size;
    }
    Ok(0)
}

fn mprotect(kernel: &mut Kernel, start: usize, size: usize, protection: usize) -> Result<usize, Errno> {
    let size = range(start, size)?;
    kernel.space.protect(&mut kernel.pages, start, size, access(protection)).map(|()| 0)
}

// The rest

fn limits(kernel: &Kernel, resource: usize, new: usize, old: usize) -> Result<usize, Errno> {
    if new != 0 {
        return Err(EINVAL);
    }
    let limit = if resource == RLIMIT_STACK { STACK_SIZE } else { usize::MAX };
    if old != 0 {
        kernel.space.write_words(old, [limit, limit])?;
    }
    Ok(0)
}

fn random(kernel: &mut Kernel, to: usize, size: usize) -> Result<usize, Errno> {
    for offset in 0..size {
        let byte = kernel.random() as u8;
        kernel.space.write(to.wrapping_add(offset), &[byte])?;
    }
    Ok(size)
}

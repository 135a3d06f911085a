// SPDX-License-Identifier: MIT
//! The state of the one program and its threads, under one lock.

use crate::cpu::{counter, Registers, A0};
use crate::fdt::Machine;
use crate::lock::{Guard, Lock};
use crate::memory::{Pages, Space};
use crate::sbi;
use crate::signal::{self, Action, Signals};
use crate::syscall::{Errno, EAGAIN, EINTR, ETIMEDOUT};

pub const MAX_HARTS: usize = 8;
const MAX_THREADS: usize = 64; // a bit each in a u64
const SYSCALLS: usize = 512;

/// A thread's id is its index + 1, so that of the first is that of the process.
pub const PROCESS: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Free,
    /// On the hart with this index; its registers are there.
    Runs(usize),
    Ready,
    /// In nanosleep, which writes to `rest` how much is left when it is interrupted.
    Sleeps {
        rest: usize,
    },
    /// In futex, for a wake of this address with a bit of the mask.
    Waits {
        address: usize,
        mask: u32,
    },
}

#[derive(Clone, Copy)]
pub struct Thread {
    pub state: State,
    pub registers: Registers,
    pub fp: [u64; 33],
    pub signals: Signals,
    /// The address at which its end writes 0, and wakes.
    pub clear_tid: usize,
    /// The time at which it stops waiting, if it is in `Kernel::timed`.
    deadline: u64,
}

pub struct Kernel {
    pub pages: Pages,
    pub space: Space,
    pub threads: [Thread; MAX_THREADS],
    pub actions: [Action; 65],
    pub syscalls: [u64; SYSCALLS],
    pub program_break: usize,
    pub break_start: usize,
    pub mmap_end: usize,
    pub timebase_hz: u64,
    pub harts: [usize; MAX_HARTS],
    pub hart_count: usize,
    /// Harts that run threads, with the indices 0 to user_harts - 1.
    pub user_harts: usize,
    /// The address that signal handlers return to.
    pub handler_return: usize,
    /// The status of the program that is over.
    pub exit: Option<usize>,
    pub over: bool,
    random: u64,
    /// A bit for each thread that is Ready, for each that has a deadline, for each hart that waits for a thread.
    ready: u64,
    timed: u64,
    idle: u64,
}

static KERNEL: Lock<Kernel> = Lock::new(Kernel {
    pages: Pages::new(),
    space: Space::new(),
    threads: [Thread::new(); MAX_THREADS],
    actions: [Action::new(); 65],
    syscalls: [0; SYSCALLS],
    program_break: 0,
    break_start: 0,
    mmap_end: 0,
    timebase_hz: 0,
    harts: [0; MAX_HARTS],
    hart_count: 0,
    user_harts: 0,
    handler_return: 0,
    exit: None,
    over: false,
    random: 0,
    ready: 0,
    timed: 0,
    idle: 0,
});

impl Thread {
    const fn new() -> Self {
        Self { state: State::Free, registers: [0; 32], fp: [0; 33], signals: Signals::new(), clear_tid: 0, deadline: 0 }
    }
}

impl Kernel {
    pub fn lock() -> Guard<'static, Self> {
        KERNEL.lock()
    }

    /// Makes a new thread, ready to run.
    pub fn spawn(&mut self, registers: Registers, fp: [u64; 33], blocked: u64, clear_tid: usize) -> Result<usize, Errno> {
        let index = self.threads.iter().position(|thread| thread.state == State::Free).ok_or(EAGAIN)?;
        let mut thread = Thread { registers, fp, clear_tid, ..Thread::new() };
        thread.signals.blocked = blocked;
        self.threads[index] = thread;
        self.make_ready(index);
        Ok(index)
    }

    pub fn make_ready(&mut self, index: usize) {
        self.threads[index].state = State::Ready;
        self.ready |= 1 << index;
        self.timed &= !(1 << index);
        if self.idle != 0 {
            let hart = self.idle.trailing_zeros() as usize;
            self.idle &= self.idle - 1;
            sbi::interrupt(self.harts[hart]);
        }
    }

    /// Lets a thread that has left its hart wait, at most until the deadline.
    pub fn wait(&mut self, index: usize, state: State, deadline: Option<u64>) {
        self.threads[index].state = state;
        if let Some(deadline) = deadline {
            self.threads[index].deadline = deadline;
            self.timed |= 1 << index;
        }
        signal::end_wait(self, index);
    }

    /// Takes the next thread after `last` that is ready, in turn.
    pub fn take_ready(&mut self, last: usize) -> Option<usize> {
        let turned = self.ready.rotate_right(last as u32 + 1);
        if turned == 0 {
            return None;
        }
        let index = (turned.trailing_zeros() as usize + last + 1) % MAX_THREADS;
        self.ready &= !(1 << index);
        Some(index)
    }

    pub fn has_ready(&self) -> bool {
        self.ready != 0
    }

    pub fn set_idle(&mut self, hart: usize, idle: bool) {
        self.idle = self.idle & !(1 << hart) | u64::from(idle) << hart;
    }

    fn timed_threads(&self) -> impl Iterator<Item = usize> {
        let timed = self.timed;
        (0..MAX_THREADS).filter(move |index| timed >> index & 1 != 0)
    }

    /// Wakes the threads whose time has come.
    pub fn expire(&mut self) {
        if self.timed == 0 {
            return;
        }
        let now = counter();
        for index in self.timed_threads() {
            if self.threads[index].deadline <= now {
                let slept = matches!(self.threads[index].state, State::Sleeps { .. });
                self.threads[index].registers[A0] = if slept { 0 } else { ETIMEDOUT.result() };
                self.make_ready(index);
            }
        }
    }

    pub fn next_deadline(&self) -> u64 {
        self.timed_threads().map(|index| self.threads[index].deadline).min().unwrap_or(u64::MAX)
    }

    /// Wakes up to `count` threads that wait at `address`, lets up to `moved` more wait at `to`, and returns the sum.
    pub fn wake_futex(&mut self, address: usize, count: usize, mask: u32, moved: usize, to: usize) -> usize {
        let (mut woken, mut requeued) = (0, 0);
        for index in 0..MAX_THREADS {
            match self.threads[index].state {
                State::Waits { address: at, mask: bits } if at == address && bits & mask != 0 => {
                    if woken < count {
                        self.threads[index].registers[A0] = 0;
                        self.make_ready(index);
                        woken += 1;
                    } else if requeued < moved {
                        self.threads[index].state = State::Waits { address: to, mask: bits };
                        requeued += 1;
                    }
                }
                _ => (),
            }
        }
        woken + requeued
    }

    /// Tells a thread of a signal: ends its wait, or calls the hart that it runs on. `restart`: as with SA_RESTART.
    pub fn interrupt(&mut self, index: usize, restart: bool) {
        let untimed = self.timed >> index & 1 == 0;
        let left = self.threads[index].deadline.saturating_sub(counter());
        let registers = &mut self.threads[index].registers;
        match self.threads[index].state {
            State::Waits { address, .. } if restart && untimed => {
                registers[crate::cpu::PC] -= 4;
                registers[A0] = address;
            }
            State::Waits { .. } => registers[A0] = EINTR.result(),
            State::Sleeps { rest } => {
                registers[A0] = EINTR.result();
                let ns = (u128::from(left) * 1_000_000_000).div_ceil(u128::from(self.timebase_hz)) as usize;
                if rest != 0 {
                    // An error for a bad address is dropped: the call was interrupted anyhow.
                    let _ = self.space.write_words(rest, [ns / 1_000_000_000, ns % 1_000_000_000]);
                }
            }
            State::Runs(hart) => return sbi::interrupt(self.harts[hart]),
            State::Ready | State::Free => return,
        }
        self.make_ready(index);
    }

    /// Returns a number that is good enough for a canary, and for nothing that must stay secret (xorshift64).
    pub fn random(&mut self) -> u64 {
        self.random ^= counter() | 1 << 63;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    pub fn take_machine(&mut self, machine: &Machine, kernel_end: usize, writers: usize) {
        self.harts = machine.harts;
        self.hart_count = machine.hart_count;
        self.user_harts = machine.hart_count - writers;
        self.timebase_hz = machine.timebase_hz;
        self.pages.start(kernel_end, machine.memory.1, [machine.program, machine.tree]);
        self.space.start(&mut self.pages);
    }
}

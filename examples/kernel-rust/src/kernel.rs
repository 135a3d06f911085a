// SPDX-License-Identifier: MIT
//! The state of the one program and its threads, under one lock.

use crate::lock::{Guard, Lock};
use crate::machine::{self, counter, FpRegisters, Registers, A0, NO_FP, NO_REGISTERS, RESULT};
use crate::memory::{self, Pages, Space};
use crate::signal::{self, Action, Signals};
use crate::syscall::{Errno, EAGAIN, EINTR, ETIMEDOUT};

pub const MAX_CPUS: usize = 8;
const MAX_THREADS: usize = 64; // a bit each in a u64
const SYSCALLS: usize = 512;

/// A thread's id is its index + 1, so that of the first is that of the process.
pub const PROCESS: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Free,
    /// On the CPU with this index; its registers are there.
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
    pub fp: FpRegisters,
    pub signals: Signals,
    /// The address at which its end writes 0, and wakes.
    pub clear_tid: usize,
    /// The time at which it stops waiting, if it is in `Kernel::timed`.
    deadline: u64,
}

/// The machine, as its folder reads it. A range is start and end.
pub struct Machine {
    pub counter_hz: u64,
    /// It is no clock, so programs ask the kernel.
    pub counter_unreliable: bool,
    /// As the machine names them; the first is the one that boots.
    pub cpus: [usize; MAX_CPUS],
    pub cpu_count: usize,
    pub memory_end: usize,
    pub program: (usize, usize),
    /// What is in use between the end of the kernel and that of memory.
    pub reserved: [(usize, usize); 2],
    /// Nanoseconds since 1970, if there is a clock.
    pub wall_ns: Option<u64>,
    pub words: &'static str,
}

impl Machine {
    pub const fn new() -> Self {
        let cpus = [0; MAX_CPUS];
        let (program, reserved) = ((0, 0), [(0, 0); 2]);
        Self {
            counter_hz: 0,
            counter_unreliable: false,
            cpus,
            cpu_count: 0,
            memory_end: 0,
            program,
            reserved,
            wall_ns: None,
            words: "",
        }
    }
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
    pub counter_hz: u64,
    pub cpus: [usize; MAX_CPUS],
    pub cpu_count: usize,
    /// CPUs that run threads, with the indices 0 to user_cpus - 1.
    pub user_cpus: usize,
    /// The address that signal handlers return to.
    pub handler_return: usize,
    /// The status of the program that is over.
    pub exit: Option<usize>,
    pub over: bool,
    random: u64,
    /// A bit for each thread that is Ready, for each that has a deadline, for each CPU that waits for a thread.
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
    counter_hz: 0,
    cpus: [0; MAX_CPUS],
    cpu_count: 0,
    user_cpus: 0,
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
        Self { state: State::Free, registers: NO_REGISTERS, fp: NO_FP, signals: Signals::new(), clear_tid: 0, deadline: 0 }
    }
}

impl Kernel {
    pub fn lock() -> Guard<'static, Self> {
        KERNEL.lock()
    }

    /// Makes a new thread, ready to run.
    pub fn spawn(&mut self, registers: Registers, fp: FpRegisters, blocked: u64, clear_tid: usize) -> Result<usize, Errno> {
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
            let cpu = self.idle.trailing_zeros() as usize;
            self.idle &= self.idle - 1;
            machine::interrupt(self.cpus[cpu]);
        }
    }

    /// Lets a thread that has left its CPU wait, at most until the deadline.
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

    pub fn set_idle(&mut self, cpu: usize, idle: bool) {
        self.idle = self.idle & !(1 << cpu) | u64::from(idle) << cpu;
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
                self.threads[index].registers[RESULT] = if slept { 0 } else { ETIMEDOUT.result() };
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
                        self.threads[index].registers[RESULT] = 0;
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

    /// Tells a thread of a signal: ends its wait, or calls the CPU that it runs on. `restart`: as with SA_RESTART.
    pub fn interrupt(&mut self, index: usize, restart: bool) {
        let untimed = self.timed >> index & 1 == 0;
        let left = self.threads[index].deadline.saturating_sub(counter());
        let registers = &mut self.threads[index].registers;
        match self.threads[index].state {
            State::Waits { address, .. } if restart && untimed => {
                registers[machine::PC] -= machine::SYSCALL_SIZE;
                registers[A0] = address;
            }
            State::Waits { .. } => registers[RESULT] = EINTR.result(),
            State::Sleeps { rest } => {
                registers[RESULT] = EINTR.result();
                let ns = (u128::from(left) * 1_000_000_000).div_ceil(u128::from(self.counter_hz)) as usize;
                if rest != 0 {
                    // An error for a bad address is dropped: the call was interrupted anyhow.
                    let _ = self.space.write_words(rest, [ns / 1_000_000_000, ns % 1_000_000_000]);
                }
            }
            State::Runs(cpu) => return machine::interrupt(self.cpus[cpu]),
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
        self.cpus = machine.cpus;
        self.cpu_count = machine.cpu_count;
        self.user_cpus = machine.cpu_count - writers;
        self.counter_hz = machine.counter_hz;
        self.pages.start(kernel_end, machine.memory_end, machine.reserved);
        self.space.start(&mut self.pages);
        memory::name_cpus(&machine.cpus);
    }
}

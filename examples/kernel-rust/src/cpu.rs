// SPDX-License-Identifier: MIT
//! The work of each CPU: run threads, take their traps, and end.

use crate::kernel::{Kernel, State};
use crate::lock::Guard;
use crate::machine::{self, counter, Frame, PC, SYSCALL_STEP};
use crate::trap::Trap;
use crate::{memory, println, signal, syscall, torture, vdso_kernel};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TICKS_PER_SECOND: u64 = 100;

/// May programs read the counter?
pub static COUNTER: AtomicBool = AtomicBool::new(true);

/// At the end each CPU adds its count and reports.
static COUNTER_TRAPS: AtomicUsize = AtomicUsize::new(0);
static REPORTED: AtomicUsize = AtomicUsize::new(0);

pub struct Cpu {
    pub index: usize,
    pub frame: Frame,
    /// The thread that runs here.
    pub current: Option<usize>,
    last: usize,
    traps: machine::TrapCount,
}

impl Cpu {
    pub fn new(index: usize, root: usize) -> Self {
        machine::set_up_cpu(root);
        vdso_kernel::allow_counter();
        if !COUNTER.load(Ordering::Relaxed) {
            machine::allow_counter(false);
        }
        Self { index, frame: Frame::new(), current: None, last: 0, traps: machine::TrapCount::start() }
    }

    pub fn run_threads(&mut self) -> ! {
        let mut kernel = Kernel::lock();
        loop {
            kernel = self.choose(kernel);
            signal::deliver(&mut kernel, self);
            if kernel.exit.is_some() {
                self.end(kernel);
            }
            drop(kernel);
            memory::enter_user(self.index);
            // SAFETY: the frame holds a user thread's registers.
            unsafe { machine::enter_user(&mut self.frame) };
            memory::leave_user(self.index);
            // An interrupt is taken back before the lock: one that comes meanwhile makes a trap of its own.
            let trap = machine::trap(&self.frame);
            kernel = Kernel::lock();
            self.serve(&mut kernel, trap);
        }
    }

    fn serve(&mut self, kernel: &mut Kernel, trap: Trap) {
        match trap {
            Trap::SystemCall => {
                self.frame.registers[PC] += SYSCALL_STEP;
                syscall::handle(kernel, self);
            }
            Trap::Timer => self.give_way(kernel),
            Trap::Called => (),
            _ => {
                self.traps.look(trap, &kernel.space, &self.frame.registers);
                signal::fault(kernel, self, trap);
            }
        }
    }

    /// The index of the thread that runs here.
    pub fn thread(&self) -> usize {
        self.current.expect("a thread")
    }

    /// Takes the thread off this CPU; the caller decides what becomes of it.
    pub fn leave(&mut self, kernel: &mut Kernel) -> usize {
        let index = self.current.take().expect("a thread");
        let thread = &mut kernel.threads[index];
        thread.registers = self.frame.registers;
        // SAFETY: stores the registers there, and changes none.
        unsafe { machine::save_fp(&mut thread.fp) };
        self.last = index;
        index
    }

    /// Lets another thread run here, if there is one that is ready.
    pub fn give_way(&mut self, kernel: &mut Kernel) {
        if kernel.has_ready() {
            let index = self.leave(kernel);
            kernel.make_ready(index);
        } else {
            set_tick(kernel);
        }
    }

    /// Waits until this CPU has a thread, or the program is over.
    fn choose(&mut self, mut kernel: Guard<'static, Kernel>) -> Guard<'static, Kernel> {
        kernel.expire();
        while self.current.is_none() && kernel.exit.is_none() {
            if let Some(index) = kernel.take_ready(self.last) {
                set_tick(&kernel);
                let thread = &mut kernel.threads[index];
                thread.state = State::Runs(self.index);
                self.frame.registers = thread.registers;
                // SAFETY: the kernel itself does not use floating-point registers.
                unsafe { machine::restore_fp(&thread.fp) };
                self.current = Some(index);
                break;
            }
            kernel.set_idle(self.index, true);
            machine::set_timer(kernel.next_deadline());
            drop(kernel);
            machine::wait_for_interrupt();
            machine::forget_call();
            kernel = Kernel::lock();
            kernel.set_idle(self.index, false);
            kernel.expire();
        }
        kernel
    }

    /// Adds what this CPU has counted.
    pub fn report(&self) {
        COUNTER_TRAPS.fetch_add(self.traps.read(), Ordering::Relaxed);
        REPORTED.fetch_add(1, Ordering::Release);
    }

    /// Ends: the program is over. The first CPU here calls the others, prints the counts, and shuts down.
    fn end(&self, mut kernel: Guard<'static, Kernel>) -> ! {
        let first = !core::mem::replace(&mut kernel.over, true);
        for cpu in (0..kernel.cpu_count).filter(|cpu| first && *cpu != self.index) {
            machine::interrupt(kernel.cpus[cpu]);
        }
        let cpus = kernel.cpu_count;
        drop(kernel);
        torture::stop();
        self.report();
        while !first {
            machine::wait_for_interrupt();
        }
        while REPORTED.load(Ordering::Acquire) < cpus {
            spin_loop();
        }
        let kernel = Kernel::lock();
        println!("kernel: exit={}", kernel.exit.unwrap_or(0));
        for (number, count) in kernel.syscalls.iter().enumerate().filter(|(_, count)| **count != 0) {
            println!("kernel: syscall.{number}={count}");
        }
        println!("kernel: counter_traps={}", COUNTER_TRAPS.load(Ordering::Relaxed));
        torture::report();
        machine::shut_down(false);
    }
}

fn set_tick(kernel: &Kernel) {
    let tick = counter() + kernel.counter_hz / TICKS_PER_SECOND;
    machine::set_timer(tick.min(kernel.next_deadline()));
}

// SPDX-License-Identifier: MIT
//! The work of each hart: run threads, take their traps, and end.

use crate::cpu::{self, counter, Frame, PC};
use crate::kernel::{Kernel, State};
use crate::lock::Guard;
use crate::{println, sbi, signal, syscall, torture, vdso_kernel};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TICKS_PER_SECOND: u64 = 100;

const INTERRUPT: usize = 1 << 63;
const SOFTWARE_INTERRUPT: usize = INTERRUPT | 1;
const TIMER_INTERRUPT: usize = INTERRUPT | 5;
const SYSTEM_CALL: usize = 8;

/// May programs read the counter?
pub static COUNTER: AtomicBool = AtomicBool::new(true);

/// At the end each hart adds its count and reports.
static COUNTER_TRAPS: AtomicUsize = AtomicUsize::new(0);
static REPORTED: AtomicUsize = AtomicUsize::new(0);

pub struct Hart {
    pub index: usize,
    pub frame: Frame,
    /// The thread that runs here.
    pub current: Option<usize>,
    last: usize,
    illegal_instructions: usize,
}

impl Hart {
    pub fn new(index: usize, satp: usize) -> Self {
        cpu::set_up_hart(satp);
        vdso_kernel::allow_counter();
        if !COUNTER.load(Ordering::Relaxed) {
            cpu::forbid_counter();
        }
        let illegal_instructions = sbi::count_illegal_instructions();
        Self { index, frame: Frame::new(), current: None, last: 0, illegal_instructions }
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
            // SAFETY: the frame holds a user thread's registers, and sstatus says user mode.
            unsafe { cpu::enter_user(&mut self.frame) };
            let (cause, address) = cpu::trap_cause();
            if cause == SOFTWARE_INTERRUPT {
                // Cleared before the lock: an interrupt that comes meanwhile makes a trap of its own.
                cpu::forget_software_interrupt();
            }
            kernel = Kernel::lock();
            self.serve(&mut kernel, cause, address);
        }
    }

    fn serve(&mut self, kernel: &mut Kernel, cause: usize, address: usize) {
        match cause {
            SYSTEM_CALL => {
                self.frame.registers[PC] += 4;
                syscall::handle(kernel, self);
            }
            TIMER_INTERRUPT => self.give_way(kernel),
            SOFTWARE_INTERRUPT => (),
            _ => signal::fault(kernel, self, cause, address),
        }
    }

    /// The index of the thread that runs here.
    pub fn thread(&self) -> usize {
        self.current.expect("a thread")
    }

    /// Takes the thread off this hart; the caller decides what becomes of it.
    pub fn leave(&mut self, kernel: &mut Kernel) -> usize {
        let index = self.current.take().expect("a thread");
        let thread = &mut kernel.threads[index];
        thread.registers = self.frame.registers;
        // SAFETY: stores the registers there, and changes none.
        unsafe { cpu::save_fp(&mut thread.fp) };
        kernel.space.leave(kernel.harts[self.index]);
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

    /// Waits until this hart has a thread, or the program is over.
    fn choose(&mut self, mut kernel: Guard<'static, Kernel>) -> Guard<'static, Kernel> {
        kernel.expire();
        while self.current.is_none() && kernel.exit.is_none() {
            if let Some(index) = kernel.take_ready(self.last) {
                set_tick(&kernel);
                let hart = kernel.harts[self.index];
                kernel.space.enter(hart);
                let thread = &mut kernel.threads[index];
                thread.state = State::Runs(self.index);
                self.frame.registers = thread.registers;
                // SAFETY: the kernel itself does not use floating-point registers.
                unsafe { cpu::restore_fp(&thread.fp) };
                self.current = Some(index);
                break;
            }
            kernel.set_idle(self.index, true);
            sbi::set_timer(kernel.next_deadline());
            drop(kernel);
            cpu::wait_for_interrupt();
            cpu::forget_software_interrupt();
            kernel = Kernel::lock();
            kernel.set_idle(self.index, false);
            kernel.expire();
        }
        kernel
    }

    /// Adds what this hart has counted.
    pub fn report(&self) {
        let traps = sbi::read_firmware_counter(self.illegal_instructions);
        COUNTER_TRAPS.fetch_add(traps, Ordering::Relaxed);
        REPORTED.fetch_add(1, Ordering::Release);
    }

    /// Ends: the program is over. The first hart here calls the others, prints the counts, and shuts down.
    fn end(&self, mut kernel: Guard<'static, Kernel>) -> ! {
        let first = !core::mem::replace(&mut kernel.over, true);
        for hart in kernel.harts.iter().take(kernel.hart_count).filter(|_| first) {
            sbi::interrupt(*hart);
        }
        let harts = kernel.hart_count;
        drop(kernel);
        torture::stop();
        self.report();
        while !first {
            cpu::wait_for_interrupt();
        }
        while REPORTED.load(Ordering::Acquire) < harts {
            spin_loop();
        }
        let kernel = Kernel::lock();
        println!("kernel: exit={}", kernel.exit.unwrap_or(0));
        for (number, count) in kernel.syscalls.iter().enumerate().filter(|(_, count)| **count != 0) {
            println!("kernel: syscall.{number}={count}");
        }
        println!("kernel: counter_traps={}", COUNTER_TRAPS.load(Ordering::Relaxed));
        torture::report();
        sbi::shut_down(false);
    }
}

fn set_tick(kernel: &Kernel) {
    let tick = counter() + kernel.timebase_hz / TICKS_PER_SECOND;
    sbi::set_timer(tick.min(kernel.next_deadline()));
}

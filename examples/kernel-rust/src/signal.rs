// SPDX-License-Identifier: MIT
//! Signals, with the frame on the stack that Linux makes; the machine knows its layout.

use crate::cpu::Cpu;
use crate::kernel::{Kernel, State, PROCESS};
use crate::machine::{self, A0, ACTION_WORDS, CONTEXT, FRAME, INFO, MASK, PC, SAVED, SA_RESTORER, SP};
use crate::syscall::{Errno, EINVAL, ESRCH};
use crate::trap::Trap;

const SIGILL: usize = 4;
const SIGTRAP: usize = 5;
const SIGBUS: usize = 7;
const SIGFPE: usize = 8;
const SIGKILL: usize = 9;
const SIGSEGV: usize = 11;
const SIGSTOP: usize = 19;
/// SIGCHLD, SIGCONT, SIGURG, SIGWINCH: nothing happens unless the program has an action for them.
const QUIET: u64 = bit(17) | bit(18) | bit(23) | bit(28);
const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);

const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SA_RESTART: usize = 0x1000_0000;
const SA_NODEFER: usize = 0x4000_0000;
const SA_RESETHAND: usize = 0x8000_0000;

const SI_USER: usize = 0;
const SI_TKILL: usize = -6_i32 as u32 as usize;
const SEGV_MAPERR: usize = 1;
const SEGV_ACCERR: usize = 2;
const SI_KERNEL: usize = 0x80;
const SS_DISABLE: usize = 2;

/// In the frame, of the stack for handlers.
const STACK_FLAGS: usize = CONTEXT + 3;

const fn bit(signal: usize) -> u64 {
    1 << (signal - 1)
}

/// struct sigaction of the system call: handler, flags, on some machines a restorer, and the mask last.
#[derive(Clone, Copy)]
pub struct Action([usize; ACTION_WORDS]);

impl Action {
    pub const fn new() -> Self {
        Self([0; ACTION_WORDS]) // SIG_DFL
    }

    fn handler(&self) -> usize {
        self.0[0]
    }

    fn flags(&self) -> usize {
        self.0[1]
    }

    fn mask(&self) -> u64 {
        self.0[ACTION_WORDS - 1] as u64
    }

    /// Returns the address that a handler returns to.
    fn return_address(&self, kernels: usize) -> usize {
        if self.flags() & SA_RESTORER != 0 {
            self.0[2]
        } else {
            kernels
        }
    }

    fn ignores(&self, signal: usize) -> bool {
        self.handler() == SIG_IGN || (self.handler() == SIG_DFL && QUIET & bit(signal) != 0)
    }
}

/// The signals of a thread. Of each number one may be pending.
#[derive(Clone, Copy)]
pub struct Signals {
    pub blocked: u64,
    pending: u64,
    /// The pending signals that were sent to exactly this thread.
    directed: u64,
}

impl Signals {
    pub const fn new() -> Self {
        Self { blocked: 0, pending: 0, directed: 0 }
    }

    /// Returns the signals to serve now, a bit each.
    fn open(&self) -> u64 {
        self.pending & !self.blocked
    }
}

/// rt_sigaction
pub fn set_action(kernel: &mut Kernel, signal: usize, new: usize, old: usize) -> Result<usize, Errno> {
    if !(1..=64).contains(&signal) || (new != 0 && UNBLOCKABLE & bit(signal) != 0) {
        return Err(EINVAL);
    }
    let Action(before) = kernel.actions[signal];
    if new != 0 {
        kernel.actions[signal] = Action(kernel.space.read_words(new)?);
    }
    if old != 0 {
        kernel.space.write_words(old, before)?;
    }
    Ok(0)
}

/// rt_sigprocmask
pub fn set_mask(kernel: &mut Kernel, thread: usize, how: usize, new: usize, old: usize) -> Result<usize, Errno> {
    let mask = kernel.threads[thread].signals.blocked;
    if new != 0 {
        let [change] = kernel.space.read_words(new)?;
        let blocked = match how {
            0 => mask | change as u64,
            1 => mask & !(change as u64),
            2 => change as u64,
            _ => return Err(EINVAL),
        };
        kernel.threads[thread].signals.blocked = blocked & !UNBLOCKABLE;
    }
    if old != 0 {
        kernel.space.write_words(old, [mask as usize])?;
    }
    Ok(0)
}

/// kill: a thread that does not block the signal gets it, or else the first thread.
pub fn send_to_process(kernel: &mut Kernel, signal: usize) -> Result<usize, Errno> {
    if signal > 64 {
        return Err(EINVAL);
    }
    let there = |index: &usize| kernel.threads[*index].state != State::Free;
    let open = |index: &usize| signal == 0 || kernel.threads[*index].signals.blocked & bit(signal) == 0;
    let mut threads = (0..kernel.threads.len()).filter(there);
    let index = threads.clone().find(open).or_else(|| threads.next()).ok_or(ESRCH)?;
    send(kernel, index, signal, false)
}

/// tkill and tgkill
pub fn send_to_thread(kernel: &mut Kernel, tid: usize, signal: usize) -> Result<usize, Errno> {
    let index = tid.wrapping_sub(1);
    if signal > 64 {
        return Err(EINVAL);
    }
    match kernel.threads.get(index) {
        Some(thread) if thread.state != State::Free => send(kernel, index, signal, true),
        _ => Err(ESRCH),
    }
}

fn send(kernel: &mut Kernel, index: usize, signal: usize, directed: bool) -> Result<usize, Errno> {
    if signal == 0 {
        return Ok(0);
    }
    let signals = &mut kernel.threads[index].signals;
    if signals.blocked & bit(signal) == 0 && kernel.actions[signal].ignores(signal) {
        return Ok(0);
    }
    signals.pending |= bit(signal);
    signals.directed = signals.directed & !bit(signal) | if directed { bit(signal) } else { 0 };
    end_wait(kernel, index);
    Ok(0)
}

/// Keeps a thread from waiting if it has a signal to serve, which may have come just before.
pub fn end_wait(kernel: &mut Kernel, index: usize) {
    let open = kernel.threads[index].signals.open();
    if open != 0 {
        let flags = kernel.actions[open.trailing_zeros() as usize + 1].flags();
        kernel.interrupt(index, flags & SA_RESTART != 0);
    }
}

/// Starts the handlers of the signals that are pending for the thread on this CPU. One without a handler ends the program.
pub fn deliver(kernel: &mut Kernel, cpu: &mut Cpu) {
    let Some(thread) = cpu.current else { return };
    loop {
        let signals = &mut kernel.threads[thread].signals;
        let open = signals.open();
        if open == 0 || kernel.exit.is_some() {
            return;
        }
        let signal = open.trailing_zeros() as usize + 1;
        signals.pending &= !bit(signal);
        let code = if signals.directed & bit(signal) != 0 { SI_TKILL } else { SI_USER };
        if !kernel.actions[signal].ignores(signal) {
            call_handler(kernel, cpu, signal, code, PROCESS);
        }
    }
}

/// Sends the signal for a fault of the program at once; it can be neither blocked nor ignored.
pub fn fault(kernel: &mut Kernel, cpu: &mut Cpu, trap: Trap) {
    let pc = cpu.frame.registers[PC];
    let (signal, code, address) = match trap {
        Trap::Breakpoint => (SIGTRAP, 1, pc),
        Trap::Misaligned(address) => (SIGBUS, 1, address),
        Trap::Arithmetic => (SIGFPE, 1, pc),
        Trap::Forbidden => (SIGSEGV, SI_KERNEL, 0),
        Trap::Fault(address) if kernel.space.is_mapped(address) => (SIGSEGV, SEGV_ACCERR, address),
        Trap::Fault(address) => (SIGSEGV, SEGV_MAPERR, address),
        _ => (SIGILL, 1, pc),
    };
    let blocked = kernel.threads[cpu.thread()].signals.blocked & bit(signal) != 0;
    if blocked || kernel.actions[signal].handler() == SIG_IGN {
        kernel.exit = Some(128 + signal);
    } else {
        call_handler(kernel, cpu, signal, code, address);
    }
}

/// Makes the thread of this CPU go on in its handler. `value`: the third word of siginfo.
fn call_handler(kernel: &mut Kernel, cpu: &mut Cpu, signal: usize, code: usize, value: usize) {
    let action = kernel.actions[signal];
    if action.handler() == SIG_DFL {
        kernel.exit = Some(128 + signal);
        return;
    }
    let thread = &mut kernel.threads[cpu.thread()];
    // SAFETY: stores the registers there, and changes none.
    unsafe { machine::save_fp(&mut thread.fp) };
    let mut frame = [0; FRAME];
    frame[INFO..INFO + 3].copy_from_slice(&[signal, code, value]);
    frame[STACK_FLAGS] = SS_DISABLE;
    frame[MASK] = thread.signals.blocked as usize;
    machine::store_context(&mut frame[SAVED..], &cpu.frame.registers, &thread.fp);
    thread.signals.blocked |=
        (action.mask() | if action.flags() & SA_NODEFER == 0 { bit(signal) } else { 0 }) & !UNBLOCKABLE;
    if action.flags() & SA_RESETHAND != 0 {
        kernel.actions[signal].0[0] = SIG_DFL;
    }
    let registers = &mut cpu.frame.registers;
    let stack = machine::frame_below(registers[SP]);
    registers[A0..A0 + 3].copy_from_slice(&[signal, stack.wrapping_add(8 * INFO), stack.wrapping_add(8 * CONTEXT)]);
    registers[PC] = action.handler();
    registers[SP] = stack;
    machine::enter_handler(&mut frame, registers, action.return_address(kernel.handler_return));
    if kernel.space.write_words(stack, frame).is_err() {
        kernel.exit = Some(128 + SIGSEGV);
    }
}

/// rt_sigreturn: the thread goes on as the frame at its stack pointer says.
pub fn sigreturn(kernel: &mut Kernel, cpu: &mut Cpu) {
    let thread = &mut kernel.threads[cpu.thread()];
    let Ok(frame) = kernel.space.read_words::<FRAME>(machine::frame_of_return(cpu.frame.registers[SP])) else {
        kernel.exit = Some(128 + SIGSEGV);
        return;
    };
    thread.signals.blocked = frame[MASK] as u64 & !UNBLOCKABLE;
    machine::load_context(&frame[SAVED..], &mut cpu.frame.registers, &mut thread.fp);
    // SAFETY: the kernel itself does not use floating-point registers.
    unsafe { machine::restore_fp(&thread.fp) };
}

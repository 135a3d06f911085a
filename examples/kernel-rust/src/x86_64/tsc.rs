// SPDX-License-Identifier: MIT
//! The time-stamp counter: how fast it runs, and whether it is a clock at all (docs/tsc.md).

use super::cpu::{counter, cpuid, read_msr, write_msr};
use super::{apic, ports};
use crate::vdso_kernel;
use core::sync::atomic::{AtomicU64, Ordering};

// The PIT: its channel 2, its command, and its gate with its output
const PIT_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
const PIT_GATE: u16 = 0x61;
const PIT_HZ: u64 = 1_193_182;
/// For a fortieth of a second.
const PIT_TICKS: u16 = (PIT_HZ / 40) as u16;
const SAMPLES: usize = 16;

const TSC_ADJUST: u32 = 0x3b;
/// Of AMD: with bit 1, `lfence` waits for all before it.
const DECFG: u32 = 0xc001_1029;

/// TSC_ADJUST of the first CPU.
static ADJUSTED: AtomicU64 = AtomicU64::new(0);

/// Three counters at one moment. The PIT counts down, and so does the timer of the APIC.
#[derive(Clone, Copy)]
struct Sample {
    counter: u64,
    timer: u32,
    pit: u16,
}

/// Returns the sample of some tries that took least: whoever emulates the CPU may stop it in the midst of one.
fn sample() -> Sample {
    let try_once = || {
        let start = counter();
        // This keeps the count of channel 2 until it is read.
        ports::write(PIT_COMMAND, 0x80);
        let timer = apic::timer_count();
        let took = counter() - start;
        let pit = u16::from_le_bytes([ports::read(PIT_2), ports::read(PIT_2)]);
        (took, Sample { counter: start, timer, pit })
    };
    let first = try_once();
    (1..SAMPLES).map(|_| try_once()).fold(first, |best, now| if now.0 < best.0 { now } else { best }).1
}

/// Tells whether the PIT has counted down to 0, after which it goes on at 65535.
fn is_over() -> bool {
    ports::read(PIT_GATE) >> 5 & 1 != 0
}

/// Returns two samples, and the ticks of the PIT between them; None where it was over too early, as this CPU stood still.
fn count() -> Option<(Sample, Sample, u16)> {
    // The gate is open, and the speaker is off. Channel 2 gets both bytes of its count, in mode 0.
    ports::write(PIT_GATE, ports::read(PIT_GATE) & !2 | 1);
    ports::write(PIT_COMMAND, 0xb0);
    ports::write(PIT_2, 0xff);
    ports::write(PIT_2, 0xff);
    let first = sample();
    loop {
        let last = sample();
        let ticks = first.pit.wrapping_sub(last.pit);
        if is_over() {
            return None;
        }
        if ticks >= PIT_TICKS {
            return Some((first, last, ticks));
        }
    }
}

/// Returns the frequency that the CPU or a hypervisor tells, if one does.
fn told_hz() -> Option<u64> {
    if cpuid(0).a >= 0x15 {
        let found = cpuid(0x15);
        let [below, above, crystal] = [found.a, found.b, found.c].map(u64::from);
        if below != 0 && above != 0 && crystal != 0 {
            return Some(crystal * above / below);
        }
    }
    let tells = has_hypervisor() && cpuid(0x4000_0000).a >= 0x4000_0010;
    tells.then(|| u64::from(cpuid(0x4000_0010).a) * 1000)
}

fn has_hypervisor() -> bool {
    cpuid(1).c >> 31 != 0
}

/// The three registers in which CPUID has a name, in the order of its letters.
fn is_named(registers: [u32; 3], name: &[u8; 12]) -> bool {
    registers.map(u32::to_le_bytes).as_flattened() == name
}

/// Tells whether the counter runs at one rate. QEMU's emulation never says so by the bit for that; but there all CPUs read the one
/// counter of the host.
fn is_invariant() -> bool {
    let found = cpuid(0x4000_0000);
    let emulated = has_hypervisor() && is_named([found.b, found.c, found.d], b"TCGTCGTCGTCG");
    emulated || (cpuid(0x8000_0000).a >= 0x8000_0007 && cpuid(0x8000_0007).d >> 8 & 1 != 0)
}

fn has_adjust() -> bool {
    cpuid(0).a >= 7 && cpuid(7).b >> 1 & 1 != 0
}

/// Returns the counter's frequency, and whether the counter is a clock. Measures it and the timer beside the PIT, on the first CPU;
/// begins anew where the PIT was over.
pub fn measure() -> (u64, bool) {
    apic::start();
    let (first, last, ticks) = loop {
        if let Some(found) = count() {
            break found;
        }
    };
    let hz = |counted: u64| counted * PIT_HZ / u64::from(ticks);
    let counter_hz = told_hz().unwrap_or_else(|| hz(last.counter - first.counter));
    apic::set_rates(counter_hz, hz(u64::from(first.timer.wrapping_sub(last.timer))));
    if has_adjust() {
        ADJUSTED.store(read_msr(TSC_ADJUST), Ordering::Relaxed);
    }
    (counter_hz, is_invariant())
}

/// Lets programs on this CPU rely on the counter; on none any more, if firmware has moved this one.
pub fn look_here() {
    let (vendor, version) = (cpuid(0), cpuid(1).a);
    let amd = is_named([vendor.b, vendor.d, vendor.c], b"AuthenticAMD");
    let always = cpuid(0x8000_0000).a >= 0x8000_0021 && cpuid(0x8000_0021).a >> 2 & 1 != 0;
    if amd && !always && (version >> 8 & 15) + (version >> 20 & 255) >= 0x10 {
        write_msr(DECFG, read_msr(DECFG) | 2);
    }
    if has_adjust() && read_msr(TSC_ADJUST) != ADJUSTED.load(Ordering::Relaxed) {
        vdso_kernel::unreliable();
    }
}

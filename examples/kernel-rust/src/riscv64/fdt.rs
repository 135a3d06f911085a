// SPDX-License-Identifier: MIT
//! Reads what this kernel needs in the firmware's device tree (Devicetree Specification, chapter 5).

use crate::kernel::{Machine, MAX_CPUS};

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;

fn number(value: &[u8]) -> u64 {
    value.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn word(tree: &[u8], offset: usize) -> u32 {
    number(&tree[offset..offset + 4]) as u32
}

fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).expect("text in the device tree")
}

/// Reads the machine from the tree at an address; its second word is its size.
///
/// # Safety
/// A device tree lies there, and nobody writes it. There is no page table yet.
pub unsafe fn read(address: usize) -> Machine {
    let head = core::slice::from_raw_parts(address as *const u8, 8);
    let tree = core::slice::from_raw_parts(address as *const u8, word(head, 4) as usize);
    let (mut machine, mut rtc) = (Machine::new(), None);
    for_each_property(tree, |path, name, value| match (path, name) {
        (["cpus"], "timebase-frequency") => machine.counter_hz = number(value),
        (["cpus", cpu], "reg") if cpu.starts_with("cpu@") && machine.cpu_count < MAX_CPUS => {
            machine.cpus[machine.cpu_count] = number(value) as usize;
            machine.cpu_count += 1;
        }
        ([memory], "reg") if memory.starts_with("memory@") => {
            machine.memory_end = (number(value) + number(&value[8..])) as usize;
        }
        (["soc", clock], "reg") if clock.starts_with("rtc@") => rtc = Some(number(value) as usize),
        (["chosen"], "bootargs") => machine.words = text(value),
        (["chosen"], "linux,initrd-start") => machine.program.0 = number(value) as usize,
        (["chosen"], "linux,initrd-end") => machine.program.1 = number(value) as usize,
        _ => (),
    });
    machine.reserved = [machine.program, (address, address + tree.len())];
    machine.wall_ns = rtc.map(|rtc| unsafe { goldfish_ns(rtc) });
    machine
}

/// Returns the nanoseconds since 1970 of a goldfish-rtc. A read of its first word latches the second.
unsafe fn goldfish_ns(rtc: usize) -> u64 {
    let low = (rtc as *const u32).read_volatile();
    u64::from((rtc as *const u32).add(1).read_volatile()) << 32 | u64::from(low)
}

/// Calls `visit` with the names of the nodes from below the root, the name of the property, and its value.
fn for_each_property(tree: &'static [u8], mut visit: impl FnMut(&[&str], &str, &'static [u8])) {
    let (mut at, strings) = (word(tree, 8) as usize, word(tree, 12) as usize);
    let (mut path, mut depth) = ([""; 8], 0);
    loop {
        let token = word(tree, at);
        at += 4;
        match token {
            BEGIN_NODE => {
                path[depth] = text(&tree[at..]);
                at += (path[depth].len() + 1).next_multiple_of(4);
                depth += 1;
            }
            END_NODE => depth -= 1,
            PROPERTY => {
                let (size, name) = (word(tree, at) as usize, word(tree, at + 4) as usize);
                visit(&path[1..depth], text(&tree[strings + name..]), &tree[at + 8..at + 8 + size]);
                at += 8 + size.next_multiple_of(4);
            }
            NOP => (),
            _ => return,
        }
    }
}

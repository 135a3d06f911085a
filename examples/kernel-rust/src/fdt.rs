// SPDX-License-Identifier: MIT
//! Reads what this kernel needs in the firmware's device tree (Devicetree Specification, chapter 5).

use crate::kernel::MAX_HARTS;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;

/// The facts of the machine that the kernel needs. Addresses are physical; a range is start and end.
pub struct Machine {
    pub timebase_hz: u64,
    pub harts: [usize; MAX_HARTS],
    pub hart_count: usize,
    pub memory: (usize, usize),
    pub program: (usize, usize),
    pub tree: (usize, usize),
    pub rtc: Option<usize>,
    pub words: &'static str,
}

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

/// Returns the tree as bytes; its second word is its size.
///
/// # Safety
/// A device tree lies at `address`, and nobody writes it.
pub unsafe fn tree(address: usize) -> &'static [u8] {
    let head = core::slice::from_raw_parts(address as *const u8, 8);
    core::slice::from_raw_parts(address as *const u8, word(head, 4) as usize)
}

pub fn machine(tree: &'static [u8]) -> Machine {
    let start = tree.as_ptr() as usize;
    let mut machine = Machine {
        timebase_hz: 0,
        harts: [0; MAX_HARTS],
        hart_count: 0,
        memory: (0, 0),
        program: (0, 0),
        tree: (start, start + tree.len()),
        rtc: None,
        words: "",
    };
    for_each_property(tree, |path, name, value| match (path, name) {
        (["cpus"], "timebase-frequency") => machine.timebase_hz = number(value),
        (["cpus", cpu], "reg") if cpu.starts_with("cpu@") && machine.hart_count < MAX_HARTS => {
            machine.harts[machine.hart_count] = number(value) as usize;
            machine.hart_count += 1;
        }
        ([memory], "reg") if memory.starts_with("memory@") => {
            let (start, size) = (number(value) as usize, number(&value[8..]) as usize);
            machine.memory = (start, start + size);
        }
        (["soc", rtc], "reg") if rtc.starts_with("rtc@") => machine.rtc = Some(number(value) as usize),
        (["chosen"], "bootargs") => machine.words = text(value),
        (["chosen"], "linux,initrd-start") => machine.program.0 = number(value) as usize,
        (["chosen"], "linux,initrd-end") => machine.program.1 = number(value) as usize,
        _ => (),
    });
    machine
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

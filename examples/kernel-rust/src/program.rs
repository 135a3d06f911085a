// SPDX-License-Identifier: MIT
//! Starts the program: loads a static ELF file, and makes a stack as the C library expects it.

use crate::kernel::Kernel;
use crate::machine::{self, EXECUTE, NO_FP, NO_REGISTERS, PAGE, PC, PROGRAM_END, READ, SP, WRITE};
use crate::memory::{page_up, USER_END};
use crate::vdso::{MAP_ADDR, MAP_SIZE};
use crate::vdso_kernel;

// From the bottom up: the program and what brk gives it, the kernel, the vDSO, mmap, the stack.
pub const MMAP_START: usize = 0x10_0000_0000;
const MMAP_END: usize = 0x3f_0000_0000;
const STACK_END: usize = SIGRETURN_PAGE - PAGE;
pub const STACK_SIZE: usize = 512 << 10;
/// A page with the code that signal handlers return to, where no vDSO has it.
const SIGRETURN_PAGE: usize = USER_END - PAGE;
const _: () = assert!(PROGRAM_END <= MAP_ADDR && MAP_ADDR + MAP_SIZE <= MMAP_START, "the vDSO has its place there");

const PT_LOAD: u32 = 1;
const PF: [(u32, usize); 3] = [(1, EXECUTE), (2, WRITE), (4, READ)];

const AT_PHDR: usize = 3;
const AT_PHENT: usize = 4;
const AT_PHNUM: usize = 5;
const AT_PAGESZ: usize = 6;
const AT_ENTRY: usize = 9;
const AT_HWCAP: usize = 16;
const AT_CLKTCK: usize = 17;
const AT_SECURE: usize = 23;
const AT_RANDOM: usize = 25;
const AT_EXECFN: usize = 31;

const MAX_ARGUMENTS: usize = 32;

fn number(bytes: &[u8], offset: usize, size: usize) -> usize {
    bytes[offset..offset + size].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Loads the program with the arguments in `words`, and makes its first thread.
pub fn start(kernel: &mut Kernel, elf: &[u8], words: &str, vdso: bool) {
    let is_ours = elf.starts_with(b"\x7fELF\x02\x01") && number(elf, 16, 2) == 2 && number(elf, 18, 2) == machine::ELF;
    assert!(is_ours, "the program is no ELF of this machine at a fixed address");
    let headers = load(kernel, elf);
    let Kernel { space, pages, .. } = &mut *kernel;
    let mut auxv = Auxv { words: [0; 32], count: 0 };
    if vdso {
        vdso_kernel::map(|address, page, access| space.map(pages, address, page, access)).expect("memory");
        let (key, value) = vdso_kernel::auxv();
        auxv.push(key, value);
    }
    kernel.handler_return = vdso_kernel::sigreturn().filter(|_| vdso).unwrap_or_else(|| {
        space.protect(pages, SIGRETURN_PAGE, PAGE, READ | EXECUTE).expect("memory");
        space.load(SIGRETURN_PAGE, &machine::SIGRETURN).expect("memory");
        SIGRETURN_PAGE
    });
    kernel.mmap_end = MMAP_END;
    auxv.push(AT_PHDR, headers);
    auxv.push(AT_PHENT, number(elf, 54, 2));
    auxv.push(AT_PHNUM, number(elf, 56, 2));
    auxv.push(AT_PAGESZ, PAGE);
    auxv.push(AT_ENTRY, number(elf, 24, 8));
    auxv.push(AT_HWCAP, machine::hwcap());
    auxv.push(AT_CLKTCK, 100);
    auxv.push(AT_SECURE, 0);
    let mut registers = NO_REGISTERS;
    registers[PC] = number(elf, 24, 8);
    registers[SP] = build_stack(kernel, words, auxv);
    kernel.spawn(registers, NO_FP, 0, 0).expect("a thread");
}

/// Maps the segments, and returns the address of the program headers.
fn load(kernel: &mut Kernel, elf: &[u8]) -> usize {
    let (table, size, count) = (number(elf, 32, 8), number(elf, 54, 2), number(elf, 56, 2));
    let mut headers = 0;
    for header in elf[table..].chunks(size).take(count) {
        let [offset, address, in_file, in_memory] = [8, 16, 32, 40].map(|field| number(header, field, 8));
        if number(header, 0, 4) as u32 != PT_LOAD || in_memory == 0 {
            continue;
        }
        let flags = number(header, 4, 4) as u32;
        let access = PF.iter().filter(|(bit, _)| flags & bit != 0).fold(0, |access, (_, more)| access | more);
        let (start, end) = (address / PAGE * PAGE, page_up(address + in_memory));
        kernel.space.protect(&mut kernel.pages, start, end - start, access).expect("memory for the program");
        kernel.space.load(address, &elf[offset..offset + in_file]).expect("a segment");
        kernel.break_start = kernel.break_start.max(end);
        if (offset..offset + in_file).contains(&table) {
            headers = address + table - offset;
        }
    }
    kernel.program_break = kernel.break_start;
    headers
}

struct Auxv {
    words: [usize; 32],
    count: usize,
}

impl Auxv {
    fn push(&mut self, key: usize, value: usize) {
        self.words[self.count..self.count + 2].copy_from_slice(&[key, value]);
        self.count += 2;
    }
}

/// Makes the first stack (System V ABI): argc, argv, no environment, the auxiliary vector, strings. Returns its pointer.
fn build_stack(kernel: &mut Kernel, words: &str, mut auxv: Auxv) -> usize {
    let start = STACK_END - STACK_SIZE;
    kernel.space.protect(&mut kernel.pages, start, STACK_SIZE, READ | WRITE).expect("memory for the stack");
    let mut top = STACK_END;
    let mut push = |kernel: &Kernel, bytes: &[u8]| {
        top -= bytes.len() + 1; // and a zero
        kernel.space.load(top, bytes).expect("the stack");
        top
    };
    let random = [kernel.random(), kernel.random()].map(u64::to_le_bytes);
    let random = push(kernel, random.as_flattened());
    let mut vector = [0; 2 + MAX_ARGUMENTS + 1];
    let mut count = 0;
    for word in core::iter::once("program").chain(words.split_ascii_whitespace()).take(MAX_ARGUMENTS) {
        count += 1;
        vector[count] = push(kernel, word.as_bytes());
    }
    vector[0] = count;
    auxv.push(AT_RANDOM, random);
    auxv.push(AT_EXECFN, vector[1]);
    let vector = &vector[..count + 3]; // argc, argv, its end, the end of the environment
    let auxv = &auxv.words[..auxv.count + 2]; // AT_NULL
    let sp = (top - 8 * (vector.len() + auxv.len())) & !15;
    for (index, word) in vector.iter().chain(auxv).enumerate() {
        kernel.space.write_words(sp + 8 * index, [*word]).expect("the stack");
    }
    sp
}

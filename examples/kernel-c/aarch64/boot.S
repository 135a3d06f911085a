/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each CPU, in EL1 without translation, where exclusive accesses need not work: so translation comes
 * before all C. QEMU starts the first CPU at _start. PSCI starts the others at cpu_entry, with their records in x0.
 */
#define CPU_STACK 0
#define MPIDR_AFFINITY 0xff00ffffff

/* MAIR_EL1: 0 is memory of devices (nGnRE), 1 is cached. */
#define MAIR 0xff04
/*
 * TCR_EL1: pages of 4 KiB, tables that are cached and inner shareable. TTBR0_EL1 translates the lowest 2^48 addresses by four
 * levels, TTBR1_EL1 the highest 2^39 by three; physical addresses have 36 bits.
 */
#define TCR (16 | 1 << 8 | 1 << 10 | 3 << 12 | 25 << 16 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30 | 1 << 32)
/* SCTLR_EL1: the bits that are 1, M, C, I, and for programs SA0, DZE, UCT, nTWI, nTWE, UCI. */
#define SCTLR (0x30d00800 | 1 | 1 << 2 | 1 << 4 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26)
#define CPACR_FPEN (3 << 20)

	.macro	translate
	ldr	x9, =MAIR
	msr	mair_el1, x9
	ldr	x9, =TCR
	msr	tcr_el1, x9
	adrp	x9, boot_root
	msr	ttbr0_el1, x9
	adrp	x9, devices
	msr	ttbr1_el1, x9
	mov	x9, #CPACR_FPEN
	msr	cpacr_el1, x9
	tlbi	vmalle1
	ic	iallu
	dsb	nsh
	isb
	ldr	x9, =SCTLR
	msr	sctlr_el1, x9
	isb
	.endm

	.section .text.boot, "ax"
	.globl	_start
_start:
	translate
	ldr	x9, =cpus
	msr	tpidr_el1, x9
	ldr	x9, =stacks + STACK_SIZE
	mov	sp, x9
	mrs	x0, mpidr_el1
	ldr	x9, =MPIDR_AFFINITY
	and	x0, x0, x9
	b	kernel_main

	.globl	cpu_entry
cpu_entry:
	translate
	msr	tpidr_el1, x0
	ldr	x9, [x0, #CPU_STACK]
	mov	sp, x9
	b	cpu_main

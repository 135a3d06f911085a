/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each CPU, at physical addresses. QEMU 7.2 starts all CPUs here; newer versions let all but the
 * first wait until they are sent here.
 */
#include "csr.h"

#define CPU_STACK 0
#define CPU_SIZE 4160

	.section .text.boot, "ax"
	.globl	_start
_start:
	/* The kernel sees memory one to one and cached, and devices at 0x8000000000000000 and uncached. A program sees neither. */
	ori	$t0, $zero, 0x11
	csrwr	$t0, DMW0
	ori	$t0, $zero, 1
	lu52i.d	$t0, $t0, -0x800
	csrwr	$t0, DMW1
	ori	$t0, $zero, CRMD_PG
	csrwr	$t0, CRMD
	csrrd	$a0, CPUID
	andi	$a0, $a0, 0x1ff
	la.pcrel $tp, cpus
	bnez	$a0, 1f
	la.pcrel $sp, stacks
	li.d	$t1, STACK_SIZE
	add.d	$sp, $sp, $t1
	b	kernel_main

1:	li.d	$t1, CPU_SIZE
	mul.d	$t1, $t1, $a0
	add.d	$tp, $tp, $t1
	la.pcrel $t1, cpus_may_start
2:	ld.w	$t2, $t1, 0
	beqz	$t2, 2b
	dbar	0
	la.pcrel $t1, cpus_started
	ori	$t2, $zero, 1
	amadd.w	$zero, $t2, $t1
	ld.d	$sp, $tp, CPU_STACK
	b	cpu_main

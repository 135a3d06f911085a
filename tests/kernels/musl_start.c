/* SPDX-License-Identifier: MIT */
/*
 * Where a program linked with musl starts: the ld of Debian 12 cannot read the crt1.o of a musl that a newer compiler made.
 * The psABI's `gp`, and musl's own start with the stack that the kernel built.
 */
__asm__(".section .text\n"
	".globl _start\n"
	"_start:\n"
	".option push\n"
	".option norelax\n"
	"	lla gp, __global_pointer$\n"
	".option pop\n"
	"	mv a0, sp\n"
	"	andi sp, sp, -16\n"
	"	tail start\n"
	".weak __global_pointer$\n"
	".hidden __global_pointer$\n");

int main();
int __libc_start_main(int (*program)(), int argc, char **argv, void (*init)(void), void (*fini)(void), void (*loader)(void));

__attribute__((used)) void start(long *stack)
{
	__libc_start_main(main, (int)stack[0], (char **)(stack + 1), 0, 0, 0);
}

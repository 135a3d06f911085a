/* SPDX-License-Identifier: MIT */
/*
 * Touches an address: a kernel ends this with SIGSEGV (exit=139) where that must not be.
 *
 *	touch read|write|exec|open ADDRESS|vdso|data
 *
 * `exec` calls a function there, `open` asks for leave to write first. `vdso` is where the auxiliary vector says, `data` the
 * page behind the image.
 */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static uintptr_t place(const char *name)
{
	uintptr_t image = getauxval(AT_SYSINFO_EHDR);

	if (!strcmp(name, "vdso"))
		return image;
	if (!strcmp(name, "data")) {
		const Elf64_Phdr *load = (const Elf64_Phdr *)(image + ((const Elf64_Ehdr *)image)->e_phoff);

		while (load->p_type != PT_LOAD)
			load++;
		return image + (load->p_memsz + 4095) / 4096 * 4096;
	}
	return strtoul(name, NULL, 16);
}

int main(int argc, char **argv)
{
	volatile uint32_t *at = (volatile uint32_t *)(argc == 3 ? place(argv[2]) : 0);
	void (*function)(void) = (void (*)(void))at;

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "exec")) {
		function();
	} else if (!strcmp(argv[1], "read")) {
		(void)*at;
	} else {
		if (!strcmp(argv[1], "open") && mprotect((void *)at, 4096, PROT_READ | PROT_WRITE))
			perror("mprotect");
		*at = 0;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Prints what the kernel maps as vDSO, in hexadecimal: all bytes to the end of its section table, which lies behind the segment. */
#include <elf.h>
#include <stdio.h>
#include <sys/auxv.h>

int main(void)
{
	const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	unsigned long end = header->e_shoff + header->e_shnum * sizeof(Elf64_Shdr);

	for (unsigned long at = 0; at < end; at++)
		printf("%02x%s", image[at], at % 32 == 31 || at == end - 1 ? "\n" : "");
	return 0;
}

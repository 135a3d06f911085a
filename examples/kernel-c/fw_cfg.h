/* SPDX-License-Identifier: MIT */
/*
 * Reads what QEMU tells by fw_cfg (its manual: QEMU Firmware Configuration Device) on a machine without firmware:
 * the number of CPUs, the command line (-fw_cfg name=opt/words), and the program (-fw_cfg name=opt/program).
 * The machine's file that includes this has before how the device is reached: fw_cfg_select() for an item by its key, and
 * fw_cfg_read() for the next bytes of that. fw_cfg_memory.h has both for registers in memory.
 */
#ifndef FW_CFG_H
#define FW_CFG_H

#include "kernel.h"

#define FW_CFG_CPUS 0x05
#define FW_CFG_FILES 0x19

/* Puts a file that QEMU was given by -fw_cfg, and a 0, into the memory at `*free`, and returns it. NULL: there is none. */
static void *fw_cfg_file(const char *name, uint64_t *free, uint64_t *size)
{
	struct {
		uint32_t size;
		uint16_t key, reserved;
		char name[56];
	} file;
	uint32_t count;

	fw_cfg_select(FW_CFG_FILES);
	fw_cfg_read(&count, sizeof(count));
	for (count = __builtin_bswap32(count); count--;) {
		fw_cfg_read(&file, sizeof(file));
		if (!starts_with(file.name, name) || file.name[strlen(name)])
			continue;
		void *found = (void *)*free;

		*size = __builtin_bswap32(file.size);
		if (*size >= machine.memory.end - *free)
			return NULL;
		fw_cfg_select(__builtin_bswap16(file.key));
		fw_cfg_read(found, *size);
		((char *)found)[*size] = 0;
		*free = (*free + *size + PAGE) & -PAGE;
		return found;
	}
	return NULL;
}

/* Fills in what QEMU tells of the machine, whose memory is known. CPUs have the numbers 0 and up. */
static void fw_cfg_machine(void)
{
	extern uint8_t kernel_end[];
	uint64_t free = (uintptr_t)kernel_end, size = 0;
	uint16_t count;

	fw_cfg_select(FW_CFG_CPUS);
	fw_cfg_read(&count, sizeof(count));
	machine.cpus = count < MAX_CPUS ? count : MAX_CPUS;
	for (unsigned i = 0; i < machine.cpus; i++)
		machine.cpu_ids[i] = i;
	machine.words = fw_cfg_file("opt/words", &free, &size);
	if (!machine.words)
		machine.words = "";
	size = 0;
	machine.program.start = (uintptr_t)fw_cfg_file("opt/program", &free, &size);
	machine.program.end = machine.program.start + size;
	machine.taken[0] = (struct range){(uintptr_t)kernel_end, free};
}

#endif

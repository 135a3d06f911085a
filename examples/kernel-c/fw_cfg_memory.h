/* SPDX-License-Identifier: MIT */
/* QEMU's fw_cfg where its registers are in memory. The machine's file that includes this says before where: FW_CFG. */
#ifndef FW_CFG_MEMORY_H
#define FW_CFG_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Reads the next bytes of the item that was selected last. */
static void fw_cfg_read(void *to, size_t size)
{
	for (uint8_t *at = to; size--; at++)
		*at = *(volatile uint8_t *)FW_CFG;
}

static void fw_cfg_select(uint16_t key)
{
	*(volatile uint16_t *)(FW_CFG + 8) = __builtin_bswap16(key);
}

#include "fw_cfg.h"

#endif

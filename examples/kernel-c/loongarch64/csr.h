/* SPDX-License-Identifier: MIT */
/* Numbers of control and status registers, for C and assembly: LoongArch Reference Manual, Volume 1, 7.4. */
#ifndef CSR_H
#define CSR_H

#define CRMD 0x0
#define PRMD 0x1
#define EUEN 0x2
#define MISC 0x3
#define ECFG 0x4
#define ESTAT 0x5
#define ERA 0x6
#define BADV 0x7
#define EENTRY 0xc
#define ASID 0x18
#define PGDL 0x19
#define PGDH 0x1a
#define PGD 0x1b
#define PWCL 0x1c
#define PWCH 0x1d
#define STLBPS 0x1e
#define CPUID 0x20
#define SAVE0 0x30
#define SAVE1 0x31
#define TCFG 0x41
#define TICLR 0x44
#define TLBRENTRY 0x88
#define TLBRBADV 0x89
#define TLBRSAVE 0x8b
#define TLBRELO0 0x8c
#define TLBRELO1 0x8d
#define TLBREHI 0x8e
#define DMW0 0x180
#define DMW1 0x181

/* Pages of 16 KiB, as Linux has them by default. QEMU before 8.2 has no smaller ones. */
#define PAGE_SHIFT 14

#define MISC_DRDTL3 (1ul << 7) /* programs may not read the counter */
#define CRMD_IE 4
#define CRMD_PG 0x10
#define PRMD_USER 7 /* back to PLV3, with interrupts */

#endif

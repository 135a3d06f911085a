/* SPDX-License-Identifier: MIT */
/* Calls each function of a vdso.h without a data page; kernel.c does so for one with it. */
#include KERNEL_HEADER

int k_read(int clock, uint64_t counter, int64_t *sec, uint32_t *nsec)
{
	return vdso_read(clock, counter, sec, nsec);
}

int k_getres(int clock, int64_t *sec, uint32_t *nsec)
{
	return vdso_getres(clock, sec, nsec);
}

#ifdef __riscv
#ifdef VDSO_COUNTER_OFFSET
uint64_t k_counter(const volatile void *page)
{
	return vdso_counter(page);
}
#else
uint64_t k_counter(void)
{
	return vdso_counter();
}
#endif
#endif

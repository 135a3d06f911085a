/* SPDX-License-Identifier: MIT */
/* A kernel of a line a call for kernel_side.py: the functions of vdso_data.h with addresses. */
#include KERNEL_HEADER

int k_init(struct vdso_data *d, uint64_t hz) { return vdso_data_init(d, hz); }
void k_begin(struct vdso_data *d) { vdso_data_begin(d); }
void k_end(struct vdso_data *d) { vdso_data_end(d); }
void k_disable(struct vdso_data *d) { vdso_data_disable(d); }
int k_set_realtime(struct vdso_data *d, uint64_t counter, int64_t sec, uint32_t nsec)
{
	return vdso_data_set_realtime(d, counter, sec, nsec);
}
int k_set_monotonic(struct vdso_data *d, uint64_t counter, int64_t sec, uint32_t nsec)
{
	return vdso_data_set_monotonic(d, counter, sec, nsec);
}
int k_adjust(struct vdso_data *d, uint64_t counter, int64_t ppb) { return vdso_data_adjust(d, counter, ppb); }
void k_set_tai_offset(struct vdso_data *d, int32_t sec) { vdso_data_set_tai_offset(d, sec); }
int k_suspend(struct vdso_data *d, uint64_t counter) { return vdso_data_suspend(d, counter); }
int k_resume(struct vdso_data *d, uint64_t counter, uint64_t slept_ns) { return vdso_data_resume(d, counter, slept_ns); }
int k_set_tick(struct vdso_data *d, uint64_t counter, uint32_t nsec) { return vdso_data_set_tick(d, counter, nsec); }
int k_tick(struct vdso_data *d, uint64_t counter) { return vdso_data_tick(d, counter); }
int k_read(const struct vdso_data *d, int clock, uint64_t counter, int64_t *sec, uint32_t *nsec)
{
	return vdso_data_read(d, clock, counter, sec, nsec);
}
int k_getres(const struct vdso_data *d, int clock, int64_t *sec, uint32_t *nsec)
{
	return vdso_data_getres(d, clock, sec, nsec);
}

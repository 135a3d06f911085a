/* SPDX-License-Identifier: MIT */
/*
 * The data page of a vDSO made by scons-vdso: its layout, and the kernel's side of the clock.
 *
 * The kernel writes the page, user space reads it. The stubs of the image include this very file, so the two sides
 * cannot drift apart; the Rust module (templates/vdso.rs.j2) states the same layout again and must change with it.
 * Freestanding C99 with GNU builtins, also C++.
 *
 * The protocol. There is one row a clock. Its `state` holds in bits 0 to 5 the shift of the row, in bit 6 whether the
 * row is valid, and above that a count that only ever goes down. A writer marks the rows invalid, writes, and marks
 * them valid again, each time with a lower count. A reader loads `state`, then the counter and the row, then `state`
 * again, and believes them only if (first | 64) == second: a valid row that nobody touched. In all other cases (a
 * writer at work or died, the clock not served, no init, disabled) it makes the system call. It never waits.
 *
 * In a valid row, with x = (counter - base) << shift in 64 bits, high() the upper half of a 128-bit product, and a
 * counter below `base` read as `base`:
 *
 *	ns   = high(x * mult) + nsec
 *	q    = high(ns * k) >> 29		(= ns / 10^9, exact below 1.2 * 10^19)
 *	time = sec + q seconds, ns - q * giga nanoseconds
 *
 * The kernel's side: every function here is called under one lock of the kernel, `read` and `getres` too; from any
 * context that may take that lock, interrupt handlers as well where it is only ever held with interrupts off, but no NMI.
 * Between begin and end the lock stays held. None of them sleeps, loops for long, or allocates. User space takes no lock.
 *
 * A `counter` is what the counter of user mode showed, on any CPU. Where a call takes one, it is read under the lock as
 * well, and
 *
 *	after begin	for set_monotonic, adjust, suspend, resume, which do nothing outside of begin and end;
 *	at any time	for set_realtime (as near to what `sec` and `nsec` speak of as can be) and read; there, with more
 *			than one CPU, between fences that order the counter, which a lock does not: fence.h names them.
 */
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <stdint.h>

#include "fence.h"

#ifndef __SIZEOF_INT128__
#error "vdso_data.h needs a 64-bit compiler with __int128"
#endif

/* Clock ids of Linux (include/uapi/linux/time.h) that the page serves; VDSO_CLOCKS has a bit for each. */
#define VDSO_REALTIME 0
#define VDSO_MONOTONIC 1
#define VDSO_MONOTONIC_RAW 4
#define VDSO_REALTIME_COARSE 5
#define VDSO_MONOTONIC_COARSE 6
#define VDSO_BOOTTIME 7
#define VDSO_TAI 11
#define VDSO_CLOCKS 0x8f3u
#define VDSO_WALL_CLOCKS 0x821u
#define VDSO_SLEEP_CLOCKS 0x8a1u /* those that go on in sleep: the wall clocks and BOOTTIME */
#define VDSO_ROWS 12

#define VDSO_HZ_MIN 32768u
#define VDSO_HZ_MAX 4000000000u
#define VDSO_PPB_MAX 100000000
#define VDSO_NSEC_PER_SEC 1000000000u
#define VDSO_K 0x89705f4136b4a598u /* 2^93 / 10^9, rounded up */
#define VDSO_K_SHIFT 29

#define VDSO_STATE_SHIFT 63u
#define VDSO_STATE_VALID 64u

#define VDSO_DATA_SIZE 4096

/* The kernel's own part of the page, its last 512 bytes, as words that are read and written whole. */
#define VDSO_EXTRA_OFFSET 3584
#define VDSO_EXTRA_WORDS 64

/* What a reader loads. 64 bytes, so that a reader touches one cache line. */
struct vdso_row {
	uint64_t state;
	uint64_t mult;
	uint64_t base;
	uint64_t nsec;
	int64_t sec;
	uint64_t k;
	uint64_t giga;
	uint64_t res; /* resolution in nanoseconds; never changes after init */
};

struct vdso_data {
	struct vdso_row row[VDSO_ROWS]; /* the index is the clock id; rows of other clocks stay zero */

	/* From here on the writer's own: no reader in user space looks at it. */
	uint64_t hz;		      /* 0: no init, or a refused one */
	uint64_t count;		      /* what the states count, a multiple of 128 */
	uint64_t served;	      /* a bit for each clock that has a time */
	uint64_t depth;		      /* begins without their end */
	uint64_t disabled;	      /* 1 after disable */
	int64_t tai_offset;	      /* TAI - REALTIME in seconds */
	uint64_t fraction[VDSO_ROWS]; /* of the time at `base` beyond `nsec`, in units of 2^-64 ns */
	uint64_t rate;		      /* mult of every row but MONOTONIC_RAW while time runs */
	uint64_t suspended;	      /* 1 between suspend and resume: every mult is 0 */
	uint64_t reserved[332];	      /* for more state of the writer; zero */

	/* The kernel's, for functions of its own in the vDSO: init clears it, nothing here touches it again. VDSO_STORE. */
	uint64_t extra[VDSO_EXTRA_WORDS];
};

/* What to place in memory and to map: a page of its own, so that no neighbour is ever exposed. */
union vdso_data_page {
	struct vdso_data data;
	uint8_t bytes[VDSO_DATA_SIZE];
} __attribute__((aligned(VDSO_DATA_SIZE)));

#define VDSO_DATA_ASSERT(name, condition) typedef char vdso_data_assert_##name[(condition) ? 1 : -1]
#define VDSO_DATA_OFFSET_IS(field, offset) \
	VDSO_DATA_ASSERT(field, __builtin_offsetof(struct vdso_data, field) == (offset))
VDSO_DATA_ASSERT(row_size, sizeof(struct vdso_row) == 64);
VDSO_DATA_ASSERT(row_mult, __builtin_offsetof(struct vdso_row, mult) == 8);
VDSO_DATA_ASSERT(row_base, __builtin_offsetof(struct vdso_row, base) == 16);
VDSO_DATA_ASSERT(row_nsec, __builtin_offsetof(struct vdso_row, nsec) == 24);
VDSO_DATA_ASSERT(row_sec, __builtin_offsetof(struct vdso_row, sec) == 32);
VDSO_DATA_ASSERT(row_k, __builtin_offsetof(struct vdso_row, k) == 40);
VDSO_DATA_ASSERT(row_giga, __builtin_offsetof(struct vdso_row, giga) == 48);
VDSO_DATA_ASSERT(row_res, __builtin_offsetof(struct vdso_row, res) == 56);
VDSO_DATA_OFFSET_IS(hz, 768);
VDSO_DATA_OFFSET_IS(count, 776);
VDSO_DATA_OFFSET_IS(served, 784);
VDSO_DATA_OFFSET_IS(depth, 792);
VDSO_DATA_OFFSET_IS(disabled, 800);
VDSO_DATA_OFFSET_IS(tai_offset, 808);
VDSO_DATA_OFFSET_IS(fraction, 816);
VDSO_DATA_OFFSET_IS(rate, 912);
VDSO_DATA_OFFSET_IS(suspended, 920);
VDSO_DATA_OFFSET_IS(reserved, 928);
VDSO_DATA_OFFSET_IS(extra, 3584);
VDSO_DATA_ASSERT(extra_offset, __builtin_offsetof(struct vdso_data, extra) == VDSO_EXTRA_OFFSET);
VDSO_DATA_ASSERT(extra_end, VDSO_EXTRA_OFFSET + 8 * VDSO_EXTRA_WORDS == VDSO_DATA_SIZE);
VDSO_DATA_ASSERT(size, sizeof(struct vdso_data) == VDSO_DATA_SIZE);
VDSO_DATA_ASSERT(page_size, sizeof(union vdso_data_page) == VDSO_DATA_SIZE);

/* One copy of a field that the other side may access at the same time: never split, repeated or left out. */
#define VDSO_LOAD(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define VDSO_STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

/* ---- What both sides compute. One text, so that vDSO and system call cannot disagree. ---- */

__extension__ typedef unsigned __int128 vdso_uint128;

static inline uint64_t vdso_mul_high(uint64_t a, uint64_t b)
{
	return (uint64_t)((vdso_uint128)a * b >> 64);
}

/* Nanoseconds from the row's `sec` to `counter`, from the other values of the row. */
static inline uint64_t vdso_row_ns(uint64_t state, uint64_t mult, uint64_t base, uint64_t nsec, uint64_t counter)
{
	if (__builtin_expect(counter < base, 0)) /* another CPU's counter may be some ticks behind */
		counter = base;
	return vdso_mul_high((counter - base) << (state & VDSO_STATE_SHIFT), mult) + nsec;
}

/* Whole seconds in `ns`. */
static inline uint64_t vdso_row_seconds(uint64_t ns, uint64_t k)
{
	return vdso_mul_high(ns, k) >> VDSO_K_SHIFT;
}

/* ---- The kernel's side. ---- */

/* ceil(value * 2^zeros / divisor), by hand: a 128-bit division would call libgcc. divisor < 2^63, result < 2^64. */
static inline uint64_t vdso_data_ratio(uint32_t value, unsigned zeros, uint64_t divisor)
{
	uint64_t quotient = 0, rest = 0;
	unsigned bit;

	for (bit = 32 + zeros; bit-- > 0;) {
		rest <<= 1;
		if (bit >= zeros)
			rest |= value >> (bit - zeros) & 1;
		quotient <<= 1;
		if (rest >= divisor) {
			rest -= divisor;
			quotient |= 1;
		}
	}
	return quotient + (rest != 0);
}

/* Marks every row invalid. The fence keeps all that follows behind the mark, the counter read included. */
static inline void vdso_data_open(struct vdso_data *d)
{
	unsigned clock;

	d->count -= 2 * VDSO_STATE_VALID;
	for (clock = 0; clock < VDSO_ROWS; clock++)
		if (VDSO_CLOCKS >> clock & 1)
			VDSO_STORE(d->row[clock].state, d->count | (d->row[clock].state & VDSO_STATE_SHIFT));
	vdso_fence_mark();
}

/* Marks the rows of all clocks that have a time valid, behind all that was written to them. */
static inline void vdso_data_publish(struct vdso_data *d)
{
	unsigned clock;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (clock = 0; clock < VDSO_ROWS; clock++)
		if (d->served >> clock & 1)
			VDSO_STORE(d->row[clock].state,
				   (d->count - VDSO_STATE_VALID) | (d->row[clock].state & VDSO_STATE_SHIFT));
}

/*
 * Makes a page of anything: clears all 4096 bytes, then starts MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE and BOOTTIME
 * at counter * 10^9 / timebase_hz nanoseconds. REALTIME, REALTIME_COARSE and TAI have no time before set_realtime.
 *
 * Never on a page that is in use, that is, one that was initialised before and is mapped: a reader that slept through
 * it could believe a mix. A page of zeros may be mapped already.
 *
 * timebase_hz outside 32768 to 4 * 10^9 is refused: the page is left all zero, every clock asks the kernel, `read` and
 * `getres` answer -1 and all other calls do nothing.
 */
static inline void vdso_data_init(struct vdso_data *d, uint64_t timebase_hz)
{
	uint64_t *word = (uint64_t *)(void *)d;
	uint64_t mult, res;
	unsigned clock, i, shift = 0;

	for (i = 0; i < VDSO_DATA_SIZE / sizeof(*word); i++)
		VDSO_STORE(word[i], 0);
	if (timebase_hz < VDSO_HZ_MIN || timebase_hz > VDSO_HZ_MAX)
		return;
	while (timebase_hz << shift < 2 * (uint64_t)VDSO_NSEC_PER_SEC) /* mult <= 2^63: one bit of headroom */
		shift++;
	mult = vdso_data_ratio(VDSO_NSEC_PER_SEC, 64 - shift, timebase_hz);
	res = vdso_data_ratio(VDSO_NSEC_PER_SEC, 0, timebase_hz);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		struct vdso_row *row = &d->row[clock];

		if (!(VDSO_CLOCKS >> clock & 1))
			continue;
		VDSO_STORE(row->state, shift);
		VDSO_STORE(row->mult, mult);
		VDSO_STORE(row->k, VDSO_K);
		VDSO_STORE(row->giga, VDSO_NSEC_PER_SEC);
		VDSO_STORE(row->res, res);
	}
	d->hz = timebase_hz;
	d->rate = mult;
	d->served = VDSO_CLOCKS & ~VDSO_WALL_CLOCKS;
	vdso_data_open(d);
	vdso_data_publish(d);
}

/* From here to the matching `end` user space asks the kernel, and all changes between become visible as one. Nests. */
static inline void vdso_data_begin(struct vdso_data *d)
{
	if (d->hz && d->depth++ == 0 && !d->disabled)
		vdso_data_open(d);
}

/* An `end` without its `begin` does nothing. */
static inline void vdso_data_end(struct vdso_data *d)
{
	if (d->depth && --d->depth == 0 && !d->disabled)
		vdso_data_publish(d);
}

/* Sets the time that a row shows at `counter`. */
static inline void vdso_data_place(struct vdso_data *d, unsigned clock, uint64_t counter, int64_t sec, uint64_t nsec)
{
	struct vdso_row *row = &d->row[clock];

	VDSO_STORE(row->base, counter);
	VDSO_STORE(row->sec, sec);
	VDSO_STORE(row->nsec, nsec);
	d->fraction[clock] = 0;
}

/*
 * Makes `counter` the base of a row without moving its time. What is beyond the nanosecond goes into `fraction`: dropped,
 * it would add up. A counter that is behind the base, another CPU's, leaves the row as it is: it reads as the base.
 */
static inline void vdso_data_rebase(struct vdso_data *d, unsigned clock, uint64_t counter)
{
	struct vdso_row *row = &d->row[clock];
	vdso_uint128 ns;
	uint64_t nsec;

	if (counter <= row->base)
		return;
	ns = (vdso_uint128)((counter - row->base) << (row->state & VDSO_STATE_SHIFT)) * row->mult + d->fraction[clock];
	nsec = row->nsec + (uint64_t)(ns >> 64);
	vdso_data_place(d, clock, counter, (int64_t)((uint64_t)row->sec + nsec / VDSO_NSEC_PER_SEC),
			nsec % VDSO_NSEC_PER_SEC);
	d->fraction[clock] = (uint64_t)ns;
}

/*
 * REALTIME was sec + nsec / 10^9 seconds after 1970 when the counter was `counter`; any sec, negative too, where the
 * nanoseconds count forward. TAI follows, the uptime clocks don't. nsec of 10^9 or more is refused: nothing changes. A
 * single call outside begin and end is legal and publishes by itself. On a disabled page it sets what `read` answers.
 */
static inline void vdso_data_set_realtime(struct vdso_data *d, uint64_t counter, int64_t sec, uint32_t nsec)
{
	unsigned clock;

	if (!d->hz || nsec >= VDSO_NSEC_PER_SEC)
		return;
	vdso_data_begin(d);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		uint64_t offset = clock == VDSO_TAI ? (uint64_t)d->tai_offset : 0;

		if (VDSO_WALL_CLOCKS >> clock & 1)
			vdso_data_place(d, clock, counter, (int64_t)((uint64_t)sec + offset), nsec);
	}
	d->served |= VDSO_WALL_CLOCKS;
	vdso_data_end(d);
}

/*
 * TAI is REALTIME + sec from here on (0 after init; 37 since 2017), any sec. A single call outside begin and end is legal
 * and publishes by itself. It may come before set_realtime.
 */
static inline void vdso_data_set_tai_offset(struct vdso_data *d, int32_t sec)
{
	struct vdso_row *row = &d->row[VDSO_TAI];

	if (!d->hz)
		return;
	vdso_data_begin(d);
	VDSO_STORE(row->sec, (int64_t)((uint64_t)row->sec + (uint64_t)sec - (uint64_t)d->tai_offset));
	d->tai_offset = sec;
	vdso_data_end(d);
}

/*
 * The four calls below move what MONOTONIC reads, so they are for between begin and end only, with a counter that was
 * read after `begin`: one read earlier may be behind what another CPU's user space has read meanwhile, and time would
 * go back there. Outside of begin and end they do nothing.
 */

/*
 * MONOTONIC was sec + nsec / 10^9 seconds when the counter was `counter`, and BOOTTIME moves by as much; for a kernel
 * whose clock was running before the page was. Forward only: a time before the present one is refused, and so is nsec of
 * 10^9 or more: nothing changes.
 */
static inline void vdso_data_set_monotonic(struct vdso_data *d, uint64_t counter, int64_t sec, uint32_t nsec)
{
	const struct vdso_row *now = &d->row[VDSO_MONOTONIC], *boot = &d->row[VDSO_BOOTTIME];
	uint64_t ns, whole, asleep, boot_nsec;

	if (!d->depth || nsec >= VDSO_NSEC_PER_SEC)
		return;
	ns = vdso_row_ns(now->state, now->mult, now->base, now->nsec, counter);
	whole = (uint64_t)now->sec + ns / VDSO_NSEC_PER_SEC;
	if (sec < (int64_t)whole || (sec == (int64_t)whole && nsec < ns % VDSO_NSEC_PER_SEC))
		return;
	/* The two rows have the same base and rate: what they differ by is whole nanoseconds, the sleep. */
	asleep = (uint64_t)boot->sec - (uint64_t)now->sec;
	boot_nsec = nsec + VDSO_NSEC_PER_SEC + boot->nsec - now->nsec;
	vdso_data_place(d, VDSO_MONOTONIC, counter, sec, nsec);
	vdso_data_place(d, VDSO_MONOTONIC_COARSE, counter, sec, nsec);
	vdso_data_place(d, VDSO_BOOTTIME, counter, (int64_t)((uint64_t)sec + asleep + boot_nsec / VDSO_NSEC_PER_SEC - 1),
			boot_nsec % VDSO_NSEC_PER_SEC);
}

/*
 * From `counter` on all clocks but MONOTONIC_RAW run (10^9 + ppb) / 10^9 times as fast as timebase_hz says, in place of
 * the rate before. No clock jumps. ppb outside -VDSO_PPB_MAX to VDSO_PPB_MAX (10 %) is refused: nothing changes.
 * Between suspend and resume it is the rate that resume starts with.
 */
static inline void vdso_data_adjust(struct vdso_data *d, uint64_t counter, int64_t ppb)
{
	unsigned clock;

	if (!d->depth || ppb < -VDSO_PPB_MAX || ppb > VDSO_PPB_MAX)
		return;
	d->rate = vdso_data_ratio((uint32_t)(VDSO_NSEC_PER_SEC + ppb),
				  64 - (unsigned)(d->row[VDSO_MONOTONIC].state & VDSO_STATE_SHIFT), d->hz);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		if (!(VDSO_CLOCKS >> clock & 1) || clock == VDSO_MONOTONIC_RAW || d->suspended)
			continue;
		vdso_data_rebase(d, clock, counter);
		VDSO_STORE(d->row[clock].mult, d->rate);
	}
}

/*
 * Before sleep: every clock stands still at what it shows at `counter`, until resume. Between the two the counter may do
 * what it likes, start anew too. A second suspend does nothing.
 */
static inline void vdso_data_suspend(struct vdso_data *d, uint64_t counter)
{
	unsigned clock;

	if (!d->depth || d->suspended)
		return;
	d->suspended = 1;
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		if (!(VDSO_CLOCKS >> clock & 1))
			continue;
		vdso_data_rebase(d, clock, counter);
		VDSO_STORE(d->row[clock].mult, 0);
	}
}

/*
 * After sleep: the clocks go on from `counter`: MONOTONIC and MONOTONIC_RAW with what they showed at suspend, BOOTTIME,
 * REALTIME and TAI slept_ns later. Without a suspend before it does nothing.
 */
static inline void vdso_data_resume(struct vdso_data *d, uint64_t counter, uint64_t slept_ns)
{
	uint64_t nominal;
	unsigned clock;

	if (!d->depth || !d->suspended)
		return;
	d->suspended = 0;
	nominal = vdso_data_ratio(VDSO_NSEC_PER_SEC,
				  64 - (unsigned)(d->row[VDSO_MONOTONIC].state & VDSO_STATE_SHIFT), d->hz);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		struct vdso_row *row = &d->row[clock];
		uint64_t slept = VDSO_SLEEP_CLOCKS >> clock & 1 ? slept_ns : 0;
		uint64_t nsec = row->nsec + slept % VDSO_NSEC_PER_SEC;

		if (!(VDSO_CLOCKS >> clock & 1))
			continue;
		VDSO_STORE(row->base, counter);
		VDSO_STORE(row->mult, clock == VDSO_MONOTONIC_RAW ? nominal : d->rate);
		VDSO_STORE(row->sec, (int64_t)((uint64_t)row->sec + slept / VDSO_NSEC_PER_SEC + nsec / VDSO_NSEC_PER_SEC));
		VDSO_STORE(row->nsec, nsec % VDSO_NSEC_PER_SEC);
	}
}

/* From here on every clock asks the kernel, for ever: the other calls and `read` still work. Also inside begin and end. */
static inline void vdso_data_disable(struct vdso_data *d)
{
	if (!d->hz || d->disabled)
		return;
	if (d->depth == 0)
		vdso_data_open(d);
	d->disabled = 1;
}

/*
 * The kernel's own clock_gettime: what user space reads from the page at `counter`, also while that asks the kernel
 * because the page is disabled or between begin and end. Returns 0; -1 if the page has no time for the clock (another
 * id, REALTIME and TAI before set_realtime, no init): then `sec` and `nsec` are left alone.
 */
static inline int vdso_data_read(const struct vdso_data *d, int clock, uint64_t counter, int64_t *sec, uint32_t *nsec)
{
	const struct vdso_row *row;
	uint64_t ns, seconds;

	if (clock < 0 || clock >= VDSO_ROWS || !(d->served >> clock & 1))
		return -1;
	row = &d->row[clock];
	ns = vdso_row_ns(row->state, row->mult, row->base, row->nsec, counter);
	seconds = vdso_row_seconds(ns, row->k);
	*sec = (int64_t)((uint64_t)row->sec + seconds);
	*nsec = (uint32_t)(ns - seconds * row->giga);
	return 0;
}

/* The kernel's own clock_getres: 10^9 / hz rounded up, for every clock that `read` can answer; else -1. */
static inline int vdso_data_getres(const struct vdso_data *d, int clock, int64_t *sec, uint32_t *nsec)
{
	if (clock < 0 || clock >= VDSO_ROWS || !(d->served >> clock & 1))
		return -1;
	*sec = 0;
	*nsec = (uint32_t)d->row[clock].res;
	return 0;
}

#endif

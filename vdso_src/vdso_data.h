/* SPDX-License-Identifier: MIT */
/*
 * The data page of a vDSO made by scons-vdso: its layout, and the kernel's side of the clock.
 *
 * The kernel writes the page, user space reads it. The stubs of the image include this very file, so the two sides
 * cannot drift apart; the Rust module (templates/vdso_data.rs.j2) states the same layout again and must change with it.
 * Freestanding C99 with GNU builtins, also C++.
 *
 * The protocol. There is one row a clock. Its `state` is negative while the row is valid; bits 0 to 5 are the shift of
 * the row, and what lies above counts down: each time that a row becomes valid, its state is one that it never had
 * before. A writer marks the rows invalid (state is the shift alone), writes, and makes them valid again. A reader loads
 * `state` and makes the system call at once if it is not negative; so on a page that asks the kernel nobody reads the
 * counter. Else it reads the counter and the row, then `state` again, and believes them only if that has not changed. In
 * all other cases (a writer at work or died, the clock not served, no init, disabled) it makes the system call. It never
 * waits.
 *
 * In a valid row, with high() the upper half of a 128-bit product, and time counted in units of 2^-31 s:
 *
 *	units = high(((counter << shift) - base) * mult)	(all modulo 2^64)
 *	units = floor where that is more
 *	time  = sec + (units >> 31) seconds, high((units << 33) * giga) nanoseconds
 *
 * `sec` is so many seconds (`behind`) before the row was written that a counter which is behind, another CPU's, gives
 * units that are below `floor`: it reads as if it were at the base. `floor` is also what holds time up where the base,
 * which is rounded, would let it go back.
 *
 * The kernel's side: every function here is called under one lock of the kernel, `read` and `getres` too; from any
 * context that may take that lock, interrupt handlers as well where it is only ever held with interrupts off, but no NMI.
 * Between begin and end the lock stays held. None of them sleeps, loops for long, or allocates. User space takes no lock.
 * Those that can refuse answer 0, or -1 where nothing was changed.
 *
 * A `counter` is what vdso_counter() gave, on any CPU. Where a call takes one, it is read under the lock as well, and
 *
 *	after begin	for set_monotonic, adjust, suspend, resume, which do nothing outside of begin and end;
 *	at any time	for set_realtime (as near to what `sec` and `nsec` speak of as can be), tick and read.
 */
#ifndef SCONS_VDSO_DATA_H
#define SCONS_VDSO_DATA_H

#include "clock_ids.h"
#include "counter.h"
#include "fence.h"
#include "language.h"

/* The clocks that the page serves, a bit for each id. */
#define VDSO_CLOCKS 0x8f3u
#define VDSO_WALL_CLOCKS 0x821u
#define VDSO_SLEEP_CLOCKS 0x8a1u  /* those that go on in sleep: the wall clocks and BOOTTIME */
#define VDSO_COARSE_CLOCKS 0x060u /* each is 5 ids above the clock that it follows */
#define VDSO_ROWS 12

#define VDSO_HZ_MIN 32768u
#define VDSO_HZ_MAX 5800000000u
#define VDSO_PPB_MAX 100000000
#define VDSO_NSEC_PER_SEC 1000000000u

#define VDSO_STATE_SHIFT 63u
#define VDSO_STATE_COUNT 64u /* the states of one row that are valid are a multiple of this apart */
#define VDSO_UNIT_BITS 31    /* a unit is 2^-31 s */

#define VDSO_DATA_SIZE 4096

/* The page that it lies in, at the start: vdso.h has the size for which the image was made. */
#ifndef VDSO_PAGE_SIZE
#define VDSO_PAGE_SIZE 4096
#endif

/* The kernel's own part of the page, its last 512 bytes, as words that are read and written whole. */
#define VDSO_EXTRA_OFFSET 3584
#define VDSO_EXTRA_WORDS 64

/* What a reader loads. 64 bytes, so that a reader touches one cache line. */
struct vdso_row {
	uint64_t state;
	uint64_t base;
	uint64_t mult; /* units a tick, times 2^(64 - shift); 0: the row stands still at `floor` */
	uint64_t floor;
	int64_t sec;
	uint64_t giga; /* never changes after init */
	uint64_t res;  /* resolution in nanoseconds; only ever replaced as a whole */
	uint64_t unused;
};

/* What the writer knows exactly: at `counter` the clock showed sec + fraction / 2^64 seconds. */
struct vdso_line {
	uint64_t counter;
	int64_t sec;
	uint64_t fraction;
};

struct vdso_data {
	struct vdso_row row[VDSO_ROWS]; /* the index is the clock id; rows of other clocks stay zero */

	/* From here on the writer's own: no reader in user space looks at it. */
	uint64_t hz;			  /* 0: no init, or a refused one */
	uint64_t count;			  /* what the states count: 0, then ever less, a multiple of VDSO_STATE_COUNT */
	uint64_t served;		  /* a bit for each clock that has a time */
	uint64_t depth;			  /* begins without their end */
	uint64_t disabled;		  /* 1 after disable */
	int64_t tai_offset;		  /* TAI - REALTIME in seconds */
	uint64_t rate;			  /* mult of every row but MONOTONIC_RAW while time runs */
	uint64_t suspended;		  /* 1 between suspend and resume: every mult is 0 */
	uint64_t behind;		  /* seconds from the `sec` of a row to the time at its base */
	uint64_t tick;			  /* nanoseconds between two ticks that the COARSE clocks follow; 0: they don't */
	struct vdso_line line[VDSO_ROWS]; /* of the COARSE clocks only while they follow no tick */
	uint64_t reserved[306];		  /* for more state of the writer; zero */

	/* The kernel's, for functions of its own in the vDSO: init clears it, nothing here touches it again. VDSO_STORE. */
	uint64_t extra[VDSO_EXTRA_WORDS];
};

/* What to place in memory and to map: a page of its own, so that no neighbour is ever exposed. */
union vdso_data_page {
	struct vdso_data data;
	uint8_t bytes[VDSO_PAGE_SIZE];
} __attribute__((aligned(VDSO_PAGE_SIZE)));

#define VDSO_DATA_ASSERT(name, condition) typedef char vdso_data_assert_##name[(condition) ? 1 : -1]
#define VDSO_DATA_OFFSET_IS(field, offset) \
	VDSO_DATA_ASSERT(field, __builtin_offsetof(struct vdso_data, field) == (offset))
VDSO_DATA_ASSERT(row_size, sizeof(struct vdso_row) == 64);
VDSO_DATA_ASSERT(row_base, __builtin_offsetof(struct vdso_row, base) == 8);
VDSO_DATA_ASSERT(row_mult, __builtin_offsetof(struct vdso_row, mult) == 16);
VDSO_DATA_ASSERT(row_floor, __builtin_offsetof(struct vdso_row, floor) == 24);
VDSO_DATA_ASSERT(row_sec, __builtin_offsetof(struct vdso_row, sec) == 32);
VDSO_DATA_ASSERT(row_giga, __builtin_offsetof(struct vdso_row, giga) == 40);
VDSO_DATA_ASSERT(row_res, __builtin_offsetof(struct vdso_row, res) == 48);
VDSO_DATA_ASSERT(row_unused, __builtin_offsetof(struct vdso_row, unused) == 56);
VDSO_DATA_ASSERT(line_size, sizeof(struct vdso_line) == 24);
VDSO_DATA_OFFSET_IS(hz, 768);
VDSO_DATA_OFFSET_IS(count, 776);
VDSO_DATA_OFFSET_IS(served, 784);
VDSO_DATA_OFFSET_IS(depth, 792);
VDSO_DATA_OFFSET_IS(disabled, 800);
VDSO_DATA_OFFSET_IS(tai_offset, 808);
VDSO_DATA_OFFSET_IS(rate, 816);
VDSO_DATA_OFFSET_IS(suspended, 824);
VDSO_DATA_OFFSET_IS(behind, 832);
VDSO_DATA_OFFSET_IS(tick, 840);
VDSO_DATA_OFFSET_IS(line, 848);
VDSO_DATA_OFFSET_IS(reserved, 1136);
VDSO_DATA_OFFSET_IS(extra, 3584);
VDSO_DATA_ASSERT(extra_offset, __builtin_offsetof(struct vdso_data, extra) == VDSO_EXTRA_OFFSET);
VDSO_DATA_ASSERT(extra_end, VDSO_EXTRA_OFFSET + 8 * VDSO_EXTRA_WORDS == VDSO_DATA_SIZE);
VDSO_DATA_ASSERT(size, sizeof(struct vdso_data) == VDSO_DATA_SIZE);
VDSO_DATA_ASSERT(page_size, sizeof(union vdso_data_page) == VDSO_PAGE_SIZE);

/*
 * One copy of a field that the other side may access at the same time: never split, repeated or left out. A volatile
 * access of an aligned word is that to gcc and clang, and unlike an atomic one it takes the field's offset for nothing.
 */
#define VDSO_LOAD(field) (*(const volatile __typeof__(field) *)&(field))
#define VDSO_STORE(field, value) (*(volatile __typeof__(field) *)&(field) = (value))

/* ---- What both sides compute. One text, so that vDSO and system call cannot disagree. ---- */

static inline uint64_t vdso_mul_high(uint64_t a, uint64_t b)
{
	return (uint64_t)((vdso_uint128)a * b >> 64);
}

static inline int vdso_row_is_valid(uint64_t state)
{
	return (int64_t)state < 0;
}

/* Units from the row's `sec` to `counter`, from the other values of the row. */
static inline uint64_t vdso_row_units(uint64_t state, uint64_t base, uint64_t mult, uint64_t floor, uint64_t counter)
{
	uint64_t units = vdso_mul_high((counter << (state & VDSO_STATE_SHIFT)) - base, mult);

	if (__builtin_expect(units < floor, 0))
		units = floor; /* not by `?:`, of which clang makes no branch */
	return units;
}

/* The nanoseconds of a second in `units`. */
static inline uint64_t vdso_row_nsec(uint64_t units, uint64_t giga)
{
	return vdso_mul_high(units << (64 - VDSO_UNIT_BITS), giga);
}

/* ---- The kernel's side. ---- */

/*
 * dividend / divisor by two digits of 32 bits, since the compiler's own division would call libgcc. Each digit is guessed by the
 * upper half of the divisor, which can only be too much. The divisor must be at least 2^61, so that the guess is never far
 * off, and the quotient must have at most 64 bits.
 */
static inline uint64_t vdso_data_divide(vdso_uint128 dividend, uint64_t divisor)
{
	uint64_t high = (uint64_t)(dividend >> 64) / (divisor >> 32), low;

	while ((vdso_uint128)high * divisor > dividend >> 32)
		high--;
	dividend -= (vdso_uint128)high * divisor << 32;
	low = (uint64_t)(dividend >> 32) / (divisor >> 32);
	while ((vdso_uint128)low * divisor > dividend)
		low--;
	return high << 32 | low;
}

/* Times of the writer are in units of 2^-64 s, modulo 2^128: here of sec + nsec / 10^9 seconds. */
static inline vdso_uint128 vdso_data_time(int64_t sec, uint64_t nsec)
{
	const uint64_t k = 0x89705f4136b4a598u; /* 2^93 / 10^9, rounded up */

	return ((vdso_uint128)(uint64_t)sec << 64) + ((vdso_uint128)nsec * k >> 29);
}

static inline vdso_uint128 vdso_line_time(const struct vdso_line *line)
{
	return (vdso_uint128)(uint64_t)line->sec << 64 | line->fraction;
}

static inline void vdso_line_set(struct vdso_line *line, uint64_t counter, vdso_uint128 time)
{
	line->counter = counter;
	line->sec = (int64_t)(uint64_t)(time >> 64);
	line->fraction = (uint64_t)time;
}

/* Marks the rows of `clocks` invalid. The fence keeps all that follows behind the mark, the counter included. */
static inline void vdso_data_open(struct vdso_data *d, uint64_t clocks)
{
	unsigned clock;

	for (clock = 0; clock < VDSO_ROWS; clock++)
		if (clocks >> clock & 1)
			VDSO_STORE(d->row[clock].state, d->row[clock].state & VDSO_STATE_SHIFT);
	vdso_fence_mark();
}

/* Marks those rows of `clocks` valid that have a time, behind all that was written to them. */
static inline void vdso_data_publish(struct vdso_data *d, uint64_t clocks)
{
	unsigned clock;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	d->count -= VDSO_STATE_COUNT;
	for (clock = 0; clock < VDSO_ROWS; clock++)
		if ((clocks & d->served) >> clock & 1)
			VDSO_STORE(d->row[clock].state, d->count | (d->row[clock].state & VDSO_STATE_SHIFT));
}

/* mult of a clock of which timebase_hz ticks are `nsec` nanoseconds, rounded to nearest. */
static inline uint64_t vdso_data_mult(const struct vdso_data *d, uint64_t nsec)
{
	uint64_t divisor = (d->hz << (d->row[VDSO_MONOTONIC].state & VDSO_STATE_SHIFT)) * VDSO_NSEC_PER_SEC;

	return vdso_data_divide(((vdso_uint128)nsec << (64 + VDSO_UNIT_BITS)) + divisor / 2, divisor);
}

/* The clocks whose rows run by themselves. */
static inline uint64_t vdso_data_running(const struct vdso_data *d)
{
	return d->tick ? VDSO_CLOCKS & ~VDSO_COARSE_CLOCKS : VDSO_CLOCKS;
}

/*
 * Writes the row of a clock from its line and the row's `mult`. A reader rounds down to a unit and then to a nanosecond;
 * half of each on top makes that the nearest, and a time of whole nanoseconds is read as just that.
 */
static inline void vdso_data_place(struct vdso_data *d, unsigned clock)
{
	const vdso_uint128 half = 9223372037u + ((uint64_t)1 << (64 - VDSO_UNIT_BITS - 1));
	const struct vdso_line *line = &d->line[clock];
	struct vdso_row *row = &d->row[clock];
	vdso_uint128 time = ((vdso_uint128)d->behind << 64 | line->fraction) + half;
	uint64_t ticks = 0, units = (uint64_t)(time >> (64 - VDSO_UNIT_BITS));

	if (row->mult) {
		ticks = vdso_data_divide((time << VDSO_UNIT_BITS) + row->mult / 2, row->mult);
		units = vdso_mul_high(ticks, row->mult);
	}
	VDSO_STORE(row->base, (line->counter << (row->state & VDSO_STATE_SHIFT)) - ticks);
	VDSO_STORE(row->floor, units);
	VDSO_STORE(row->sec, (int64_t)((uint64_t)line->sec - d->behind));
}

/* What a row shows at `counter`, in units since second 0 of its clock. */
static inline vdso_int128 vdso_data_shown(const struct vdso_row *row, uint64_t counter)
{
	return row->sec * ((vdso_int128)1 << VDSO_UNIT_BITS) +
	       vdso_row_units(row->state, row->base, row->mult, row->floor, counter);
}

/* Lets a row show at least `shown`: its base is rounded, and what was read before must not be more. */
static inline void vdso_data_hold(struct vdso_row *row, vdso_int128 shown)
{
	vdso_int128 units = shown - row->sec * ((vdso_int128)1 << VDSO_UNIT_BITS);

	if (units > (vdso_int128)row->floor)
		VDSO_STORE(row->floor, (uint64_t)units);
}

/*
 * Makes `counter` the base of a line without moving its time. A counter that is behind the base, another CPU's, leaves
 * the line as it is: it reads as the base.
 */
static inline void vdso_data_rebase(struct vdso_data *d, unsigned clock, uint64_t counter)
{
	const struct vdso_row *row = &d->row[clock];
	struct vdso_line *line = &d->line[clock];
	uint64_t ticks = (counter - line->counter) << (row->state & VDSO_STATE_SHIFT);

	if (counter > line->counter)
		vdso_line_set(line, counter,
			      vdso_line_time(line) + ((vdso_uint128)ticks * row->mult >> VDSO_UNIT_BITS));
}

/* From `counter` on a clock runs by `mult`, 0 to stand still, without a jump. */
static inline void vdso_data_bend(struct vdso_data *d, unsigned clock, uint64_t counter, uint64_t mult)
{
	struct vdso_row *row = &d->row[clock];
	vdso_int128 shown = vdso_data_shown(row, counter);

	vdso_data_rebase(d, clock, counter);
	VDSO_STORE(row->mult, mult);
	vdso_data_place(d, clock);
	vdso_data_hold(row, shown);
}

/* Lets a COARSE clock stand at what the clock that it follows shows at `counter`. */
static inline void vdso_data_stand(struct vdso_data *d, unsigned clock, uint64_t counter)
{
	const struct vdso_row *fine = &d->row[clock - VDSO_REALTIME_COARSE];
	struct vdso_row *row = &d->row[clock];

	VDSO_STORE(row->mult, 0);
	VDSO_STORE(row->floor, vdso_row_units(fine->state, fine->base, fine->mult, fine->floor, counter));
	VDSO_STORE(row->sec, fine->sec);
}

/* The same for both, if they follow a tick, but never back: another CPU's counter may be behind that of the last tick. */
static inline void vdso_data_follow(struct vdso_data *d, uint64_t counter)
{
	unsigned clock;

	for (clock = 0; clock < VDSO_ROWS; clock++) {
		vdso_int128 shown;

		if (!d->tick || !(VDSO_COARSE_CLOCKS >> clock & 1))
			continue;
		shown = vdso_data_shown(&d->row[clock], counter);
		vdso_data_stand(d, clock, counter);
		vdso_data_hold(&d->row[clock], shown);
	}
}

/*
 * Makes a page of anything: clears all of vdso_data, then starts MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE and BOOTTIME
 * at counter * 10^9 / timebase_hz nanoseconds. REALTIME, REALTIME_COARSE and TAI have no time before set_realtime.
 *
 * Never on a page that is in use, that is, one that was initialised before and is mapped: a reader that slept through
 * it could believe a mix. A page of zeros may be mapped already.
 *
 * timebase_hz outside VDSO_HZ_MIN to VDSO_HZ_MAX is refused: the page is left all zero, every clock asks the kernel, and
 * all other calls do nothing.
 */
static inline VDSO_MUST_USE int vdso_data_init(struct vdso_data *d, uint64_t timebase_hz)
{
	const uint64_t century = 3155760000u; /* seconds that a row is right for without being touched */
	uint64_t *word = (uint64_t *)(void *)d;
	uint64_t shift = 0;
	unsigned clock, i;

	for (i = 0; i < VDSO_DATA_SIZE / sizeof(*word); i++)
		VDSO_STORE(word[i], 0);
	if (timebase_hz < VDSO_HZ_MIN || timebase_hz > VDSO_HZ_MAX)
		return -1;
	/* mult is below 2^64 at the fastest rate, which is 1 + VDSO_PPB_MAX / 10^9. */
	while (10 * (timebase_hz << shift) <= 11 * ((uint64_t)1 << VDSO_UNIT_BITS))
		shift++;
	d->hz = timebase_hz;
	/* The shifted counter wraps; what is left beside a century is for counters that are behind, at the slowest rate. */
	d->behind = (~(uint64_t)0 / (timebase_hz << shift) - century) / 10 * 9;
	d->served = VDSO_CLOCKS & ~VDSO_WALL_CLOCKS;
	for (clock = 0; clock < VDSO_ROWS; clock++)
		if (VDSO_CLOCKS >> clock & 1)
			VDSO_STORE(d->row[clock].state, shift);
	d->rate = vdso_data_mult(d, VDSO_NSEC_PER_SEC);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		struct vdso_row *row = &d->row[clock];

		if (!(VDSO_CLOCKS >> clock & 1))
			continue;
		VDSO_STORE(row->mult, d->rate);
		VDSO_STORE(row->giga, VDSO_NSEC_PER_SEC);
		VDSO_STORE(row->res, (VDSO_NSEC_PER_SEC + timebase_hz - 1) / timebase_hz);
		vdso_data_place(d, clock);
	}
	vdso_data_publish(d, VDSO_CLOCKS);
	return 0;
}

/* From here to the matching `end` user space asks the kernel, and all changes between become visible as one. Nests. */
static inline void vdso_data_begin(struct vdso_data *d)
{
	if (d->hz && d->depth++ == 0 && !d->disabled)
		vdso_data_open(d, VDSO_CLOCKS);
}

/* An `end` without its `begin` does nothing. */
static inline void vdso_data_end(struct vdso_data *d)
{
	if (d->depth && --d->depth == 0 && !d->disabled)
		vdso_data_publish(d, VDSO_CLOCKS);
}

/*
 * The kernel's own clock_gettime: what user space reads from the page at `counter`, also while that asks the kernel
 * because the page is disabled or between begin and end. Returns 0; -1 if the page has no time for the clock (another
 * id, REALTIME and TAI before set_realtime, no init): then `sec` and `nsec` are left alone.
 */
static inline VDSO_MUST_USE int vdso_data_read(const struct vdso_data *d, int clock, uint64_t counter, int64_t *sec, uint32_t *nsec)
{
	const struct vdso_row *row;
	uint64_t units;

	if (clock < 0 || clock >= VDSO_ROWS || !(d->served >> clock & 1))
		return -1;
	row = &d->row[clock];
	units = vdso_row_units(row->state, row->base, row->mult, row->floor, counter);
	*sec = (int64_t)((uint64_t)row->sec + (units >> VDSO_UNIT_BITS));
	*nsec = (uint32_t)vdso_row_nsec(units, row->giga);
	return 0;
}

/* The kernel's own clock_getres, for every clock that `read` can answer: 10^9 / hz rounded up, or the tick; else -1. */
static inline VDSO_MUST_USE int vdso_data_getres(const struct vdso_data *d, int clock, int64_t *sec, uint32_t *nsec)
{
	if (clock < 0 || clock >= VDSO_ROWS || !(d->served >> clock & 1))
		return -1;
	*sec = 0;
	*nsec = (uint32_t)d->row[clock].res;
	return 0;
}

/*
 * REALTIME was sec + nsec / 10^9 seconds after 1970 when the counter was `counter`; any sec, negative too, where the
 * nanoseconds count forward. TAI follows, the uptime clocks don't. nsec of 10^9 or more is refused. A single call outside
 * begin and end is legal and publishes by itself. On a disabled page it sets what `read` answers. A kernel that no clock
 * tells the date calls it at boot with 0: REALTIME is then 1970 plus the uptime, as on Linux.
 */
static inline VDSO_MUST_USE int vdso_data_set_realtime(struct vdso_data *d, uint64_t counter, int64_t sec, uint32_t nsec)
{
	unsigned clock;

	if (!d->hz || nsec >= VDSO_NSEC_PER_SEC)
		return -1;
	vdso_data_begin(d);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		int64_t offset = clock == VDSO_TAI ? d->tai_offset : 0;

		if (!((VDSO_WALL_CLOCKS & vdso_data_running(d)) >> clock & 1))
			continue;
		vdso_line_set(&d->line[clock], counter, vdso_data_time(sec, nsec) + vdso_data_time(offset, 0));
		vdso_data_place(d, clock);
	}
	if (d->tick)
		vdso_data_stand(d, VDSO_REALTIME_COARSE, counter);
	d->served |= VDSO_WALL_CLOCKS;
	vdso_data_end(d);
	return 0;
}

/*
 * TAI is REALTIME + sec from here on (0 after init; 37 since 2017), any sec. A single call outside begin and end is legal
 * and publishes by itself. It may come before set_realtime.
 */
static inline void vdso_data_set_tai_offset(struct vdso_data *d, int32_t sec)
{
	uint64_t moved = (uint64_t)sec - (uint64_t)d->tai_offset;

	if (!d->hz)
		return;
	vdso_data_begin(d);
	d->line[VDSO_TAI].sec = (int64_t)((uint64_t)d->line[VDSO_TAI].sec + moved);
	VDSO_STORE(d->row[VDSO_TAI].sec, (int64_t)((uint64_t)d->row[VDSO_TAI].sec + moved));
	d->tai_offset = sec;
	vdso_data_end(d);
}

/*
 * The COARSE clocks follow the kernel's tick from here on: they stand still at what REALTIME and MONOTONIC showed at the
 * last call of vdso_data_tick, or of another that moves them, and `nsec`, the time between two ticks, is their resolution.
 * nsec of 0, of less than the resolution of the other clocks, and of 10^9 or more is refused. A single call outside begin
 * and end is legal and publishes by itself.
 */
static inline VDSO_MUST_USE int vdso_data_set_tick(struct vdso_data *d, uint64_t counter, uint32_t nsec)
{
	if (!d->hz || nsec < d->row[VDSO_MONOTONIC].res || nsec >= VDSO_NSEC_PER_SEC)
		return -1;
	vdso_data_begin(d);
	d->tick = nsec;
	VDSO_STORE(d->row[VDSO_REALTIME_COARSE].res, nsec);
	VDSO_STORE(d->row[VDSO_MONOTONIC_COARSE].res, nsec);
	vdso_data_follow(d, counter);
	vdso_data_end(d);
	return 0;
}

/*
 * The kernel's tick, from any CPU. It is refused before vdso_data_set_tick. Outside of begin and end it marks the two
 * COARSE rows alone, so that nobody who reads another clock asks the kernel for it.
 */
static inline VDSO_MUST_USE int vdso_data_tick(struct vdso_data *d, uint64_t counter)
{
	int open = !d->depth && !d->disabled;

	if (!d->tick)
		return -1;
	if (open)
		vdso_data_open(d, VDSO_COARSE_CLOCKS);
	vdso_data_follow(d, counter);
	if (open)
		vdso_data_publish(d, VDSO_COARSE_CLOCKS);
	return 0;
}

/*
 * The four calls below move what MONOTONIC reads, so they are for between begin and end only, with a counter that was
 * read after `begin`: one read earlier may be behind what another CPU's user space has read meanwhile, and time would
 * go back there. Outside of begin and end they are refused.
 */

/*
 * MONOTONIC was sec + nsec / 10^9 seconds when the counter was `counter`, and BOOTTIME moves by as much; for a kernel
 * whose clock was running before the page was. Forward only: a time before the present one is refused, and so is nsec of
 * 10^9 or more.
 */
static inline VDSO_MUST_USE int vdso_data_set_monotonic(struct vdso_data *d, uint64_t counter, int64_t sec, uint32_t nsec)
{
	const uint64_t moves = VDSO_CLOCKS & ~VDSO_WALL_CLOCKS & ~(1u << VDSO_MONOTONIC_RAW);
	const vdso_uint128 time = vdso_data_time(sec, nsec);
	vdso_uint128 moved;
	int64_t now_sec;
	uint32_t now_nsec;
	unsigned clock;

	if (!d->depth || nsec >= VDSO_NSEC_PER_SEC || vdso_data_read(d, VDSO_MONOTONIC, counter, &now_sec, &now_nsec))
		return -1;
	if (sec < now_sec || (sec == now_sec && nsec < now_nsec))
		return -1;
	vdso_data_rebase(d, VDSO_MONOTONIC, counter);
	moved = time - vdso_line_time(&d->line[VDSO_MONOTONIC]);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		struct vdso_row *row = &d->row[clock];
		vdso_int128 shown;

		if (!((moves & vdso_data_running(d)) >> clock & 1))
			continue;
		shown = vdso_data_shown(row, counter);
		vdso_data_rebase(d, clock, counter);
		vdso_line_set(&d->line[clock], counter, vdso_line_time(&d->line[clock]) + moved);
		vdso_data_place(d, clock);
		vdso_data_hold(row, shown);
	}
	vdso_data_follow(d, counter);
	return 0;
}

/*
 * From `counter` on all clocks but MONOTONIC_RAW run (10^9 + ppb) / 10^9 times as fast as timebase_hz says, in place of
 * the rate before. No clock jumps. ppb outside -VDSO_PPB_MAX to VDSO_PPB_MAX (10 %) is refused. Between suspend and resume
 * it is the rate that resume starts with.
 */
static inline VDSO_MUST_USE int vdso_data_adjust(struct vdso_data *d, uint64_t counter, int64_t ppb)
{
	unsigned clock;

	if (!d->depth || ppb < -VDSO_PPB_MAX || ppb > VDSO_PPB_MAX)
		return -1;
	d->rate = vdso_data_mult(d, (uint64_t)(VDSO_NSEC_PER_SEC + ppb));
	for (clock = 0; clock < VDSO_ROWS && !d->suspended; clock++)
		if (vdso_data_running(d) >> clock & 1 && clock != VDSO_MONOTONIC_RAW)
			vdso_data_bend(d, clock, counter, d->rate);
	return 0;
}

/*
 * Before sleep: every clock stands still at what it shows at `counter`, until resume. Between the two the counter may do
 * what it likes, start anew too. Where it has done so without notice, `counter` is the last one that the kernel read before:
 * that and resume mend every clock, MONOTONIC_RAW too. A second suspend is refused.
 */
static inline VDSO_MUST_USE int vdso_data_suspend(struct vdso_data *d, uint64_t counter)
{
	unsigned clock;

	if (!d->depth || d->suspended)
		return -1;
	d->suspended = 1;
	for (clock = 0; clock < VDSO_ROWS; clock++)
		if (vdso_data_running(d) >> clock & 1)
			vdso_data_bend(d, clock, counter, 0);
	return 0;
}

/*
 * After sleep: the clocks go on from `counter`: MONOTONIC and MONOTONIC_RAW with what they showed at suspend, BOOTTIME,
 * REALTIME and TAI slept_ns later. It is refused without a suspend before it.
 */
static inline VDSO_MUST_USE int vdso_data_resume(struct vdso_data *d, uint64_t counter, uint64_t slept_ns)
{
	const vdso_uint128 slept =
		vdso_data_time((int64_t)(slept_ns / VDSO_NSEC_PER_SEC), slept_ns % VDSO_NSEC_PER_SEC);
	uint64_t nominal;
	unsigned clock;

	if (!d->depth || !d->suspended)
		return -1;
	d->suspended = 0;
	nominal = vdso_data_mult(d, VDSO_NSEC_PER_SEC);
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		struct vdso_row *row = &d->row[clock];
		struct vdso_line *line = &d->line[clock];
		vdso_int128 shown;

		if (!(vdso_data_running(d) >> clock & 1))
			continue;
		shown = vdso_data_shown(row, counter);
		vdso_line_set(line, counter, vdso_line_time(line) + (VDSO_SLEEP_CLOCKS >> clock & 1 ? slept : 0));
		VDSO_STORE(row->mult, clock == VDSO_MONOTONIC_RAW ? nominal : d->rate);
		vdso_data_place(d, clock);
		vdso_data_hold(row, shown);
	}
	vdso_data_follow(d, counter);
	return 0;
}

/* From here on every clock asks the kernel, for ever: the other calls and `read` still work. Also inside begin and end. */
static inline void vdso_data_disable(struct vdso_data *d)
{
	if (!d->hz || d->disabled)
		return;
	if (d->depth == 0)
		vdso_data_open(d, VDSO_CLOCKS);
	d->disabled = 1;
}

#endif

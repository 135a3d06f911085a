/* SPDX-License-Identifier: MIT */
/*
 * Which clocks the C library reads without a system call, where the kernel is Linux: a seccomp filter refuses those of time.
 *
 *	ok served=ID,ID,... refused=ID,ID,...
 *
 * MONOTONIC must also run as fast as the system call says: to a millisecond over a fifth of a second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLACK_NS 1000000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REFUSE(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static const int clocks[] = {0, 1, 4, 5, 6, 7, 11};

/* How far the reading of the C library is ahead of what the system call says: between `low` and `high`. */
struct ahead {
	int64_t low, high;
};

static int64_t ns(const struct timespec *time)
{
	return time->tv_sec * 1000000000ll + time->tv_nsec;
}

/* The narrowest of some tries: a guest may be stopped between any two instructions. */
static struct ahead ahead(void)
{
	struct ahead best = {INT64_MIN / 2, INT64_MAX / 2};
	int i;

	for (i = 0; i < 20; i++) {
		struct timespec before, read, after;
		struct ahead now;

		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before);
		clock_gettime(CLOCK_MONOTONIC, &read);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &after);
		now.low = ns(&read) - ns(&after);
		now.high = ns(&read) - ns(&before);
		if (now.high - now.low < best.high - best.low)
			best = now;
	}
	return best;
}

static void refuse_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_clock_gettime),
		REFUSE(SYS_gettimeofday),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {COUNT(filter), filter};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		printf("wrong: no seccomp (%s)\n", strerror(errno));
		_exit(1);
	}
}

static void list(const char *name, int wanted)
{
	const char *separator = "";
	unsigned i;

	printf(" %s=", name);
	for (i = 0; i < COUNT(clocks); i++) {
		struct timespec time;
		int served = !clock_gettime(clocks[i], &time);

		if (served != wanted)
			continue;
		printf("%s%d", separator, clocks[i]);
		separator = ",";
	}
}

int main(void)
{
	struct timespec pause = {0, 200000000};
	struct ahead before = ahead(), after;

	nanosleep(&pause, NULL);
	after = ahead();
	if (after.low > before.high + SLACK_NS || before.low > after.high + SLACK_NS) {
		printf("wrong: ahead of the system call by %lld ns at least, then by %lld\n", (long long)before.low,
		       (long long)after.low);
		return 1;
	}
	refuse_system_calls();
	printf("ok");
	list("served", 1);
	list("refused", 0);
	printf("\n");
	return 0;
}

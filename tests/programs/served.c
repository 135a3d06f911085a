/* SPDX-License-Identifier: MIT */
/*
 * Which clocks the C library reads without a system call, where the kernel is Linux: a seccomp filter refuses those of time.
 *
 *	ok served=ID,ID,... refused=ID,ID,...
 *
 * MONOTONIC must also run as fast as the system call says, over a fifth of a second.
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REFUSE(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static const int clocks[] = {0, 1, 4, 5, 6, 7, 11};

static int64_t ahead(void)
{
	struct timespec asked, read;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &asked);
	clock_gettime(CLOCK_MONOTONIC, &read);
	return (read.tv_sec - asked.tv_sec) * 1000000000ll + (read.tv_nsec - asked.tv_nsec);
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
	int64_t before = ahead(), after;

	nanosleep(&pause, NULL);
	after = ahead();
	if (after - before > 5000000 || before - after > 5000000) {
		printf("wrong: ahead of the system call by %lld ns, then by %lld\n", (long long)before, (long long)after);
		return 1;
	}
	refuse_system_calls();
	printf("ok");
	list("served", 1);
	list("refused", 0);
	printf("\n");
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The first program of a Linux guest: runs others, one after the other, and switches the machine off.
 *
 *	init PROGRAM [ARGUMENT...] [: PROGRAM [ARGUMENT...]]...
 *
 * What the kernel maps as vDSO is named by the FNV-1a hash of its first page, for who has the file to compare:
 *
 *	init: vdso=HASH
 *	init: PROGRAM=STATUS		(128 + signal if it was killed)
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static uint64_t hash(const unsigned char *bytes, unsigned size)
{
	uint64_t value = 0xcbf29ce484222325;
	unsigned i;

	for (i = 0; i < size; i++)
		value = (value ^ bytes[i]) * 0x100000001b3;
	return value;
}

static void run(char **argv)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		execv(argv[0], argv);
		_exit(127);
	}
	waitpid(child, &status, 0);
	printf("init: %s=%d\n", argv[0], WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const unsigned char *vdso = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
	int i, start = 1;

	printf("init: vdso=%016llx\n", vdso ? (unsigned long long)hash(vdso, 4096) : 0);
	fflush(stdout);
	for (i = 1; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], ":"))
			continue;
		argv[i] = NULL;
		run(argv + start);
		start = i + 1;
	}
	/* The console may still have to send what was printed, and the kernel's last message would come amid it. */
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	return 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * pthread_cancel under glibc: the handler of its signal unwinds the stack, through the frame that rt_sigreturn of the
 * vDSO stands for and the function that was interrupted, and runs what is to be cleaned up on the way.
 *
 *	ok cancelled=N cleanups=N
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int cleanups;
static _Atomic int started;

static void check(int good, const char *what)
{
	if (good)
		return;
	printf("wrong: %s\n", what);
	fflush(stdout);
	_exit(1);
}

static void count(void *by)
{
	cleanups += (int)(intptr_t)by;
}

/* Found by unwinding alone: the compiler's cleanup has no list of its own at run time. */
static void count_variable(const int *by)
{
	cleanups += *by;
}

/* What is cancelled, in the midst of it: for the compiler only a call can need a cleanup, and one that it can't look into. */
static void forever(void)
{
	started = 1;
	for (;;)
		__asm__ __volatile__("");
}

static void (*volatile body)(void) = forever;

static void spin(void)
{
	__attribute__((cleanup(count_variable))) int by = 100;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	body();
}

static void *spinning(void *argument)
{
	pthread_cleanup_push(count, (void *)1);
	pthread_cleanup_push(count, (void *)10);
	spin();
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return argument;
}

static void sleep_long(void)
{
	__attribute__((cleanup(count_variable))) int by = 100;
	struct timespec hour = {3600, 0};

	started = 1;
	while (nanosleep(&hour, NULL))
		;
}

static void *sleeping(void *argument)
{
	pthread_cleanup_push(count, (void *)1);
	pthread_cleanup_push(count, (void *)10);
	sleep_long();
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return argument;
}

static void cancel(void *(*start)(void *))
{
	struct timespec moment = {0, 5000000};
	pthread_t thread;
	void *result;
	int before = cleanups;

	started = 0;
	check(!pthread_create(&thread, NULL, start, NULL), "pthread_create");
	while (!started)
		nanosleep(&moment, NULL);
	nanosleep(&moment, NULL);
	check(!pthread_cancel(thread), "pthread_cancel");
	check(!pthread_join(thread, &result), "pthread_join");
	check(result == PTHREAD_CANCELED, "the thread was not cancelled");
	check(cleanups - before == 111, "a cleanup did not run, or not once");
}

int main(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		cancel(spinning);
		cancel(sleeping);
	}
	printf("ok cancelled=6 cleanups=%d\n", (int)cleanups);
	return 0;
}

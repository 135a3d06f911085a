/* SPDX-License-Identifier: MIT */
/*
 * What a kernel with several harts can do wrong to threads, found by their own results:
 *
 *	threads THREADS ROUNDS
 *
 *	floating point registers that are lost between two turns, or in a signal handler that comes amid a sum
 *	a wake that is lost (condition variable, and a barrier of all threads in each round)
 *	memory: a page of one mapping that another hart still sees after it was unmapped and mapped anew, or that is not zero;
 *	a page that can be written by a hart after another one has protected it
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 16
#define PAGE 4096
#define PAGES 8

static int threads, rounds;
static pthread_t thread[MAX_THREADS];
static pthread_barrier_t started, barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn;
static unsigned char *_Atomic shared; /* this round's mapping, made by one thread and used by all */
static atomic_int handled, refused, watched = -1, protected = -1;

static void fail(const char *what, int round)
{
	printf("threads: %s in round %d\n", what, round);
	exit(1);
}

/* The same sum in the same order gives the same bits. Long enough for turns and signals; the compiler must not keep it. */
__attribute__((noipa)) static double sum(int seed)
{
	double total = 0, term = 1.0 + seed;

	for (int i = 1; i < 20000; i++) {
		total += term;
		term = term * 0.75 + seed / (double)i;
	}
	return total;
}

static void on_signal(int number)
{
	volatile double noise = sum(number);

	(void)noise;
	handled++;
}

static __thread sigjmp_buf refusal;
static __thread volatile int refusing; /* the next write must fault */

static void on_fault(int number)
{
	(void)number;
	if (!refusing)
		_exit(3);
	siglongjmp(refusal, 1);
}

/* Each in turn, by a condition variable: a wake that is lost ends in the time limit. */
static void take_turn(int self)
{
	pthread_mutex_lock(&mutex);
	while (turn != self)
		pthread_cond_wait(&turned, &mutex);
	turn = (turn + 1) % threads;
	pthread_cond_broadcast(&turned);
	pthread_mutex_unlock(&mutex);
}

/* One thread protects the pages. Another one stays in user mode, where only the kernel can make its hart forget a page. */
static void protect(int self, int owner, unsigned char *pages, unsigned char *own, int round)
{
	if (self == owner) {
		while (watched != round)
			;
		if (mprotect(pages, PAGES * PAGE, PROT_READ))
			fail("mprotect", round);
		protected = round;
	} else if (self == (owner + 1) % threads) {
		*(volatile unsigned char *)own = 0;
		watched = round;
		while (protected != round)
			;
	} else {
		pthread_barrier_wait(&barrier);
	}
}

/* All harts have the pages in their TLBs when one takes them away. */
static void share_memory(int self, int round)
{
	int owner = round % threads;
	unsigned char mark = (unsigned char)(round + 1);

	if (self == owner) {
		unsigned char *mapping = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mapping == MAP_FAILED)
			fail("mmap", round);
		for (int i = 0; i < PAGES * PAGE; i++)
			if (mapping[i])
				fail("a new page that is not zero", round);
		shared = mapping;
	}
	pthread_barrier_wait(&barrier);
	unsigned char *pages = shared, *own = pages + self % PAGES * PAGE;
	memset(own, mark, PAGE);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < threads; i++)
		if (pages[i % PAGES * PAGE] != mark)
			fail("a page without what another thread has written", round);
	pthread_barrier_wait(&barrier);
	/* setjmp makes a system call, which is why it stands before all this. */
	if (sigsetjmp(refusal, 1)) {
		refused++;
	} else {
		protect(self, owner, pages, own, round);
		refusing = 1;
		*(volatile unsigned char *)own = 0;
		fail("a write to a page that was protected", round);
	}
	refusing = 0;
	if (self == owner || self == (owner + 1) % threads)
		pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	/* Other pages at the same place: what a hart remembers of the old ones is wrong. */
	if (self == owner && mmap(pages, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != pages)
		fail("mmap at a fixed place", round);
	pthread_barrier_wait(&barrier);
	if (*own)
		fail("a page of an old mapping", round);
	pthread_barrier_wait(&barrier);
	if (self == owner)
		munmap(pages, PAGES * PAGE);
}

static void *work(void *argument)
{
	int self = (int)(long)argument;
	double expected = sum(self);
	struct timespec nap = {0, 100000};

	pthread_barrier_wait(&started); /* all threads have their names */
	for (int round = 0; round < rounds; round++) {
		pthread_kill(thread[(self + 1) % threads], SIGUSR1);
		if (sum(self) != expected)
			fail("floating point registers lost", round);
	}
	for (int round = 0; round < rounds; round++) {
		take_turn(self);
		share_memory(self, round);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	threads = argc == 3 ? atoi(argv[1]) : 0;
	rounds = argc == 3 ? atoi(argv[2]) : 0;
	if (threads < 2 || threads > MAX_THREADS || rounds < 1)
		return 2;
	signal(SIGUSR1, on_signal);
	signal(SIGSEGV, on_fault);
	pthread_barrier_init(&started, NULL, (unsigned)threads + 1);
	pthread_barrier_init(&barrier, NULL, (unsigned)threads);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)i))
			return 1;
	pthread_barrier_wait(&started);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("threads: rounds=%d handled=%d refused=%d\n", rounds, handled, refused);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef _PTHREAD_H
#define _PTHREAD_H

#include <stddef.h>

struct __pthread {
	void *(*function)(void *);
	void *argument;
	int tid; /* 0 once it has ended */
};
typedef struct __pthread *pthread_t;

int pthread_create(pthread_t *created, const void *attributes, void *(*function)(void *), void *argument);
int pthread_join(pthread_t thread, void **result);

#endif

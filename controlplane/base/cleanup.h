/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_CLEANUP_H
#define FAIRWAY_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/* Run fn(&variable) when the variable leaves scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define AUTO_FREE  CLEANUP(cleanup_free)
#define AUTO_CLOSE CLEANUP(cleanup_close)

/* Take a pointer out of an AUTO_ variable, so that it outlives the scope. */
#define STEAL(p)                                                                                   \
	({                                                                                         \
		__typeof__(p) stolen_ = (p);                                                       \
		(p) = NULL;                                                                        \
		stolen_;                                                                           \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif

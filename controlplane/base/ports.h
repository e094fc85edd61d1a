/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_PORTS_H
#define FAIRWAY_BASE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ports first to last. */
struct ports {
	uint16_t first, last;
};

#define PORTS_ANY    ((struct ports){0, UINT16_MAX})
/* Long enough for "65534-65535". */
#define PORTS_STRLEN 12

static inline struct ports ports_one(uint16_t port)
{
	return (struct ports){port, port};
}

static inline bool ports_any(struct ports p)
{
	return p.first == 0 && p.last == UINT16_MAX;
}

static inline bool ports_equal(struct ports a, struct ports b)
{
	return a.first == b.first && a.last == b.last;
}

static inline bool ports_overlap(struct ports a, struct ports b)
{
	return a.first <= b.last && b.first <= a.last;
}

static inline bool ports_contain(struct ports p, uint16_t port)
{
	return p.first <= port && port <= p.last;
}

/* By first, then by last port: <0, 0, >0. */
int ports_cmp(struct ports a, struct ports b);

/* "443", "any" or "8000-8999"; returns buf. */
const char *ports_format(struct ports p, char buf[PORTS_STRLEN]);
/* Reads what ports_format() writes, 0 only as part of any. 0 or -EINVAL, then *ret_ports stays. */
int ports_parse(const char *text, struct ports *ret_ports) __attribute__((warn_unused_result));

/* Ports whose low `bits` bits run from all zeros to all ones. */
struct port_block {
	uint16_t first;
	uint8_t bits;
};

/* More are never needed: up to 15 ascending in size, then as many descending. */
#define PORTS_BLOCKS_MAX 30

/* The largest aligned blocks that make up the ports, lowest first; returns how many. */
size_t ports_cut(struct ports p, struct port_block blocks[PORTS_BLOCKS_MAX]);

#endif

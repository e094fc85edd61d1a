/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_CAPTURE_H
#define FAIRWAY_REPLAY_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "controlplane/base/err.h"

/* Capture files, read and written through libpcap, with errors that name the file. */

struct capture_in;
struct capture_out;

struct capture_packet {
	uint64_t index;       /* in the file, from 0 */
	bool matches;         /* the filter, or there is none */
	const uint8_t *frame; /* captured bytes, valid until the next packet */
	size_t len;
	size_t wire_len;     /* length on the wire; above len in a capture cut by its snap length */
	struct timeval time; /* tv_usec holds nanoseconds where capture_in_nanoseconds() says so */
	uint64_t time_ns;    /* the same */
};

/* Open a pcap or pcapng file, "-" for standard input, of any size: a packet at a time is in memory.
 * filter: an expression of pcap-filter(7), or NULL. Anything but Ethernet is refused. */
int capture_in_open(const char *path, const char *filter, struct capture_in **ret_in,
		    struct err *err) __attribute__((warn_unused_result));
void capture_in_free(struct capture_in *in);

/* 1 with the next packet, 0 at the end, -EIO with words when the file is damaged or cut short,
 * -EINTR when the end was asked for (stop.h). */
int capture_in_next(struct capture_in *in, struct capture_packet *ret_packet, struct err *err)
	__attribute__((warn_unused_result));

/* How many bytes were read, and how many there are; 0 of them where that can't be known. */
void capture_in_position(const struct capture_in *in, uint64_t *ret_bytes, uint64_t *ret_in_all);

/* Microseconds only when the file is known to have no more: so nothing is lost, and a file of
 * microseconds gives a file of microseconds. */
int capture_in_nanoseconds(const struct capture_in *in);

/* Create or overwrite a pcap file, "-" for standard output. */
int capture_out_open(const char *path, int nanoseconds, struct capture_out **ret_out,
		     struct err *err) __attribute__((warn_unused_result));
int capture_out_write(struct capture_out *out, const struct timeval *time, const uint8_t *frame,
		      size_t len, struct err *err) __attribute__((warn_unused_result));
/* Write what is buffered. Success of the file as a whole is known only after it. */
int capture_out_flush(struct capture_out *out, struct err *err) __attribute__((warn_unused_result));
void capture_out_free(struct capture_out *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_MAGLEV_SIPHASH_H
#define FAIRWAY_MAGLEV_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 with a 64-bit result (Aumasson and Bernstein, INDOCRYPT 2012): a keyed hash whose
 * result nobody without the key can steer. The same on machines of either byte order. */
uint64_t siphash24(const void *data, size_t len, const uint8_t key[16]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/dpdk_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/base/clock.h"
#include "controlplane/base/process.h"

#define MOVE_NS (1 * NS_PER_S)
/* Between two looks: long enough to leave the CPU to others, short beside what is waited for. */
#define LOOK_NS (100 * NS_PER_US)

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)

static void pause_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

int dpdk_page_take(struct lb_page *page, const char *where, struct err *err)
{
	if (!page->magic && !page->version && !page->generation) {
		page->version = LB_PAGE_VERSION;
		__atomic_store_n(&page->magic, LB_PAGE_MAGIC, __ATOMIC_RELEASE);
	}
	if (page->magic == LB_PAGE_MAGIC && page->version == LB_PAGE_VERSION)
		return 0;
	return err_set(
		err, -EPROTO,
		"%s is of version %u, this program knows %u: end fairway-dpdk, remove it and "
		"start again",
		where, page->version, LB_PAGE_VERSION);
}

void dpdk_page_publish(struct lb_page *page, const struct lb_dims *dims)
{
	page->dims = *dims;
	__atomic_store_n(&page->generation, page->generation + 1, __ATOMIC_RELEASE);
}

/* ---- does it live? ---- */

uint64_t dpdk_page_silence_ns(const struct lb_page *page, uint64_t now_ns)
{
	uint64_t beat_ns = LOAD(page->engine.beat_ns);

	/* A beat while we looked at the clock; one far ahead is of another boot. */
	if (beat_ns > now_ns)
		return beat_ns - now_ns < NS_PER_S ? 0 : UINT64_MAX;
	return now_ns - beat_ns;
}

/* When a process began, on CLOCK_MONOTONIC; 0 when that can't be told. */
static uint64_t process_began_ns(uint32_t pid)
{
	unsigned long long ticks = 0;
	char path[32], line[1024];
	struct timespec boot;
	FILE *in;
	char *at;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return 0;
	at = fgets(line, sizeof(line), in) ? strrchr(line, ')') : NULL;
	fclose(in);
	/* Field 22; the second one ends with the parenthesis. */
	if (!at || sscanf(at + 1,
			  " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			  "%*s %*s %llu",
			  &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return ticks * NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK) -
	       ((uint64_t)boot.tv_sec * NS_PER_S + (uint64_t)boot.tv_nsec - clock_now_ns());
}

/* Is there still the process that wrote the page, and not another of the same number? */
static bool process_there(const struct lb_page *page)
{
	uint32_t pid = LOAD(page->engine.pid);
	uint64_t began_ns;

	if (!pid || !process_runs((pid_t)pid))
		return false;
	began_ns = process_began_ns(pid);
	/* Process times are in ticks of 10 ms. */
	return began_ns < LOAD(page->engine.beat_ns) + 20 * NS_PER_MS;
}

/* Whether its pid is one that we know it by. */
static bool pid_tells(const struct lb_page *page)
{
	const uint64_t ns = LOAD(page->engine.pid_ns);
	struct stat st;

	return ns && stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == ns;
}

enum dpdk_life dpdk_page_life(const struct lb_page *page, uint64_t now_ns)
{
	uint32_t state = LOAD(page->engine.state);
	uint64_t silence_ns;

	if (state == LB_PAGE_NONE)
		return DPDK_NONE;
	if (state == LB_PAGE_ENDED)
		return DPDK_ENDED;
	silence_ns = dpdk_page_silence_ns(page, now_ns);
	if (silence_ns < LB_PAGE_LATE_NS)
		return DPDK_ALIVE;
	/* One that was killed needn't be waited for. */
	if (silence_ns < LB_PAGE_DEAD_NS)
		return pid_tells(page) && !process_there(page) ? DPDK_DIED : DPDK_ALIVE;
	return process_there(page) ? DPDK_SILENT : DPDK_DIED;
}

static bool is_there(const struct lb_page *page)
{
	enum dpdk_life life = dpdk_page_life(page, clock_now_ns());

	return life == DPDK_ALIVE || life == DPDK_SILENT;
}

/* ---- waiting for it ---- */

void dpdk_page_wait_moved(const struct lb_page *page)
{
	const uint64_t until_ns = clock_now_ns() + MOVE_NS;
	uint64_t now_ns;

	while (LOAD(page->engine.generation) != page->generation) {
		now_ns = clock_now_ns();
		if (now_ns >= until_ns || dpdk_page_life(page, now_ns) != DPDK_ALIVE)
			return;
		pause_ns(LOOK_NS);
	}
}

/* Rounds are counted by plain stores. The one that is seen to follow the call may have been under
 * way before it, with a pointer from before; the next one can't. */
#define ROUNDS 2

void dpdk_page_grace(const struct lb_page *page, const bool *stop)
{
	uint64_t rounds[LB_PAGE_WORKERS_MAX], started_ns;
	uint32_t pid, workers;

	/* What the caller unpublished is visible before the rounds are read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	started_ns = LOAD(page->engine.started_ns);
	pid = LOAD(page->engine.pid);
	workers = LOAD(page->engine.workers);
	if (workers > LB_PAGE_WORKERS_MAX)
		workers = LB_PAGE_WORKERS_MAX;
	for (uint32_t i = 0; i < workers; i++)
		rounds[i] = LOAD(page->worker[i].rounds);
	for (uint32_t i = 0; i < workers; i++) {
		while (LOAD(page->worker[i].rounds) - rounds[i] < ROUNDS) {
			/* Another engine began with the tables as they are. */
			if (__atomic_load_n(stop, __ATOMIC_RELAXED) || !is_there(page) ||
			    LOAD(page->engine.started_ns) != started_ns ||
			    LOAD(page->engine.pid) != pid)
				return;
			pause_ns(LOOK_NS);
		}
	}
}

/* ---- trying a packet ---- */

static int tell_timeout(const struct lb_page *page, struct err *err)
{
	return err_set(err, -ETIMEDOUT, "fairway-dpdk (pid %u) doesn't answer",
		       LOAD(page->engine.pid));
}

int dpdk_page_probe(struct lb_page *page, const struct lb_moment *moment,
		    uint8_t frame[LB_PAGE_FRAME_MAX], size_t *len, struct lb_trace *ret_trace,
		    struct err *err)
{
	struct lb_page_probe *p = &page->probe;
	const uint64_t asked = p->asked, until_ns = clock_now_ns() + DPDK_PROBE_NS;

	if (LOAD(p->answered) != asked)
		return tell_timeout(page, err);
	p->moment = *moment;
	p->len = (uint32_t)*len;
	p->failed = 0;
	memcpy(p->frame, frame, *len);
	__atomic_store_n(&p->asked, asked + 1, __ATOMIC_RELEASE);
	while (LOAD(p->answered) != asked + 1) {
		if (clock_now_ns() >= until_ns)
			return tell_timeout(page, err);
		pause_ns(LOOK_NS / 2);
	}
	if (p->failed || p->len > LB_PAGE_FRAME_MAX)
		return err_set(err, -EIO, "fairway-dpdk couldn't run the probe: see its log");
	*len = p->len;
	memcpy(frame, p->frame, p->len);
	*ret_trace = p->trace;
	return 0;
}

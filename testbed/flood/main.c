/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SYN flood of the testbed: TCP SYNs to VIPs, each of a flow of its own from a random address
 * of the networks set aside for such tests (198.18.0.0/15, RFC 2544; 2001:2::/48, RFC 5180), at a
 * steady rate and for a limited time. What answers is no concern of it. The same seed makes the
 * same flows.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX   4
#define RATE_MAX      200000
#define DURATION_MAX  300
#define TICK_NS       1000000ULL
#define NS_PER_S      1000000000ULL
#define IP4_LEN       20
#define IP6_LEN       40
#define TCP_LEN       20
#define IPPROTO_TCP_N 6

struct target {
	int family;
	uint8_t addr[16];
	uint16_t port;
};

struct flood {
	struct target targets[TARGETS_MAX];
	unsigned n_targets;
	uint64_t rate, duration_s, seed;
	int fd4, fd6;
	uint64_t sent, failed;
	int error; /* of the first that failed */
};

static volatile sig_atomic_t ending;

static void on_signal(int signum)
{
	(void)signum;
	ending = 1;
}

/* xorshift64* (Vigna, 2016). */
static uint64_t next_random(struct flood *f)
{
	f->seed ^= f->seed >> 12;
	f->seed ^= f->seed << 25;
	f->seed ^= f->seed >> 27;
	return f->seed * 0x2545f4914f6cdd1dULL;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum16(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* addrs: source and destination, one behind the other, as the IP header has them. */
static void put_syn(uint8_t *tcp, const uint8_t *addrs, size_t addrs_len, uint16_t port, uint64_t r)
{
	put16(tcp, 1024 + (unsigned)(r & 0xffff) % (65536 - 1024));
	put16(tcp + 2, port);
	memcpy(tcp + 4, &r, 4);
	tcp[12] = (TCP_LEN / 4) << 4;
	tcp[13] = 0x02; /* SYN */
	put16(tcp + 14, 65535);
	put16(tcp + 16,
	      fold(sum16(addrs, addrs_len) + IPPROTO_TCP_N + TCP_LEN + sum16(tcp, TCP_LEN)));
}

static size_t build4(struct flood *f, const struct target *t, uint8_t *ip)
{
	uint64_t r = next_random(f);

	ip[0] = 0x45;
	put16(ip + 2, IP4_LEN + TCP_LEN);
	put16(ip + 6, 0x4000); /* don't fragment */
	ip[8] = 64;
	ip[9] = IPPROTO_TCP_N;
	put16(ip + 12, 198 << 8 | 18 | (unsigned)(r >> 63));
	put16(ip + 14, (unsigned)(r >> 40));
	memcpy(ip + 16, t->addr, 4);
	put16(ip + 10, fold(sum16(ip, IP4_LEN)));
	put_syn(ip + IP4_LEN, ip + 12, 8, t->port, next_random(f));
	return IP4_LEN + TCP_LEN;
}

static size_t build6(struct flood *f, const struct target *t, uint8_t *ip)
{
	static const uint8_t net[6] = {0x20, 0x01, 0x00, 0x02, 0, 0};
	uint64_t r = next_random(f);

	ip[0] = 0x60;
	put16(ip + 4, TCP_LEN);
	ip[6] = IPPROTO_TCP_N;
	ip[7] = 64;
	memcpy(ip + 8, net, sizeof(net));
	memcpy(ip + 16, &r, sizeof(r));
	memcpy(ip + 24, t->addr, 16);
	put_syn(ip + IP6_LEN, ip + 8, 32, t->port, next_random(f));
	return IP6_LEN + TCP_LEN;
}

static void send_one(struct flood *f)
{
	const struct target *t = &f->targets[f->sent % f->n_targets];
	uint8_t packet[IP6_LEN + TCP_LEN] = {0};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
	struct sockaddr_in to4 = {.sin_family = AF_INET};
	ssize_t n;

	if (t->family == AF_INET) {
		memcpy(&to4.sin_addr, t->addr, 4);
		n = sendto(f->fd4, packet, build4(f, t, packet), 0, (struct sockaddr *)&to4,
			   sizeof(to4));
	} else {
		memcpy(&to6.sin6_addr, t->addr, 16);
		n = sendto(f->fd6, packet, build6(f, t, packet), 0, (struct sockaddr *)&to6,
			   sizeof(to6));
	}
	if (n > 0) {
		f->sent++;
		return;
	}
	f->failed++;
	f->error = f->error ? f->error : errno;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* At every tick as many as are due by then: one that comes late is made up for, a machine that
 * can't keep up falls short in what is said at the end. */
static void run(struct flood *f)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	const uint64_t start = now_ns(), end = start + f->duration_s * NS_PER_S;
	uint64_t now;

	while (!ending && (now = now_ns()) < end) {
		uint64_t due = (now - start) / 1000 * f->rate / 1000000;

		for (unsigned i = 0; f->sent + f->failed < due && i < RATE_MAX / 100; i++)
			send_one(f);
		nanosleep(&tick, NULL);
	}
	printf("{\"schema_version\":1,\"sent\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"elapsed_ms\":%" PRIu64 "}\n",
	       f->sent, f->failed, (now_ns() - start) / 1000000);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: flood --target ADDRESS:PORT [--target ...] --rate PER_SECOND --duration SECONDS"
		" [--seed N]\n"
		"\n"
		"Sends TCP SYNs, each from another random address and port, and says as JSON how\n"
		"many. At most %d a second for %d seconds, and only in a network namespace that\n"
		"has a name (ip netns).\n",
		RATE_MAX, DURATION_MAX);
	return 2;
}

static bool parse_target(struct flood *f, char *text)
{
	struct target t = {.family = text[0] == '[' ? AF_INET6 : AF_INET};
	char *colon = strrchr(text, ':'), *host = text;
	long port = colon ? strtol(colon + 1, NULL, 10) : 0;

	if (f->n_targets == TARGETS_MAX || port < 1 || port > 65535)
		return false;
	*colon = '\0';
	if (t.family == AF_INET6) {
		host++;
		if (colon[-1] != ']')
			return false;
		colon[-1] = '\0';
	}
	t.port = (uint16_t)port;
	f->targets[f->n_targets++] = t;
	return inet_pton(t.family, host, f->targets[f->n_targets - 1].addr) == 1;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *ret >= 1 && *ret <= max;
}

static bool parse(struct flood *f, int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		bool ok = false;

		if (i + 1 == argc)
			return false;
		if (!strcmp(argv[i], "--target"))
			ok = parse_target(f, argv[i + 1]);
		else if (!strcmp(argv[i], "--rate"))
			ok = parse_number(argv[i + 1], RATE_MAX, &f->rate);
		else if (!strcmp(argv[i], "--duration"))
			ok = parse_number(argv[i + 1], DURATION_MAX, &f->duration_s);
		else if (!strcmp(argv[i], "--seed"))
			ok = parse_number(argv[i + 1], UINT64_MAX, &f->seed);
		if (!ok)
			return false;
	}
	return f->n_targets && f->rate && f->duration_s;
}

/* A flood belongs into a testbed, whose network namespaces have names (ip netns): never into the
 * one that the machine's own traffic has. */
static bool in_testbed(void)
{
	struct stat mine, named;
	DIR *dir = opendir("/run/netns");
	const struct dirent *e;
	bool found = false;

	if (dir && stat("/proc/self/ns/net", &mine) == 0) {
		while (!found && (e = readdir(dir)))
			found = fstatat(dirfd(dir), e->d_name, &named, 0) == 0 &&
				named.st_ino == mine.st_ino && named.st_dev == mine.st_dev;
	}
	if (dir)
		closedir(dir);
	return found;
}

int main(int argc, char **argv)
{
	struct flood f = {.seed = 1};

	if (!parse(&f, argc, argv))
		return usage();
	if (!in_testbed()) {
		fprintf(stderr, "flood: this network namespace has no name: run it in one of a "
				"testbed, ip netns exec NAME flood ...\n");
		return 1;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	f.fd4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	f.fd6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (f.fd4 < 0 || f.fd6 < 0) {
		fprintf(stderr, "flood: no raw socket: %s\n", strerror(errno));
		return 1;
	}
	run(&f);
	if (f.failed)
		fprintf(stderr, "flood: %" PRIu64 " could not be sent: %s\n", f.failed,
			strerror(f.error));
	return f.failed ? 1 : 0;
}

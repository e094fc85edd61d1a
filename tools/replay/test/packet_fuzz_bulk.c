/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet fuzzers without libFuzzer: inputs mutated from a corpus at random, without asking what
 * each one newly reached, which makes it many times as fast. For long runs and large numbers:
 *
 *   packet_fuzz_bulk --seed N --runs N --seconds N --out FILE CORPUS
 *
 * Prints how many inputs and frames it ran. When a promise is broken, FILE has the input, for
 * packet_fuzz to repeat.
 */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/replay/test/packet_fuzz.h"
#include "tools/replay/test/packet_fuzz_build.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max);

struct seed {
	uint8_t *bytes;
	size_t len;
};

static struct {
	struct seed *seeds;
	size_t n_seeds;
	uint64_t seed, runs, seconds;
	const char *out;
} bulk = {.seed = 1, .runs = UINT64_MAX, .seconds = UINT64_MAX, .out = "packet_fuzz_bulk.input"};

static struct fuzz_random rnd;
static uint8_t current[FUZZ_INPUT_BYTES];
static size_t current_len;

/* What libFuzzer does where it is there: some bytes changed, put in or taken out. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max)
{
	for (uint32_t n = 1 + fuzz_below(&rnd, 4); n && len; n--) {
		const size_t at = fuzz_below(&rnd, (uint32_t)len);

		switch (fuzz_below(&rnd, 4)) {
		case 0:
			memmove(bytes + at, bytes + at + 1, len - at - 1);
			len--;
			break;
		case 1:
			if (len == max)
				break;
			memmove(bytes + at + 1, bytes + at, len - at);
			len++;
			break;
		default:
			bytes[at] = (uint8_t)fuzz_below(&rnd, 256);
		}
	}
	return len;
}

static void keep_input(int sig)
{
	const int fd = open(bulk.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, current, current_len) != (ssize_t)current_len)
		_exit(128 + sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void usage_error(const char *what)
{
	fprintf(stderr,
		"packet_fuzz_bulk: %s\n"
		"usage: packet_fuzz_bulk [--seed N] [--runs N] [--seconds N] [--out FILE] CORPUS\n",
		what);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	const uint64_t n = strtoull(text, &end, 10);

	if (!*text || *end)
		usage_error("not a number");
	return n;
}

static void add_seed(const char *folder, const char *name)
{
	struct seed s = {malloc(FUZZ_INPUT_BYTES), 0};
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	FUZZ_MUST(file && s.bytes);
	s.len = fread(s.bytes, 1, FUZZ_INPUT_BYTES, file);
	fclose(file);
	bulk.seeds = realloc(bulk.seeds, (bulk.n_seeds + 1) * sizeof(*bulk.seeds));
	FUZZ_MUST(bulk.seeds);
	bulk.seeds[bulk.n_seeds++] = s;
}

static void read_corpus(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;

	if (!dir)
		usage_error("CORPUS is no folder that can be read");
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			add_seed(folder, e->d_name);
	closedir(dir);
	if (!bulk.n_seeds)
		usage_error("CORPUS is empty");
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"runs", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 't'},
		{"out", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			bulk.seed = number(optarg);
		else if (c == 'r')
			bulk.runs = number(optarg);
		else if (c == 't')
			bulk.seconds = number(optarg);
		else if (c == 'o')
			bulk.out = optarg;
		else
			usage_error("unknown option");
	}
	if (optind + 1 != argc)
		usage_error("one CORPUS is wanted");
	read_corpus(argv[optind]);
}

static uint64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

static void run_one(void)
{
	const struct seed *base = &bulk.seeds[fuzz_below(&rnd, (uint32_t)bulk.n_seeds)];

	memcpy(current, base->bytes, base->len);
	current_len = base->len;
	for (uint32_t n = 1 + fuzz_below(&rnd, 3); n; n--)
		current_len = LLVMFuzzerCustomMutator(current, current_len, sizeof(current),
						      fuzz_below(&rnd, ~0U));
	LLVMFuzzerTestOneInput(current, current_len);
}

int main(int argc, char **argv)
{
	uint64_t start = now_s(), run = 0;

	read_options(argc, argv);
	rnd.state = bulk.seed * 0x9e3779b97f4a7c15ULL + 1;
	signal(SIGABRT, keep_input);
	signal(SIGSEGV, keep_input);
	while (run < bulk.runs && (run % 1024 || now_s() - start < bulk.seconds)) {
		run_one();
		run++;
	}
	printf("%llu inputs, %llu frames\n", (unsigned long long)run,
	       (unsigned long long)fuzz_frames());
	return 0;
}

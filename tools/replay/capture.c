/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/base/clock.h"
#include "tools/replay/stop.h"

/* What libpcap itself takes as the largest Ethernet packet in a file. */
#define SNAP_LENGTH 262144

/* What the file is read in. */
#define READ_BYTES (256U << 10)

struct capture_in {
	char *path;
	int fd;
	bool regular;
	uint64_t bytes, bytes_in_all;
	pcap_t *pcap;
	struct bpf_program filter;
	bool filtered;
	uint64_t n_packets;
	int nanoseconds;
};

struct capture_out {
	char *path;
	pcap_t *format;
	pcap_dumper_t *dumper;
};

/* A pcap file says in its first word, in either byte order, that it counts microseconds; pcapng
 * says so for each interface, out of our sight. */
static int counts_microseconds(int fd)
{
	static const uint8_t little[4] = {0xd4, 0xc3, 0xb2, 0xa1};
	static const uint8_t big[4] = {0xa1, 0xb2, 0xc3, 0xd4};
	uint8_t magic[4];

	/* A pipe can't be looked at beforehand; nanoseconds hold either. */
	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic))
		return 0;
	return memcmp(magic, little, sizeof(magic)) == 0 || memcmp(magic, big, sizeof(magic)) == 0;
}

static int check_link_type(const struct capture_in *in, struct err *err)
{
	int type = pcap_datalink(in->pcap);
	const char *name = pcap_datalink_val_to_name(type);

	if (type == DLT_EN10MB)
		return 0;
	return err_set(
		err, -EINVAL,
		"%s: the link type is %s (%d), but Fairway forwards Ethernet frames: capture on"
		" one Ethernet interface, e.g. tcpdump -i eth0 -w FILE, not on 'any'",
		in->path, name ? name : "unknown", type);
}

/* libpcap reads through these: how far it is can then be told, and waiting for a pipe be ended. */
static ssize_t read_source(void *cookie, char *buffer, size_t size)
{
	struct capture_in *in = cookie;
	ssize_t n;

	do {
		if (!in->regular && stop_wait_readable(in->fd) < 0) {
			errno = EINTR;
			return -1;
		}
		n = read(in->fd, buffer, size);
	} while (n < 0 && errno == EINTR && !stop_requested());
	if (n > 0)
		in->bytes += (uint64_t)n;
	return n;
}

static int close_source(void *cookie)
{
	struct capture_in *in = cookie;

	return close(in->fd);
}

/* On failure the descriptor is closed. */
static FILE *open_source(struct capture_in *in, int fd)
{
	const cookie_io_functions_t functions = {.read = read_source, .close = close_source};
	struct stat stat;
	FILE *file;

	in->fd = fd;
	in->regular = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
	if (in->regular)
		in->bytes_in_all = (uint64_t)stat.st_size;
	file = fopencookie(in, "rb", functions);
	if (!file)
		close(fd);
	else
		setvbuf(file, NULL, _IOFBF, READ_BYTES);
	return file;
}

static int open_file(struct capture_in *in, const char *path, FILE **ret_file, struct err *err)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				   : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		in->nanoseconds = !counts_microseconds(fd);
	*ret_file = fd >= 0 ? open_source(in, fd) : NULL;
	if (!*ret_file)
		return err_set(err, -errno, "%s: can't open the capture: %s", in->path,
			       strerror(errno));
	return 0;
}

static int open_pcap(struct capture_in *in, FILE *file, struct err *err)
{
	char text[PCAP_ERRBUF_SIZE] = "";

	in->pcap = pcap_fopen_offline_with_tstamp_precision(
		file, in->nanoseconds ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO,
		text);
	if (in->pcap)
		return check_link_type(in, err);
	fclose(file);
	return err_set(err, -EINVAL, "%s: not a pcap or pcapng capture: %s", in->path, text);
}

static int compile_filter(struct capture_in *in, const char *filter, struct err *err)
{
	if (pcap_compile(in->pcap, &in->filter, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(err, -EINVAL,
			       "--filter '%s': %s; expressions are those of pcap-filter(7), e.g."
			       " 'tcp port 443 and host 198.51.100.7'",
			       filter, pcap_geterr(in->pcap));
	in->filtered = true;
	return 0;
}

int capture_in_open(const char *path, const char *filter, struct capture_in **ret_in,
		    struct err *err)
{
	struct capture_in *in = calloc(1, sizeof(*in));
	FILE *file;
	int ret;

	if (!in || !(in->path = strdup(strcmp(path, "-") ? path : "standard input"))) {
		free(in);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	ret = open_file(in, path, &file, err);
	if (ret == 0)
		ret = open_pcap(in, file, err);
	if (ret == 0 && filter)
		ret = compile_filter(in, filter, err);
	if (ret < 0) {
		capture_in_free(in);
		return ret;
	}
	*ret_in = in;
	return 0;
}

void capture_in_free(struct capture_in *in)
{
	if (!in)
		return;
	if (in->filtered)
		pcap_freecode(&in->filter);
	if (in->pcap)
		pcap_close(in->pcap);
	free(in->path);
	free(in);
}

static uint64_t time_ns(const struct capture_in *in, const struct timeval *t)
{
	const uint64_t unit_ns = in->nanoseconds ? 1 : NS_PER_US;

	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_usec * unit_ns;
}

int capture_in_next(struct capture_in *in, struct capture_packet *ret_packet, struct err *err)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int ret = stop_requested() ? PCAP_ERROR_BREAK : pcap_next_ex(in->pcap, &header, &data);

	/* What ends because the end was asked for may look like damage. */
	if (ret != 1 && stop_requested())
		return -EINTR;
	switch (ret) {
	case 1:
		*ret_packet = (struct capture_packet){
			.index = in->n_packets++,
			.matches = !in->filtered ||
				   pcap_offline_filter(&in->filter, header, data) != 0,
			.frame = data,
			.len = header->caplen,
			.wire_len = header->len,
			.time = header->ts,
			.time_ns = time_ns(in, &header->ts),
		};
		return 1;
	case PCAP_ERROR_BREAK:
		return 0;
	default:
		return err_set(err, -EIO,
			       "%s: damaged after packet %llu: packet index %llu can't be read: %s",
			       in->path, (unsigned long long)in->n_packets,
			       (unsigned long long)in->n_packets, pcap_geterr(in->pcap));
	}
}

void capture_in_position(const struct capture_in *in, uint64_t *ret_bytes, uint64_t *ret_in_all)
{
	*ret_bytes = in->bytes;
	*ret_in_all = in->bytes_in_all;
}

int capture_in_nanoseconds(const struct capture_in *in)
{
	return in->nanoseconds;
}

int capture_out_open(const char *path, int nanoseconds, struct capture_out **ret_out,
		     struct err *err)
{
	struct capture_out *out = calloc(1, sizeof(*out));
	int ret;

	if (!out || !(out->path = strdup(strcmp(path, "-") ? path : "standard output"))) {
		free(out);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	out->format = pcap_open_dead_with_tstamp_precision(
		DLT_EN10MB, SNAP_LENGTH,
		nanoseconds ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO);
	if (out->format)
		out->dumper = pcap_dump_open(out->format, path);
	if (!out->dumper) {
		ret = err_set(err, -EIO, "can't create the capture: %s",
			      out->format ? pcap_geterr(out->format) : "out of memory");
		capture_out_free(out);
		return ret;
	}
	*ret_out = out;
	return 0;
}

static int write_failed(const struct capture_out *out, int error, struct err *err)
{
	return err_set(err, -EIO, "%s: can't write: %s", out->path,
		       error ? strerror(error) : "the earlier write failed");
}

int capture_out_write(struct capture_out *out, const struct timeval *time, const uint8_t *frame,
		      size_t len, struct err *err)
{
	struct pcap_pkthdr header = {
		.ts = *time,
		.caplen = (bpf_u_int32)len,
		.len = (bpf_u_int32)len,
	};

	errno = 0;
	pcap_dump((u_char *)out->dumper, &header, frame);
	if (ferror(pcap_dump_file(out->dumper)))
		return write_failed(out, errno, err);
	return 0;
}

int capture_out_flush(struct capture_out *out, struct err *err)
{
	errno = 0;
	if (pcap_dump_flush(out->dumper) < 0 || ferror(pcap_dump_file(out->dumper)))
		return write_failed(out, errno, err);
	return 0;
}

void capture_out_free(struct capture_out *out)
{
	if (!out)
		return;
	if (out->dumper)
		pcap_dump_close(out->dumper);
	if (out->format)
		pcap_close(out->format);
	free(out->path);
	free(out);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

/* What libpcap itself takes as the largest Ethernet packet in a file. */
#define SNAP_LENGTH 262144

struct capture_in {
	char *path;
	pcap_t *pcap;
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

int capture_in_open(const char *path, struct capture_in **ret_in, struct err *err)
{
	struct capture_in *in = calloc(1, sizeof(*in));
	char text[PCAP_ERRBUF_SIZE] = "";
	FILE *file;
	int ret, fd;

	if (!in || !(in->path = strdup(strcmp(path, "-") ? path : "standard input"))) {
		free(in);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	file = fd >= 0 ? fdopen(fd, "rb") : NULL;
	if (!file) {
		ret = err_set(err, -errno, "%s: can't open the capture: %s", in->path,
			      strerror(errno));
		if (fd >= 0)
			close(fd);
		capture_in_free(in);
		return ret;
	}
	in->nanoseconds = !counts_microseconds(fd);
	in->pcap = pcap_fopen_offline_with_tstamp_precision(
		file, in->nanoseconds ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO,
		text);
	if (!in->pcap) {
		ret = err_set(err, -EINVAL, "%s: not a pcap or pcapng capture: %s", in->path, text);
		fclose(file);
	} else {
		ret = check_link_type(in, err);
	}
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
	if (in->pcap)
		pcap_close(in->pcap);
	free(in->path);
	free(in);
}

int capture_in_next(struct capture_in *in, struct capture_packet *ret_packet, struct err *err)
{
	struct pcap_pkthdr *header;
	const u_char *data;

	switch (pcap_next_ex(in->pcap, &header, &data)) {
	case 1:
		in->n_packets++;
		*ret_packet = (struct capture_packet){
			.frame = data,
			.len = header->caplen,
			.wire_len = header->len,
			.time = header->ts,
		};
		return 1;
	case PCAP_ERROR_BREAK:
		return 0;
	default:
		return err_set(err, -EIO, "%s: damaged after packet %llu: %s", in->path,
			       (unsigned long long)in->n_packets, pcap_geterr(in->pcap));
	}
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

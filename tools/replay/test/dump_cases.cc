/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the frames of the table of packets into a folder, one file each: seeds for the fuzzer. */
#include <cstdio>
#include <string>
#include <sys/stat.h>

#include "tools/replay/test/cases.h"

static bool write_file(const std::string &path, const Bytes &bytes)
{
	FILE *file = fopen(path.c_str(), "wb");
	size_t done = file ? fwrite(bytes.data(), 1, bytes.size(), file) : 0;

	if (file && fclose(file) != 0)
		done = 0;
	if (!file || done != bytes.size())
		perror(path.c_str());
	return file && done == bytes.size();
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	mkdir(argv[1], 0777);
	for (const Case &c : cases) {
		Bytes frame = c.packet.frame();

		if (frame.size() <= 2048 && !write_file(std::string(argv[1]) + "/" + c.name, frame))
			return 1;
	}
	return 0;
}

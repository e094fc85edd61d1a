/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

extern "C" {
#include "controlplane/config/schema.h"
}

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

/* The reference must list exactly the keys there are, with the types and defaults they have. */

using Rows = std::map<std::string, std::string>; /* key -> "type | default" */

static std::string DefaultText(const struct field *f)
{
	if (f->required)
		return "required";
	return f->fallback ? "`" + std::string(f->fallback) + "`" : "-";
}

static Rows SchemaRows()
{
	Rows rows;

	schema_walk(
		[](void *arg, const char *path, const struct field *f) {
			char type[FIELD_TYPE_STRLEN];

			(*(Rows *)arg)[path] =
				std::string(field_type_text(f, type)) + " | " + DefaultText(f);
		},
		&rows);
	return rows;
}

/* "| `key` | type | default | meaning |" to its cells; empty when the line is no such row. */
static std::vector<std::string> Cells(const std::string &line)
{
	std::vector<std::string> cells;
	size_t at = 2, bar;

	if (line.rfind("| `", 0) != 0)
		return cells;
	for (; (bar = line.find(" |", at)) != std::string::npos; at = bar + 3)
		cells.push_back(line.substr(at, bar - at));
	return cells;
}

TEST(Schema, ReferenceListsEveryKeyWithItsTypeAndDefault)
{
	std::ifstream in(DOCS_DIR "/configuration.md");
	Rows documented;

	ASSERT_TRUE(in.is_open());
	for (std::string line; std::getline(in, line);) {
		std::vector<std::string> cells = Cells(line);

		if (cells.empty())
			continue;
		ASSERT_EQ(cells.size(), 4u) << line;
		EXPECT_FALSE(cells[3].empty()) << line;
		documented[cells[0].substr(1, cells[0].size() - 2)] = cells[1] + " | " + cells[2];
	}
	EXPECT_EQ(documented, SchemaRows());
}

TEST(Schema, ManualPageListsEveryKey)
{
	std::ifstream in(DOCS_DIR "/man/fairway.yaml.5");
	std::set<std::string> documented, keys;

	ASSERT_TRUE(in.is_open());
	for (std::string line, before; std::getline(in, line); before = line)
		if (before == ".TP" && line.rfind(".B ", 0) == 0)
			documented.insert(line.substr(3));
	for (const auto &row : SchemaRows())
		keys.insert(row.first);
	EXPECT_EQ(documented, keys);
}

TEST(Schema, EveryRowIsWhole)
{
	schema_walk(
		[](void *, const char *path, const struct field *f) {
			EXPECT_TRUE(!f->required || f->example) << path;
			EXPECT_TRUE(f->type != VALUE_CHOICE || f->choices) << path;
			EXPECT_TRUE(field_is_scalar(f) || f->object) << path;
			EXPECT_TRUE(f->size <= VALUE_SIZE || !field_is_scalar(f)) << path;
			EXPECT_TRUE(!f->object || f->object->n_fields <= 16) << path;
		},
		nullptr);
}

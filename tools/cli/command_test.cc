/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

extern "C" {
#include "tools/cli/command.h"
#include "tools/cli/help.h"
#include "tools/cli/views.h"
}

/* The table of commands against what is written about it, and against itself. */

namespace
{

std::string read_file(const std::string &path)
{
	std::ifstream in(std::string(SOURCE_ROOT "/") + path);
	std::stringstream text;

	EXPECT_TRUE(in.good()) << path;
	text << in.rdbuf();
	return text.str();
}

template <typename Fn> std::string printed(Fn fn)
{
	char *text = nullptr;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fn(out);
	fclose(out);
	std::string s = text;
	free(text);
	return s;
}

/* roff writes a minus sign as "\-". */
std::string unescape(std::string text)
{
	for (size_t at; (at = text.find("\\-")) != std::string::npos;)
		text.replace(at, 2, "-");
	return text;
}

std::string syntax(const struct command &cmd)
{
	return printed([&](FILE *out) { help_syntax(out, &cmd); });
}

} // namespace

TEST(Commands, AreWellFormed)
{
	std::set<std::string> words;

	for (size_t i = 0; i < command_count; i++) {
		const struct command &cmd = commands[i];
		bool keys = false;

		EXPECT_TRUE(words.insert(std::string(cmd.object) + " " + (cmd.verb ?: "")).second);
		EXPECT_NE(command_find_object(cmd.object), nullptr) << cmd.object;
		EXPECT_EQ(command_find(cmd.object, cmd.verb), &cmd);
		EXPECT_TRUE(cmd.run == COMMAND_COMPLETION || (cmd.method && cmd.view));
		EXPECT_NE(cmd.examples[0].line, nullptr) << syntax(cmd);
		for (const struct command_arg *arg = cmd.args; arg->label; arg++) {
			EXPECT_NE(arg->param, nullptr);
			EXPECT_NE(arg->help, nullptr);
			EXPECT_FALSE(keys && !arg->key) << "positional ones come first";
			keys = keys || arg->key;
		}
	}
}

TEST(Commands, EveryObjectHasACommand)
{
	for (size_t i = 0; i < command_object_count; i++) {
		bool any = false;

		for (size_t j = 0; j < command_count; j++)
			any = any || std::string(commands[j].object) == command_objects[i].word;
		EXPECT_TRUE(any) << command_objects[i].word;
	}
}

TEST(Commands, EveryMethodAndParameterIsInTheApiReference)
{
	std::string api = read_file("docs/api.md");

	for (size_t i = 0; i < command_count; i++) {
		const struct command &cmd = commands[i];

		if (!cmd.method)
			continue;
		EXPECT_NE(api.find("## " + std::string(cmd.method) + "\n"), std::string::npos)
			<< cmd.method;
		for (const struct command_arg *arg = cmd.args; arg->label; arg++)
			EXPECT_NE(api.find("`" + std::string(arg->param) + "`"), std::string::npos)
				<< cmd.method << " " << arg->param;
	}
}

TEST(Commands, EveryKeyAViewShowsIsInTheApiReference)
{
	std::string api = read_file("docs/api.md");
	auto check = [&](const std::string &path) {
		std::stringstream keys(path);
		std::string key;

		while (std::getline(keys, key, '.'))
			EXPECT_TRUE(api.find("\"" + key + "\"") != std::string::npos ||
				    api.find("`" + key + "`") != std::string::npos)
				<< path;
	};

	for (const struct view *const *view = views_all; *view; view++) {
		for (size_t i = 0; i < (*view)->n_blocks; i++) {
			const struct view_block &block = (*view)->blocks[i];

			check(block.path);
			for (const struct view_column *c = block.columns; c && c->header; c++)
				check(c->path);
		}
	}
}

TEST(Commands, TheManualPageHasEachWithItsSyntax)
{
	std::string man = unescape(read_file("docs/man/fairway.8"));

	for (size_t i = 0; i < command_count; i++)
		EXPECT_NE(man.find("\n.B fairway " + syntax(commands[i]) + "\n"), std::string::npos)
			<< syntax(commands[i]);
	for (size_t i = 0; i < command_option_count; i++)
		EXPECT_NE(man.find(command_options[i].word), std::string::npos)
			<< command_options[i].word;
}

TEST(Commands, TheManualPageHasNoOthers)
{
	std::stringstream man(read_file("docs/man/fairway.8"));
	std::set<std::string> known;
	std::string line;

	for (size_t i = 0; i < command_count; i++)
		known.insert(".B fairway " + syntax(commands[i]));
	while (std::getline(man, line)) {
		line = unescape(line);
		EXPECT_TRUE(line.rfind(".B fairway ", 0) != 0 || known.count(line)) << line;
	}
}

TEST(Commands, HelpHasSyntaxArgumentsAndExamples)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command &cmd = commands[i];
		std::string help = printed([&](FILE *out) { help_command(out, &cmd); });

		EXPECT_NE(help.find("fairway [OPTIONS] " + syntax(cmd)), std::string::npos);
		for (const struct command_arg *arg = cmd.args; arg->label; arg++)
			EXPECT_NE(help.find(arg->help), std::string::npos) << syntax(cmd);
		for (const struct command_example *ex = cmd.examples; ex->line; ex++)
			EXPECT_NE(help.find(ex->line), std::string::npos) << syntax(cmd);
		EXPECT_EQ(help.find("--force") != std::string::npos, cmd.can_force);
		EXPECT_EQ(help.find('\t'), std::string::npos);
	}
}

TEST(Commands, HelpFitsTheTerminal)
{
	std::string all = printed([](FILE *out) {
		help_program(out);
		for (size_t i = 0; i < command_count; i++)
			help_command(out, &commands[i]);
	});
	std::stringstream lines(all);
	std::string line;

	while (std::getline(lines, line)) {
		/* A syntax line or an example is one line, to be copied. */
		EXPECT_TRUE(line.size() <= 100 || line.rfind("  fairway ", 0) == 0) << line;
	}
}

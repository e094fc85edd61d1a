/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

extern "C" {
#include "controlplane/metrics/text.h"
}

namespace
{

std::string written(const std::function<void(FILE *)> &write)
{
	char *text = nullptr;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	write(out);
	fclose(out);
	std::string s(text, len);
	free(text);
	return s;
}

TEST(MetricsText, LabelsAreQuotedAndEscaped)
{
	EXPECT_EQ(written([](FILE *out) {
			  const char *labels[] = {"a", "say \"hi\"", "b", "back\\slash\nline",
						  nullptr};

			  metrics_count(out, "m", 18446744073709551615ULL, labels);
		  }),
		  "m{a=\"say \\\"hi\\\"\",b=\"back\\\\slash\\nline\"} 18446744073709551615\n");
}

TEST(MetricsText, ASampleNeedsNoLabels)
{
	EXPECT_EQ(written([](FILE *out) { metrics_value(out, "m", 0.25, nullptr); }), "m 0.25\n");
}

TEST(MetricsText, AFamilyHasHelpAndType)
{
	EXPECT_EQ(written([](FILE *out) { metrics_family(out, "m", "gauge", "a\nb\\c"); }),
		  "# HELP m a\\nb\\\\c\n# TYPE m gauge\n");
}

TEST(MetricsText, HtmlCannotBreakOut)
{
	EXPECT_EQ(written([](FILE *out) { metrics_html(out, "<b a=\"x\">&"); }),
		  "&lt;b a=&quot;x&quot;&gt;&amp;");
}

} // namespace

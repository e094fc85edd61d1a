/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/api/server.h"
#include "controlplane/base/clock.h"
}

namespace
{

int length(void *arg, json_t *params, struct api_reply *reply)
{
	*static_cast<int *>(arg) += 1;
	reply->result =
		json_pack("{s:I}", "length", (json_int_t)strlen(api_string(params, "text")));
	return 0;
}

int large(void *arg, json_t *, struct api_reply *reply)
{
	*static_cast<int *>(arg) += 1;
	reply->result = json_pack("{s:s}", "text", std::string(100000, 'x').c_str());
	return 0;
}

const struct api_param length_params[] = {{"text", API_STRING, true}, {nullptr, API_STRING, false}};
const struct api_method methods[] = {{"length", length_params, length}, {"large", nullptr, large}};

class Server : public ::testing::Test
{
      protected:
	uv_loop_t loop;
	struct api_server *server = nullptr;
	std::string dir, path;
	struct err err = {};
	int calls = 0;

	void SetUp() override
	{
		char name[] = "/tmp/fairway-api-XXXXXX";

		ASSERT_NE(mkdtemp(name), nullptr);
		dir = name;
		path = dir + "/s.sock";
		ASSERT_EQ(uv_loop_init(&loop), 0);
	}
	void TearDown() override
	{
		api_server_free(server);
		uv_run(&loop, UV_RUN_DEFAULT);
		EXPECT_EQ(uv_loop_close(&loop), 0) << "a handle was left open";
		unlink(path.c_str());
		rmdir(dir.c_str());
	}
	int start()
	{
		struct api_table table = {methods, 2, &calls};

		return api_server_new(&loop, path.c_str(), &table, &server, &err);
	}
	/* One end of a pair; the server has the other. */
	int pair()
	{
		int fds[2];

		EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		EXPECT_EQ(api_server_adopt(server, fds[1]), 0);
		return fds[0];
	}
	void turn()
	{
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	/* Write all, letting the server read. */
	void put(int fd, const std::string &text)
	{
		uint64_t end = clock_now_ns() + 10 * NS_PER_S;

		for (size_t at = 0; at < text.size();) {
			ssize_t n = write(fd, text.data() + at, text.size() - at);

			if (n > 0)
				at += static_cast<size_t>(n);
			turn();
			ASSERT_LT(clock_now_ns(), end) << "the server doesn't read";
		}
	}
	/* Read until so many lines have come, or the end ("" then tells of a closed connection). */
	std::string get(int fd, size_t n_lines)
	{
		uint64_t end = clock_now_ns() + 10 * NS_PER_S;
		std::string out;
		char buf[65536];

		while (clock_now_ns() < end) {
			ssize_t n = read(fd, buf, sizeof(buf));
			size_t have = 0;

			if (n == 0)
				return out;
			if (n > 0)
				out.append(buf, static_cast<size_t>(n));
			for (char c : out)
				have += c == '\n';
			if (have >= n_lines)
				return out;
			turn();
		}
		ADD_FAILURE() << "only got: " << out.substr(0, 200);
		return out;
	}
	static std::string request(int id, const std::string &text)
	{
		return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
		       R"(,"method":"length","params":{"text":")" + text + "\"}}\n";
	}
	static std::string reply(int id, size_t length)
	{
		return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
		       R"(,"result":{"length":)" + std::to_string(length) + "}}\n";
	}
};

TEST_F(Server, ARequestInPiecesIsOneRequest)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();

	for (char c : request(1, "abc"))
		put(fd, std::string(1, c));
	EXPECT_EQ(get(fd, 1), reply(1, 3));
	close(fd);
}

TEST_F(Server, ManyRequestsInOnePieceAreAnsweredInOrder)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();
	std::string all, want;

	for (int i = 0; i < 1000; i++) {
		all += request(i, std::string(static_cast<size_t>(i % 50), 'x'));
		want += reply(i, static_cast<size_t>(i % 50));
	}
	put(fd, all);
	EXPECT_EQ(get(fd, 1000), want);
	close(fd);
}

TEST_F(Server, EmptyLinesAndCarriageReturnsDoNoHarm)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();
	std::string crlf = request(1, "ab");

	crlf.insert(crlf.size() - 1, "\r");
	put(fd, "\n\r\n" + crlf);
	EXPECT_EQ(get(fd, 1), reply(1, 2));
	close(fd);
}

TEST_F(Server, AClientMayShutDownItsHalfAndStillGetItsAnswers)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();

	put(fd, request(1, "a") + request(2, "bb"));
	shutdown(fd, SHUT_WR);
	EXPECT_EQ(get(fd, 99), reply(1, 1) + reply(2, 2)) << "and then the connection ends";
	EXPECT_EQ(api_server_clients(server), 0u);
	close(fd);
}

TEST_F(Server, ALargeRequestFits)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();

	put(fd, request(1, std::string(8000000, 'x')));
	EXPECT_EQ(get(fd, 1), reply(1, 8000000));
	close(fd);
}

TEST_F(Server, ALineBeyondTheLimitIsRefusedAndTheConnectionClosed)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();
	std::string chunk(1 << 20, 'x'), answer;
	uint64_t end = clock_now_ns() + 20 * NS_PER_S;

	/* No LF ever comes. */
	for (size_t sent = 0; api_server_clients(server) && clock_now_ns() < end;) {
		ssize_t n = sent > API_LINE_MAX + chunk.size()
				    ? -1
				    : send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL);

		sent += n > 0 ? static_cast<size_t>(n) : 0;
		turn();
	}
	answer = get(fd, 1);
	EXPECT_NE(answer.find("-32600"), std::string::npos) << answer.substr(0, 200);
	EXPECT_EQ(api_server_clients(server), 0u);
	EXPECT_EQ(calls, 0);
	close(fd);
}

TEST_F(Server, WhoDoesNotReadIsNotReadFrom)
{
	ASSERT_EQ(start(), 0) << err.text;
	int fd = pair();
	std::string ask = R"({"jsonrpc":"2.0","id":1,"method":"large"})"
			  "\n";
	int quiet = 0;

	/* Ask for 100 MB and read nothing. */
	for (int sent = 0; quiet < 1000;) {
		int before = calls;

		if (sent < 1000 && write(fd, ask.data(), ask.size()) > 0)
			sent++;
		turn();
		quiet = calls == before ? quiet + 1 : 0;
	}
	EXPECT_LT(calls, 50) << "answers pile up in the daemon";
	/* Another client isn't kept waiting by that. */
	int other = pair();

	put(other, request(2, "a"));
	EXPECT_EQ(get(other, 1), reply(2, 1));
	close(other);
	/* And the first one goes on where it reads again. */
	int before = calls;

	get(fd, 40);
	EXPECT_GT(calls, before);
	close(fd);
}

TEST_F(Server, ManyClientsAtOnce)
{
	ASSERT_EQ(start(), 0) << err.text;
	std::vector<int> fds;

	for (int i = 0; i < 200; i++)
		fds.push_back(pair());
	for (int i = 0; i < 200; i++)
		put(fds[static_cast<size_t>(i)], request(i, "xy"));
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(get(fds[static_cast<size_t>(i)], 1), reply(i, 2));
	for (int fd : fds)
		close(fd);
}

TEST_F(Server, TheSocketHasMode0660AndGoesWithTheServer)
{
	struct stat st;

	ASSERT_EQ(start(), 0) << err.text;
	ASSERT_EQ(stat(path.c_str(), &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0660u);
	api_server_free(server);
	server = nullptr;
	uv_run(&loop, UV_RUN_DEFAULT);
	EXPECT_NE(stat(path.c_str(), &st), 0);
}

TEST_F(Server, ASocketThatSomebodyServesIsLeftAlone)
{
	struct api_table table = {methods, 2, &calls};
	struct api_server *second = nullptr;
	struct stat before, after;

	ASSERT_EQ(start(), 0) << err.text;
	ASSERT_EQ(stat(path.c_str(), &before), 0);
	EXPECT_EQ(api_server_new(&loop, path.c_str(), &table, &second, &err), -EADDRINUSE);
	EXPECT_NE(std::string(err.text).find("another daemon"), std::string::npos) << err.text;
	uv_run(&loop, UV_RUN_NOWAIT);
	ASSERT_EQ(stat(path.c_str(), &after), 0) << "the refused one removed the other's socket";
	EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(Server, AStaleSocketIsReplacedAFileIsNot)
{
	struct sockaddr_un sun = {};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	sun.sun_family = AF_UNIX;
	strcpy(sun.sun_path, path.c_str());
	ASSERT_EQ(bind(fd, reinterpret_cast<struct sockaddr *>(&sun), sizeof(sun)), 0);
	close(fd);
	ASSERT_EQ(start(), 0) << err.text;
	api_server_free(server);
	server = nullptr;
	uv_run(&loop, UV_RUN_DEFAULT);
	close(open(path.c_str(), O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(start(), -EEXIST);
}

} // namespace

/* SPDX-License-Identifier: BSD-2-Clause */
extern "C" {
#include "controlplane/base/process.h"
}

#include <fstream>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace
{

/* Returns once the process has ended; it is left for waitpid(). */
void await_end(pid_t pid)
{
	siginfo_t info;
	ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
}

TEST(Process, RunsUntilItHasEndedWaitedForOrNot)
{
	EXPECT_TRUE(process_runs(getpid()));
	const pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	EXPECT_TRUE(process_runs(pid));
	kill(pid, SIGKILL);
	await_end(pid);
	EXPECT_EQ(kill(pid, 0), 0);
	EXPECT_FALSE(process_runs(pid)) << "nobody has waited for it";
	ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
	EXPECT_FALSE(process_runs(pid));
}

bool is_zombie(pid_t pid)
{
	std::string line;
	std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
	return std::getline(in, line) && line.substr(line.rfind(')')).rfind(") Z", 0) == 0;
}

/* A process whose first thread is through shows as a zombie in /proc, and its others work on. */
TEST(Process, RunsWhileAThreadOfItDoes)
{
	const pid_t pid = fork();
	if (pid == 0) {
		pthread_t thread;
		const auto wait = [](void *) -> void * { return pause(), nullptr; };
		pthread_create(&thread, nullptr, wait, nullptr);
		syscall(SYS_exit, 0);
	}
	while (process_runs(pid) && !is_zombie(pid))
		sched_yield();
	EXPECT_TRUE(process_runs(pid));
	kill(pid, SIGKILL);
	await_end(pid);
	EXPECT_FALSE(process_runs(pid));
	waitpid(pid, nullptr, 0);
}

} // namespace

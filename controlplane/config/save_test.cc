/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

class Save : public testing::Test
{
      protected:
	void SetUp() override
	{
		char name[] = "/tmp/config_save.XXXXXX";

		ASSERT_NE(mkdtemp(name), nullptr);
		dir = name;
		path = dir + "/fairway.yaml";
		cfg = Parse(kFull);
		ASSERT_TRUE(cfg);
	}

	void TearDown() override
	{
		for (const std::string &name : Names())
			unlink((dir + "/" + name).c_str());
		rmdir(dir.c_str());
	}

	std::set<std::string> Names()
	{
		std::set<std::string> names;
		DIR *d = opendir(dir.c_str());

		while (struct dirent *e = d ? readdir(d) : nullptr)
			if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
				names.insert(e->d_name);
		if (d)
			closedir(d);
		return names;
	}

	static std::string Read(const std::string &name)
	{
		std::ifstream in(name);
		std::stringstream text;

		text << in.rdbuf();
		return text.str();
	}

	void Write(const std::string &text)
	{
		std::ofstream(path) << text;
	}

	/* The error without the directory's random name. */
	std::string Error()
	{
		std::string text = err.text;

		for (size_t at; (at = text.find(dir)) != std::string::npos;)
			text.erase(at, dir.size());
		return text;
	}

	ConfigPtr cfg;
	std::string dir, path;
	struct err err = {};
};

TEST_F(Save, WritesAFileThatLoadsTheSame)
{
	auto errs = std::make_unique<struct config_errors>();
	struct config *loaded = nullptr;
	struct stat st;

	ASSERT_EQ(config_save(path.c_str(), cfg.get(), &err), 0) << err.text;
	ASSERT_EQ(config_load(path.c_str(), &loaded, errs.get()), 0);
	EXPECT_TRUE(config_equal(cfg.get(), loaded));
	config_free(loaded);
	ASSERT_EQ(stat(path.c_str(), &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0640u) << "it may hold passwords";
	EXPECT_EQ(Names(), std::set<std::string>{"fairway.yaml"});
}

TEST_F(Save, KeepsModeAndOwner)
{
	struct stat st;

	Write("old");
	ASSERT_EQ(chmod(path.c_str(), 0604), 0);
	if (geteuid() == 0) {
		ASSERT_EQ(chown(path.c_str(), 1234, 4321), 0);
	}
	ASSERT_EQ(config_save(path.c_str(), cfg.get(), &err), 0) << err.text;
	ASSERT_EQ(stat(path.c_str(), &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0604u);
	EXPECT_EQ(st.st_uid, geteuid() ? geteuid() : 1234u);
	EXPECT_EQ(st.st_gid, geteuid() ? st.st_gid : 4321u);
}

TEST_F(Save, FollowsASymbolicLink)
{
	std::string link = dir + "/link.yaml";
	struct stat st;

	Write("old");
	ASSERT_EQ(symlink("fairway.yaml", link.c_str()), 0);
	ASSERT_EQ(config_save(link.c_str(), cfg.get(), &err), 0) << err.text;
	ASSERT_EQ(lstat(link.c_str(), &st), 0);
	EXPECT_TRUE(S_ISLNK(st.st_mode));
	EXPECT_EQ(Read(path), Emit(cfg.get()));
}

TEST_F(Save, RefusesWhatIsNoFile)
{
	std::string link = dir + "/link.yaml";

	EXPECT_EQ(config_save(dir.c_str(), cfg.get(), &err), -EINVAL);
	EXPECT_EQ(Error(), ": is not a regular file: name the file to save to");
	ASSERT_EQ(symlink("nowhere", link.c_str()), 0);
	EXPECT_EQ(config_save(link.c_str(), cfg.get(), &err), -ENOENT);
	EXPECT_EQ(Error(), "/link.yaml: is a symbolic link to a file that doesn't exist: mend or "
			   "remove the link");
	EXPECT_EQ(config_save((dir + "/no/x.yaml").c_str(), cfg.get(), &err), -ENOENT);
	EXPECT_EQ(Error(), "/no/x.yaml: cannot create a file beside it: No such file or directory: "
			   "create the directory first");
}

TEST_F(Save, NeverWritesWhatWouldNotLoad)
{
	Write("old");
	cfg->vips[1].address = cfg->vips[0].address;
	EXPECT_EQ(config_save(path.c_str(), cfg.get(), &err), -EINVAL);
	EXPECT_EQ(Error(), "/fairway.yaml: not saved, it would not load again: vip 'web6' has "
			   "address 203.0.113.80, as has vip 'web': an address is "
			   "announced as one: put its services into one vip");
	EXPECT_EQ(Read(path), "old");
	EXPECT_EQ(Names(), std::set<std::string>{"fairway.yaml"});
}

/* ---- A file system of our own: full, then read-only ---- */

enum { kSkip = 77 };

/* Mount a tiny tmpfs on dir, in a mount namespace of this (child) process only. */
static bool MountTiny(const std::string &dir)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
	       mount("tmpfs", dir.c_str(), "tmpfs", 0, "size=64k") == 0;
}

static void FillUp(const std::string &name)
{
	std::string block(4096, 'x');
	int fd = open(name.c_str(), O_WRONLY | O_CREAT, 0600);

	while (write(fd, block.data(), block.size()) > 0)
		;
	close(fd);
}

/* Runs body in a child with a tiny file system on dir; the child's failures become this test's. */
template <typename Body> static void InTinyFileSystem(const std::string &dir, Body body)
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (pid == 0) {
		if (!MountTiny(dir))
			_exit(kSkip);
		body();
		_exit(testing::Test::HasFailure());
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_TRUE(WIFEXITED(status));
	if (WEXITSTATUS(status) == kSkip)
		GTEST_SKIP() << "may not mount a tmpfs";
	EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Save, AFullDiskLeavesTheOldFile)
{
	InTinyFileSystem(dir, [this] {
		Write("old");
		FillUp(dir + "/filler");
		EXPECT_EQ(config_save(path.c_str(), cfg.get(), &err), -ENOSPC);
		EXPECT_EQ(Error(), "/fairway.yaml: cannot write it: No space left on device: free "
				   "some space");
		EXPECT_EQ(Read(path), "old");
		EXPECT_EQ(Names(), (std::set<std::string>{"fairway.yaml", "filler"}));
	});
}

TEST_F(Save, AReadOnlyFileSystemLeavesTheOldFile)
{
	InTinyFileSystem(dir, [this] {
		Write("old");
		ASSERT_EQ(mount("none", dir.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
		EXPECT_EQ(config_save(path.c_str(), cfg.get(), &err), -EROFS);
		EXPECT_EQ(Error(), "/fairway.yaml: cannot create a file beside it: Read-only file "
				   "system: remount it writable, or save to another path");
		EXPECT_EQ(Read(path), "old");
	});
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/daemon_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

extern "C" {
#include "controlplane/base/clock.h"
}

namespace
{

std::string read_file(const std::string &path)
{
	std::ifstream f(path);
	std::stringstream s;

	s << f.rdbuf();
	return s.str();
}

/* The daemon that was built beside this test. */
std::string daemon_path()
{
	const char *given = getenv("FAIRWAYD");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given || n <= 0)
		return given ? given : "fairwayd";
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	return std::string(self) + "/fairwayd";
}

/* Remove what runs that were killed left behind: namespaces named after a process that is gone. */
void sweep()
{
	DIR *dir = opendir("/run/netns");
	std::vector<std::string> stale;

	while (struct dirent *e = dir ? readdir(dir) : nullptr) {
		int pid;

		if (sscanf(e->d_name, "daemon%d-", &pid) == 1 && kill(pid, 0) < 0 && errno == ESRCH)
			stale.push_back(e->d_name);
	}
	if (dir)
		closedir(dir);
	for (const auto &name : stale) {
		umount2(("/run/netns/" + name).c_str(), MNT_DETACH);
		unlink(("/run/netns/" + name).c_str());
	}
}

/* In a child: enter the namespace and go with the parent. */
void enter(const std::string &ns)
{
	int fd = open(("/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		_exit(127);
}

} // namespace

std::string Edge::sh(const std::string &command)
{
	std::string out;
	char buf[4096];
	size_t n;
	FILE *p = popen((command + " 2>&1").c_str(), "r");

	if (!p) {
		ADD_FAILURE() << command;
		return "";
	}
	while ((n = fread(buf, 1, sizeof(buf), p)) > 0)
		out.append(buf, n);
	EXPECT_EQ(pclose(p), 0) << command << "\n" << out;
	return out;
}

pid_t Edge::spawn(const std::string &ns, const std::vector<std::string> &argv,
		  const std::string &log_file)
{
	pid_t pid = fork();

	if (pid == 0) {
		std::vector<char *> args;
		int fd = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);

		enter(ns);
		dup2(fd, 1);
		dup2(fd, 2);
		for (const auto &a : argv)
			args.push_back(const_cast<char *>(a.c_str()));
		args.push_back(nullptr);
		execvp(args[0], args.data());
		_exit(127);
	}
	children.push_back(pid);
	return pid;
}

int Edge::wait_exit(pid_t pid)
{
	uint64_t end = clock_now_ns() + 20 * NS_PER_S;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_now_ns() > end) {
			ADD_FAILURE() << "process " << pid << " doesn't end; its log:\n" << log();
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		poll(nullptr, 0, 5);
	}
	for (auto &c : children)
		c = c == pid ? -1 : c;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Edge::stop(pid_t *pid, int signal)
{
	if (*pid > 0) {
		kill(*pid, signal);
		wait_exit(*pid);
	}
	*pid = -1;
}

bool Edge::eventually(const std::function<bool()> &what, int seconds)
{
	uint64_t end = clock_now_ns() + static_cast<uint64_t>(seconds) * NS_PER_S;

	while (!what()) {
		/* Without a daemon there is nothing to wait for. */
		if (HasFatalFailure() || clock_now_ns() > end)
			return false;
		poll(nullptr, 0, 20);
	}
	return true;
}

void Edge::SetUp()
{
	char name[] = "/tmp/fairway-daemon-XXXXXX";

	if (geteuid() != 0)
		GTEST_SKIP() << "needs root for network namespaces and BPF";
	sweep();
	ASSERT_NE(mkdtemp(name), nullptr);
	dir = name;
	id = "daemon" + std::to_string(getpid());
	lb = id + "-lb";
	edge = id + "-edge";
	ifname = "dm" + std::to_string(getpid()) + "a";
	peer_name = "dm" + std::to_string(getpid()) + "b";
	config_path = dir + "/fairway.yaml";
	socket_path = dir + "/s.sock";
	log_path = dir + "/log";
	ASSERT_EQ(mkdir((dir + "/bpf").c_str(), 0700), 0);
	ASSERT_EQ(mount("bpf", (dir + "/bpf").c_str(), "bpf", 0, nullptr), 0) << strerror(errno);
	sh("ip netns add " + lb + " && ip netns add " + edge);
	make_link();
	write_config(yaml());
}

void Edge::make_link()
{
	const std::string &peer = peer_name;

	sh("ip link add " + ifname + " netns " + lb + " type veth peer name " + peer + " netns " +
	   edge);
	sh("ip -n " + lb + " link set lo up; ip -n " + lb + " link set " + ifname + " up");
	sh("ip -n " + edge + " link set lo up; ip -n " + edge + " link set " + peer + " up");
	sh("ip -n " + lb + " addr add 10.9.0.1/24 dev " + ifname);
	sh("ip -n " + edge + " addr add 10.9.0.2/24 dev " + peer + "; ip -n " + edge +
	   " addr add 10.9.0.3/24 dev " + peer);
	sh("ip -n " + edge + " route add 203.0.113.0/24 via 10.9.0.1");
}

void Edge::TearDown()
{
	if (dir.empty())
		return;
	for (pid_t c : children) {
		if (c > 0) {
			kill(c, SIGKILL);
			waitpid(c, nullptr, 0);
		}
	}
	if (HasFailure())
		printf("--- fairwayd's log:\n%s---\n", log().c_str());
	sh("ip netns del " + lb + "; ip netns del " + edge);
	umount2((dir + "/bpf").c_str(), MNT_DETACH);
	sh("rm -rf " + dir);
}

std::string Edge::log()
{
	return read_file(log_path);
}

std::string Edge::yaml(const std::string &more_vips)
{
	return "node:\n"
	       "  name: lb1\n"
	       "  interfaces: [" +
	       ifname +
	       "]\n"
	       "  tunnel_source: {ipv4: 10.9.0.1}\n"
	       "  hash_seed: \"0123456789abcdef0123456789abcdef\"\n"
	       "  drain_time: 200ms\n"
	       "bgp:\n"
	       "  asn: 64512\n"
	       "  router_id: 10.9.0.1\n"
	       "  neighbors:\n"
	       "    - {address: 10.9.0.2, asn: 64500, hold_time: 9s}\n"
	       "metrics: {listen: none}\n"
	       "pools:\n"
	       "  - name: web\n"
	       "    encap: ipip\n"
	       "    health: {type: tcp, port: 8080, interval: 100ms, timeout: 100ms, rise: 2, fall: "
	       "2}\n"
	       "    reals:\n"
	       "      - {address: 10.9.0.2}\n"
	       "      - {address: 10.9.0.3}\n"
	       "vips:\n"
	       "  - name: web\n"
	       "    address: 203.0.113.80\n"
	       "    services:\n"
	       "      - {protocol: tcp, port: 443, pool: web}\n"
	       "      - {protocol: udp, port: 443, pool: web}\n" +
	       more_vips;
}

void Edge::write_config(const std::string &text)
{
	std::ofstream(config_path) << text;
}

std::vector<std::string> Edge::daemon_argv()
{
	return {daemon_path(),   "--config", config_path,     "--socket", socket_path,   "--bpffs",
		dir + "/bpf/lb", "--tables", dir + "/tables", "--state",  dir + "/state"};
}

void Edge::start()
{
	daemon = spawn(lb, daemon_argv(), log_path);
	ASSERT_TRUE(eventually([&] {
		int status;

		return waitpid(daemon, &status, WNOHANG) != 0 ||
		       get("status.get", "state") == "active" ||
		       get("status.get", "state") == "drained";
	})) << log();
	ASSERT_EQ(kill(daemon, 0), 0) << log();
}

int Edge::run_to_end(const std::vector<std::string> &argv, std::string *ret_text)
{
	std::string out = dir + "/out";

	unlink(out.c_str());
	int rc = wait_exit(spawn(lb, argv, out));

	*ret_text = read_file(out);
	return rc;
}

void Edge::start_bird()
{
	std::string conf = dir + "/bird.conf", ctl = dir + "/bird.ctl";

	std::ofstream(conf)
		<< "router id 10.9.0.2;\nprotocol device {}\n"
		   "protocol bgp lb { local 10.9.0.2 as 64500; neighbor 10.9.0.1 as 64512;\n"
		   "  connect retry time 1; error wait time 1, 1; connect delay time 1;\n"
		   "  ipv4 { import all; export none; }; }\n";
	bird = spawn(edge, {"bird", "-f", "-c", conf, "-s", ctl}, dir + "/bird.log");
	ASSERT_TRUE(eventually([&] { return access(ctl.c_str(), F_OK) == 0; }))
		<< read_file(dir + "/bird.log");
}

bool Edge::router_has(const std::string &prefix)
{
	std::string out = sh("birdc -s " + dir + "/bird.ctl show route");

	return out.find(prefix) != std::string::npos;
}

void Edge::start_reals()
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sockaddr_in sin = {};
		int fd, one = 1;

		enter(edge);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(8080);
		if (bind(fd, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)) < 0 ||
		    listen(fd, 64) < 0)
			_exit(1);
		for (;;)
			close(accept(fd, nullptr, nullptr));
	}
	children.push_back(pid);
	reals = pid;
}

void Edge::stop_reals()
{
	stop(&reals, SIGKILL);
}

void Edge::send_packets(int n)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sockaddr_in sin = {};

		enter(edge);
		sin.sin_family = AF_INET;
		sin.sin_port = htons(443);
		inet_pton(AF_INET, "203.0.113.80", &sin.sin_addr);
		for (int i = 0; i < n; i++) {
			int fd = socket(AF_INET, SOCK_DGRAM, 0);

			if (sendto(fd, "x", 1, 0, reinterpret_cast<struct sockaddr *>(&sin),
				   sizeof(sin)) != 1)
				_exit(1);
			close(fd);
		}
		_exit(0);
	}
	children.push_back(pid);
	ASSERT_EQ(wait_exit(pid), 0);
}

json_t *Edge::call(const std::string &method, const std::string &params)
{
	std::string line = R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" +
			   params + "}\n";
	struct sockaddr_un sun = {};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	std::string answer;
	char buf[65536];
	ssize_t n;

	sun.sun_family = AF_UNIX;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path.c_str());
	if (connect(fd, reinterpret_cast<struct sockaddr *>(&sun), sizeof(sun)) == 0 &&
	    send(fd, line.data(), line.size(), MSG_NOSIGNAL) == (ssize_t)line.size()) {
		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			answer.append(buf, static_cast<size_t>(n));
			if (answer.back() == '\n')
				break;
		}
	}
	close(fd);
	return json_loads(answer.c_str(), 0, nullptr);
}

std::string Edge::get(const std::string &method, const std::string &path, const std::string &params)
{
	json_t *root = call(method, params), *j = json_object_get(root, "result");
	std::stringstream words(path);
	std::string word, out;

	while (std::getline(words, word, '.'))
		j = json_is_array(j) ? json_array_get(j, strtoul(word.c_str(), nullptr, 10))
				     : json_object_get(j, word.c_str());
	if (json_is_string(j)) {
		out = json_string_value(j);
	} else if (j) {
		char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

		out = text;
		free(text);
	}
	json_decref(root);
	return out;
}

std::string Edge::refused(const std::string &method, const std::string &params)
{
	json_t *root = call(method, params);
	const char *name = json_string_value(
		json_object_get(json_object_get(json_object_get(root, "error"), "data"), "name"));
	std::string out = name ? name : "";

	EXPECT_NE(root, nullptr) << "no answer";
	json_decref(root);
	return out;
}

long Edge::forwarded()
{
	return strtol(get("status.get", "totals.forward.packets").c_str(), nullptr, 10);
}

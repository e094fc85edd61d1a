#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the real fairway against a peer on a Unix socket that misbehaves, or answers with the
documents of docs/api.md, and against no peer at all."""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

FAIRWAY = ""
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Peer:
    """Listens on a socket of its own and runs serve(connection, request line) once for each
    connection."""

    def __init__(self, serve, read=True):
        self.dir = tempfile.TemporaryDirectory(prefix="fairway-cli-")
        self.path = os.path.join(self.dir.name, "s")
        self.serve, self.read = serve, read
        self.requests, self.failure = [], None
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(8)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with conn:
                try:
                    line = b""
                    while self.read and not line.endswith(b"\n"):
                        got = conn.recv(65536)
                        if not got:
                            break
                        line += got
                    if line:
                        self.requests.append(json.loads(line))
                    self.serve(conn, self.requests[-1] if line else None)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                except Exception as e:  # shown by the test that owns the peer
                    self.failure = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
        self.dir.cleanup()
        if self.failure and not exc[0]:
            raise self.failure


def fairway(*words, peer=None, **kwargs):
    argv = [FAIRWAY, *(["--socket", peer.path] if peer else []), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **kwargs)


def answer(result=None, error=None, **extra):
    doc = {"jsonrpc": "2.0", "id": 1, **extra}
    if result is not None:
        doc["result"] = result
    if error is not None:
        doc["error"] = error
    return json.dumps(doc).encode() + b"\n"


def says(data):
    """A peer's behaviour: send data, close."""
    return lambda conn, request: conn.sendall(data)


def documents():
    """Every JSON example of docs/api.md by the heading it stands under."""
    heading, docs = None, {}
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for m in re.finditer(r"^##+ ([^\n]+)$|^```json\n(.*?)^```$", text, re.M | re.S):
        if m.group(1):
            heading = m.group(1)
        else:
            docs.setdefault(heading, json.loads(m.group(2)))
    vip, pool, real = docs["VIPs"], docs["Pools"], docs["Reals"]
    version = {"schema_version": 1}
    return docs | {
        "vip.list": {**version, "vips": [vip]},
        "vip.show": {**version, "vip": vip, "pools": [{**pool, "reals": [real]}]},
        "pool.list": {**version, "pools": [pool]},
        "pool.show": {**version, "pool": pool, "reals": [real]},
        "real.list": {**version, "reals": [real]},
        "config.apply": {**docs["Changes"], "file": "f.yaml"},
        **{m: docs["Changes"] for m in (
            "vip.add", "vip.remove", "vip.set", "real.add", "real.remove", "real.set",
            "real.drain", "real.disable", "real.enable", "node.drain", "node.enable")},
    }


COMMANDS = {
    "status": "status.get", "vip list": "vip.list", "vip show web": "vip.show",
    "vip add web address 192.0.2.1": "vip.add", "vip remove web": "vip.remove",
    "vip set web announce never": "vip.set", "pool list": "pool.list",
    "pool show web": "pool.show", "real list": "real.list", "real list web": "real.list",
    "real add web 10.0.0.1": "real.add", "real remove 10.0.0.1": "real.remove",
    "real set 10.0.0.1 weight 1": "real.set", "real drain 10.0.0.1": "real.drain",
    "real disable 10.0.0.1": "real.disable", "real enable 10.0.0.1": "real.enable",
    "bgp show": "bgp.show", "counters": "counters.get",
    "explain tcp 192.0.2.1:1 192.0.2.2:2": "explain", "config check": "config.check",
    "config diff": "config.diff", "config apply": "config.apply", "config save": "config.save",
    "config show": "config.show", "node drain": "node.drain", "node enable": "node.enable",
    "journal": "journal.get", "doctor": "doctor.run",
}


class Answers(unittest.TestCase):
    """Good answers, as documented."""

    def test_every_command_shows_its_document(self):
        docs = documents()
        for line, method in COMMANDS.items():
            with self.subTest(line), Peer(says(answer(docs[method]))) as peer:
                table = fairway(*line.split(), peer=peer)
                as_json = fairway("--json", *line.split(), peer=peer)
                trouble = 0 if docs[method].get("ok", True) else 4
                self.assertEqual((table.returncode, table.stderr), (trouble, ""))
                self.assertEqual((as_json.returncode, as_json.stderr), (trouble, ""))
                self.assertTrue(table.stdout.endswith("\n"))
                self.assertEqual(json.loads(as_json.stdout), docs[method])
                for request in peer.requests:
                    self.assertEqual(request["method"], method)

    def test_every_command_of_the_program_is_tried_here(self):
        listed = re.findall(r"^  ((?:[a-z]+ )?[a-z]+)  ", fairway("--help").stdout, re.M)
        tried = {" ".join(line.split()[:len(name.split())]) for line in COMMANDS
                 for name in listed}
        self.assertGreater(len(listed), 20)
        self.assertEqual(set(listed) - tried, {"completion"} & set(listed))

    def test_keys_of_the_documents_are_snake_case(self):
        def walk(value, where):
            if isinstance(value, dict):
                for key, inner in value.items():
                    self.assertRegex(key, r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", where)
                    walk(inner, f"{where}.{key}")
            elif isinstance(value, list):
                for inner in value:
                    walk(inner, where)
        for method, doc in documents().items():
            walk(doc, method)
            if "." in method or method == "explain":
                self.assertEqual(doc["schema_version"], 1, method)

    def test_status_tells_what_a_person_needs(self):
        with Peer(says(answer(documents()["status.get"]))) as peer:
            out = fairway("status", peer=peer).stdout
        for part in ("lb1", "xdp native", "2/2 sessions established", "1/1 announced", "2/3 up",
                     "eth0", "warning: real 10.0.0.13 of pool web is down"):
            self.assertIn(part, out)

    def test_large_answers_arrive_whole(self):
        doc = documents()["real.list"]
        doc["reals"] = doc["reals"] * 20000
        with Peer(says(answer(doc))) as peer:
            done = fairway("real", "list", peer=peer)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.count("\n"), 20001)

    def test_answers_may_come_byte_by_byte(self):
        def trickle(conn, _):
            for byte in answer(documents()["vip.list"]):
                conn.send(bytes([byte]))
        with Peer(trickle) as peer:
            self.assertEqual(fairway("vip", "list", peer=peer).returncode, 0)

    def test_large_files_are_sent_whole(self):
        with Peer(says(answer(documents()["Changes"]))) as peer:
            text = "# " + "x" * 4_000_000 + "\n"
            done = fairway("config", "apply", "-", peer=peer, input=text)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(peer.requests[0]["params"], {"text": text, "file": "<stdin>"})

    def test_trouble_that_a_check_found_is_exit_code_4(self):
        doctor = {"schema_version": 1, "ok": False, "checks": [
            {"name": "bgp_sessions", "result": "fail", "text": "none is up", "hint": "look"}]}
        with Peer(says(answer(doctor))) as peer:
            done = fairway("doctor", peer=peer)
        self.assertEqual((done.returncode, done.stderr), (4, ""))
        self.assertIn("none is up", done.stdout)


class Refusals(unittest.TestCase):
    """Errors that the daemon answers with."""

    def refused(self, error, *words):
        with Peer(says(answer(error=error))) as peer:
            table = fairway(*words, peer=peer)
            as_json = fairway("--json", *words, peer=peer)
        self.assertEqual((table.returncode, table.stdout), (1, ""))
        self.assertEqual((as_json.returncode, as_json.stdout), (1, ""))
        doc = json.loads(as_json.stderr)
        self.assertEqual((doc["schema_version"], doc["exit_code"], doc["error"]),
                         (1, 1, error))
        return table.stderr

    def test_message_and_hint_are_told(self):
        err = self.refused({"code": 1, "message": "no VIP 'wbe'", "data": {
            "name": "not_found", "object": "vip", "key": "wbe", "nearest": "web",
            "hint": "did you mean 'web'?"}}, "vip", "show", "wbe")
        self.assertEqual(err, "fairway: no VIP 'wbe'\n  did you mean 'web'?\n")

    def test_findings_have_their_places(self):
        found = {"file": "f.yaml", "line": 3, "column": 5, "message": "bad port",
                 "hint": "use 1 to 65535"}
        line = "f.yaml:3:5: bad port: use 1 to 65535"
        error = {"code": 6, "message": line, "data": {
            "name": "config_errors", "hint": None, "warnings": [], "errors": [found]}}
        self.assertEqual(self.refused(error, "config", "apply"), f"fairway: {line}\n")
        error["data"]["errors"].append({**found, "line": 4})
        self.assertEqual(self.refused(error, "config", "apply"),
                         "fairway: refused, the configuration has 2 errors:\n"
                         f"{line}\n{line.replace(':3:', ':4:')}\n")

    def test_brakes_show_the_plan(self):
        err = self.refused({"code": 5, "message": "this would remove 3 of 4 VIPs", "data": {
            "name": "needs_force", "brake": "removal", "hint": "add --force", "plan": [
                {"action": "remove", "object": "vip", "name": "web", "text": "remove VIP web",
                 "breaks": "all its connections"}]}}, "config", "apply")
        self.assertIn("remove VIP web\n    breaks: all its connections\n", err)
        self.assertIn("add --force", err)

    def test_method_that_the_daemon_lacks_names_the_version(self):
        err = self.refused({"code": -32601, "message": "no method doctor.run", "data": {
            "name": "method_not_found", "hint": None, "nearest": None}}, "doctor")
        self.assertIn("version", err)

    def test_errors_without_data_will_do(self):
        self.assertEqual(self.refused({"code": -32603, "message": "out of memory"}, "status"),
                         "fairway: out of memory\n")

    def test_control_characters_are_kept_from_the_terminal(self):
        err = self.refused({"code": 3, "message": "bad \u001b[2J"}, "status")
        self.assertEqual(err, "fairway: bad ?[2J\n")


class Peers(unittest.TestCase):
    """What isn't an answer: exit code 3, nothing on stdout, and words that help."""

    def no_answer(self, serve, part, *words, code=3, read=True):
        with Peer(serve, read) as peer:
            done = fairway("--timeout", "5", *(words or ("status",)), peer=peer)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertIn(part, done.stderr)
            self.assertIn(peer.path, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_garbage(self):
        for data in (b"hello\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\n", b"[]\n", b"{}\n",
                     b"\xff\xfe\x00\n", b'{"jsonrpc":"2.0","id":1,"result":{}\n',
                     b'{"jsonrpc":"2.0","id":1}\n', b'{"jsonrpc":"1.0","id":1,"result":{}}\n',
                     answer({"schema_version": 1}, {"code": 1, "message": "x"}),
                     answer({"schema_version": 1}, id=2), answer([]), answer({"x": 1}),
                     answer(error={"message": "no code"}), answer(error=5)):
            with self.subTest(data):
                self.no_answer(says(data), "isn't an answer")

    def test_closes_without_answer(self):
        self.no_answer(says(b""), "closed the connection without an answer")

    def test_closes_in_the_middle(self):
        self.no_answer(says(b'{"jsonrpc":"2.0",'), "in the middle of its answer")

    def test_closes_before_the_request_is_read(self):
        self.no_answer(lambda conn, _: conn.close(), "closed the connection", read=False)

    def test_a_change_that_got_no_answer_may_have_happened(self):
        unknown = "Whether the change was made isn't known"
        self.no_answer(says(b""), unknown, "real", "drain", "10.0.0.1")
        with Peer(says(b"")) as peer:
            self.assertNotIn(unknown, fairway("real", "list", peer=peer).stderr)
        self.assertNotIn(unknown, fairway("--socket", "/nonexistent/s", "config", "save").stderr)

    def test_silence_ends_at_the_timeout(self):
        release = threading.Event()
        with Peer(lambda conn, _: release.wait(30)) as peer:
            done = fairway("--timeout", "0.2", "status", peer=peer)
            release.set()
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("didn't answer within 0.2 s", done.stderr)

    def test_trickling_doesnt_outlast_the_timeout(self):
        release = threading.Event()

        def trickle(conn, _):
            while not release.wait(0.05):
                conn.send(b" ")
        with Peer(trickle) as peer:
            done = fairway("--timeout", "0.5", "status", peer=peer)
            release.set()
        self.assertEqual(done.returncode, 3)
        self.assertIn("didn't answer within", done.stderr)

    def test_a_reader_that_stops_reading_is_a_timeout(self):
        release = threading.Event()
        with Peer(lambda conn, _: release.wait(30), read=False) as peer:
            done = fairway("--timeout", "0.5", "config", "apply", "-", peer=peer,
                           input="x" * 8_000_000)
            release.set()
        self.assertEqual(done.returncode, 3)
        self.assertIn("didn't answer within", done.stderr)

    def test_full_backlog_is_a_timeout(self):
        with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as listener:
            path = os.path.join(d, "s")
            listener.bind(path)
            listener.listen(0)
            waiting = socket.socket(socket.AF_UNIX)
            with waiting:
                waiting.connect(path)
                done = fairway("--socket", path, "--timeout", "0.3", "status")
        self.assertEqual(done.returncode, 3)
        self.assertIn("took no connection within 0.3 s", done.stderr)

    def test_other_schema_version_is_refused(self):
        self.no_answer(says(answer({"schema_version": 2})), "schema_version 2", code=1)


class Sockets(unittest.TestCase):
    """No daemon: exit code 3, which socket, and how to mend it."""

    def unreachable(self, path, *parts):
        done = fairway("--socket", path, "status")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        for part in (path, *parts):
            self.assertIn(part, done.stderr)
        as_json = fairway("--json", "--socket", path, "status")
        self.assertEqual((as_json.returncode, as_json.stdout), (3, ""))
        self.assertEqual(json.loads(as_json.stderr)["error"]["data"]["name"], "unreachable")

    def test_missing_socket(self):
        self.unreachable("/nonexistent/s", "No such file", "systemctl status fairwayd",
                         "--socket")

    def test_socket_nobody_listens_on(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "s")
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)
            self.unreachable(path, "Connection refused", "isn't running")

    def test_what_isnt_a_socket(self):
        with tempfile.NamedTemporaryFile() as f:
            self.unreachable(f.name, f.name)

    def test_overlong_path(self):
        self.unreachable("/" + "x" * 200, "at most")

    @unittest.skipIf(os.geteuid() != 0, "needs root to become somebody else")
    def test_forbidden_socket(self):
        with Peer(says(b"")) as peer:
            os.chmod(peer.dir.name, 0o755)
            os.chmod(peer.path, 0o600)
            done = fairway("status", peer=peer, user="nobody")
        self.assertEqual(done.returncode, 3)
        self.assertIn("Permission denied", done.stderr)
        self.assertIn("as root or as a member of group root", done.stderr)


class Output(unittest.TestCase):
    """Whether the answer arrived counts."""

    def run_to(self, stdout):
        with Peer(says(answer(documents()["status.get"]))) as peer:
            return subprocess.run([FAIRWAY, "--socket", peer.path, "status"], stdout=stdout,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = self.run_to(full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left on device", done.stderr)

    def test_closed_pipe_is_an_error(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = self.run_to(writer)
        os.close(writer)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Broken pipe", done.stderr)

    def test_closed_stdout_is_an_error(self):
        with Peer(says(answer(documents()["status.get"]))) as peer:
            done = subprocess.run(["sh", "-c", '"$0" --socket "$1" status >&-', FAIRWAY,
                                   peer.path], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(len(peer.requests), 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Bad file descriptor", done.stderr)


class Usage(unittest.TestCase):
    """Help and wrong usage, which need no daemon."""

    def test_help_works_at_every_level(self):
        for words in ([], ["vip"], ["vip", "add"], ["status"], ["config", "check"]):
            done = fairway(*words, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertIn("Usage:\n  fairway", done.stdout)
            self.assertEqual(fairway("help", *words).stdout, done.stdout)

    def test_wrong_usage_is_exit_code_2_on_stderr(self):
        for words in ([], ["vip"], ["vip", "lst"], ["frob"], ["--frob"], ["status", "x"],
                      ["vip", "add", "web"], ["vip", "x", "--help"], ["--timeout", "-1", "status"],
                      ["status", "--force"], ["--json"], ["--json", "vip", "lst"]):
            done = fairway(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertNotEqual(done.stderr, "", words)
            if "--json" in words:
                self.assertEqual(json.loads(done.stderr)["exit_code"], 2)

    def test_version(self):
        self.assertRegex(fairway("--version").stdout, r"^fairway \d+\.\d+\.\d+\n$")

    def test_unreadable_file_is_refused(self):
        done = fairway("config", "apply", "/nonexistent.yaml")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/nonexistent.yaml: No such file or directory", done.stderr)


GOOD = """node:
  name: lb1
  interfaces: [eth0]
  tunnel_source: {ipv4: 192.0.2.10}
  hash_seed: "0123456789abcdef0123456789abcdef"
pools:
  - name: web
    encap: ipip
    reals:
      - {address: 10.0.0.11}
vips:
  - name: web
    address: 203.0.113.80
    services:
      - {protocol: tcp, port: 443, pool: web}
"""


class CheckWithoutDaemon(unittest.TestCase):
    def check(self, text, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            done = fairway("--socket", "/nonexistent/s", *options, "config", "check", f.name)
            return done, f.name

    def test_good_file_passes_and_says_what_was_left_out(self):
        done, name = self.check(GOOD)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn("not checked: routes", done.stdout)
        self.assertIn("/nonexistent/s", done.stdout)
        self.assertIn(f"{name}: no errors\n", done.stdout)

    def test_bad_file_is_trouble_with_place_and_fix(self):
        done, name = self.check(GOOD.replace("protocol", "protocl"))
        self.assertEqual((done.returncode, done.stderr), (4, ""))
        self.assertRegex(done.stdout, re.escape(name) + r":15:\d+: .*protocl.*'protocol'")

    def test_json_has_the_documented_form(self):
        done, name = self.check(GOOD.replace("port: 443", "port: 70000"), "--json")
        self.assertEqual((done.returncode, done.stderr), (4, ""))
        doc, like = json.loads(done.stdout), documents()["config.check"]
        self.assertEqual(doc.keys(), like.keys())
        self.assertEqual((doc["schema_version"], doc["file"], doc["ok"]), (1, name, False))
        self.assertEqual(doc["errors"][0].keys(), like["errors"][0].keys())
        self.assertEqual(doc["errors"][0]["line"], 15)

    def test_standard_input(self):
        done = fairway("--socket", "/nonexistent/s", "config", "check", "-", input="nod: {}\n")
        self.assertEqual(done.returncode, 4)
        self.assertIn("<stdin>:1:1: ", done.stdout)

    def test_missing_file_is_a_failure_not_trouble(self):
        done = fairway("--socket", "/nonexistent/s", "config", "check", "/nonexistent.yaml")
        self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_with_a_daemon_it_is_the_daemons_answer(self):
        with Peer(says(answer(documents()["config.check"]))) as peer:
            done = fairway("config", "check", "-", peer=peer, input=GOOD)
            self.assertEqual(peer.requests[0]["params"]["text"], GOOD)
        self.assertEqual(done.returncode, 4)
        self.assertIn("no route", done.stdout)


class Completion(unittest.TestCase):
    """What bash would offer, by running the script in bash as readline would."""

    SCRIPT = """
eval "$("$1" completion bash)"
fairway() { :; }
COMP_LINE=$2; COMP_POINT=${#2}; COMP_TYPE=9
PATH=$(dirname "$1"):$PATH
unset -f fairway
_fairway
printf '%s\\n' "${COMPREPLY[@]}"
"""

    def offered(self, line):
        done = subprocess.run(["bash", "--norc", "-c", self.SCRIPT, "bash", FAIRWAY, line],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.stderr, "")
        return [w for w in done.stdout.split("\n") if w]

    @staticmethod
    def daemon():
        docs = documents()

        def serve(conn, request):
            conn.sendall(answer(docs[request["method"]]))
        return Peer(serve)

    def test_objects_verbs_keys_and_options(self):
        self.assertEqual(self.offered("fairway v"), ["vip"])
        self.assertIn("status", self.offered("fairway "))
        self.assertEqual(self.offered("fairway vip "), ["list", "show", "add", "remove", "set"])
        self.assertEqual(self.offered("fairway --json vip re"), ["remove"])
        self.assertEqual(self.offered("fairway --js"), ["--json"])
        self.assertEqual(self.offered("fairway vip add web "),
                         ["address", "service", "announce"])
        self.assertEqual(self.offered("fairway vip add web address 192.0.2.1 a"), ["announce"])
        self.assertEqual(self.offered("fairway vip set web announce "),
                         ["healthy", "always", "never"])
        self.assertEqual(self.offered("fairway vip remove web --f"), ["--force"])
        self.assertNotIn("--force", self.offered("fairway status --"))
        self.assertEqual(self.offered("fairway explain "), ["tcp", "udp"])
        self.assertEqual(self.offered("fairway vip set web service t"), ["tcp/"])
        self.assertEqual(self.offered("fairway frob "), [])

    def test_names_come_from_the_daemon(self):
        with self.daemon() as peer:
            head = f"fairway --socket {peer.path} "
            self.assertEqual(self.offered(head + "vip show "), ["web"])
            self.assertEqual(self.offered(head + "pool show w"), ["web"])
            self.assertEqual(self.offered(head + "real drain "), ["web", "10.0.0.11"])
            self.assertEqual(self.offered(head + "real drain web 10"), ["10.0.0.11"])
            self.assertEqual(self.offered(head + "real drain other "), [])
            # Readline breaks words at "=": only what follows it is to be replaced.
            self.assertEqual(self.offered(head + "vip set web service tcp/443=w"), ["web"])

    def test_silent_daemon_means_no_names_soon(self):
        release = threading.Event()
        with Peer(lambda conn, _: release.wait(30)) as peer:
            self.assertEqual(self.offered(f"fairway --socket {peer.path} vip show "), [])
            release.set()
        self.assertEqual(self.offered("fairway --socket /nonexistent vip show "), [])

    def test_files(self):
        with tempfile.TemporaryDirectory() as d:
            pathlib.Path(d, "new.yaml").touch()
            self.assertEqual(self.offered(f"fairway config check {d}/n"), [f"{d}/new.yaml"])

    def test_zsh_script_names_the_program(self):
        self.assertTrue(fairway("completion", "zsh").stdout.startswith("#compdef fairway\n"))
        self.assertEqual(fairway("completion", "fish").returncode, 2)


if __name__ == "__main__":
    FAIRWAY = os.path.abspath(sys.argv.pop(1))
    unittest.main()

# SPDX-License-Identifier: BSD-2-Clause
"""Instructions that the native and the DPDK engine execute for each kind of packet: valgrind's
callgrind counts them in one function and what that calls, and nothing else, while a program runs
testbed/perf/generate's kinds of packets. After each call it writes down what was counted, so each
call has a figure of its own.

    callgrind.py BUILD PROGRAM PART      prints the figures as JSON

PART     PROGRAM                           function
native   fairway-replay                    native_process(), a packet a call
dpdk     fairway-replay                    dpdk_process(), the same
burst    that of                           dpdk_process_burst(), 32 packets a call
         tools/replay/test/bursts.c
"""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# By whose compilation each part is known.
SOURCES = {"native": "dataplane/native/native.c", "dpdk": "dataplane/dpdk/process.c",
           "burst": "dataplane/dpdk/columns.c"}


class Unable(Exception):
    """Why nothing can be counted here."""


class Broken(Exception):
    """What went wrong while counting."""


def compiler(build, part):
    """Version and optimization that the part's code was compiled with: what its figures hold for."""
    path = os.path.join(build, "compile_commands.json")
    try:
        with open(path, encoding="utf-8") as f:
            commands = json.load(f)
    except (OSError, ValueError) as e:
        raise Broken(f"{path}: {e}") from e
    words = next((shlex.split(c["command"]) for c in commands
                  if c["file"].endswith(SOURCES[part]) and "slower" not in c["output"]), None)
    if not words:
        raise Broken(f"{path}: no word of {SOURCES[part]}")
    odd = [w for w in words if w.startswith("-fsanitize") or w == "--coverage"]
    if odd:
        raise Unable(f"the build has {odd[0]}, which adds instructions of its own")
    at = 1 if os.path.basename(words[0]) == "ccache" else 0
    version = subprocess.run([words[at], "--version"], stdout=subprocess.PIPE, check=True,
                             text=True).stdout.splitlines()[0]
    return " ".join([version, *[w for w in words if re.fullmatch(r"-O.", w)][-1:]])


def run(words, folder):
    """What it prints on standard output."""
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, text=True)
    if done.returncode == 77:
        raise Unable(done.stderr.strip())
    if done.returncode != 0:
        raise Broken(f"{' '.join(words)} failed (exit {done.returncode}):\n"
                     f"{done.stdout}{done.stderr}")
    return done.stdout


def figures(folder):
    """What each call took, in order. The last dump is the program's end, without a call."""
    paths = glob.glob(os.path.join(folder, "calls.*"))
    paths.sort(key=lambda path: int(path.rsplit(".", 1)[1]))
    counts = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            counts.append(int(re.search(r"^summary: (\d+)$", f.read(), re.M).group(1)))
    return counts


def valgrind(program, function, words, folder):
    """What the program prints, and what each call of the function took."""
    # Names of functions are enough; Debian's valgrind gives up on what clang says besides.
    run(["strip", "--strip-debug", "-o", "program", os.path.abspath(program)], folder)
    text = run(["valgrind", "--quiet", "--tool=callgrind", f"--toggle-collect={function}",
                f"--dump-after={function}", "--callgrind-out-file=calls", "./program", *words],
               folder)
    return text, figures(folder)


def count_single(program, engine, folder, told):
    """What became of the packets of each kind, and the calls' figures."""
    _, counts = valgrind(program, f"{engine}_process",
                         ["--engine", engine, "--config", "kinds.yaml", "--in", "kinds.pcap",
                          "--events", "kinds.events", "--verdicts", "verdicts"], folder)
    with open(os.path.join(folder, "verdicts"), encoding="utf-8") as f:
        reasons = [json.loads(line)["reason"] for line in f]
    each = told["packets_each"]
    return [" ".join(sorted(set(reasons[i:i + each]))) for i in range(0, len(reasons), each)], counts


def count_burst(program, _, folder, told):
    each = told["packets_each"]
    text, counts = valgrind(program, "dpdk_process_burst",
                            ["kinds.yaml", "kinds.events", "bursts.pcap", str(each)], folder)
    return [f"{sent} of {each} sent" for sent in text.split()], counts


def count(program, part):
    """{"cases": {kind: {"action": what becomes of it, "instructions": mean of a packet}}}"""
    if not shutil.which("valgrind"):
        raise Unable("valgrind is not installed, see testbed/packages")
    with tempfile.TemporaryDirectory(prefix="fw-callgrind-") as folder:
        run([sys.executable, os.path.join(HERE, "generate"), ".", "kinds"], folder)
        how, name = (count_burst, "bursts") if part == "burst" else (count_single, "kinds")
        with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as f:
            told = json.load(f)
        actions, counts = how(program, part, folder, told)
    kinds, each = told["kinds"], told["packets_each"]
    calls = len(counts) // len(kinds)
    if len(actions) != len(kinds) or not calls or len(counts) % len(kinds):
        raise Broken(f"{len(actions)} kinds of packets with {len(counts)} calls were counted, "
                     f"where {len(kinds)} are")
    return {"cases": {kind: {"action": actions[i],
                             "instructions": sum(counts[i * calls:(i + 1) * calls]) / each}
                      for i, kind in enumerate(kinds)}}


if __name__ == "__main__":
    try:
        print(json.dumps({"compiler": compiler(sys.argv[1], sys.argv[3]),
                          **count(sys.argv[2], sys.argv[3])}))
    except (Unable, Broken) as problem:
        print(f"callgrind: {problem}", file=sys.stderr)
        sys.exit(77 if isinstance(problem, Unable) else 1)

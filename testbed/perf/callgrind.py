# SPDX-License-Identifier: BSD-2-Clause
"""Instructions that the native and the DPDK engine execute for each kind of packet: valgrind's
callgrind counts them in native_process() and dpdk_process() and what they call, and nothing else,
while fairway-replay runs testbed/perf/generate's kinds of packets. After each call it writes down
what was counted, so each packet has a figure of its own.

    callgrind.py BUILD REPLAY ENGINE      prints the figures as JSON
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
SOURCES = {"native": "dataplane/native/native.c", "dpdk": "dataplane/dpdk/process.c"}


class Unable(Exception):
    """Why nothing can be counted here."""


class Broken(Exception):
    """What went wrong while counting."""


def compiler(build, engine):
    """Version and optimization that the engine's code was compiled with: what its figures hold for."""
    path = os.path.join(build, "compile_commands.json")
    try:
        with open(path, encoding="utf-8") as f:
            commands = json.load(f)
    except (OSError, ValueError) as e:
        raise Broken(f"{path}: {e}") from e
    words = next((shlex.split(c["command"]) for c in commands
                  if c["file"].endswith(SOURCES[engine]) and "slower" not in c["output"]), None)
    if not words:
        raise Broken(f"{path}: no word of {SOURCES[engine]}")
    odd = [w for w in words if w.startswith("-fsanitize") or w == "--coverage"]
    if odd:
        raise Unable(f"the build has {odd[0]}, which adds instructions of its own")
    at = 1 if os.path.basename(words[0]) == "ccache" else 0
    version = subprocess.run([words[at], "--version"], stdout=subprocess.PIPE, check=True,
                             text=True).stdout.splitlines()[0]
    return " ".join([version, *(w for w in words if re.fullmatch(r"-O.", w))][:2])


def run(words, folder):
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, text=True)
    if done.returncode != 0:
        raise Broken(f"{' '.join(words)} failed (exit {done.returncode}):\n{done.stdout}")


def figures(folder, n):
    """What each call took, in order. The last dump is the program's end, without a call."""
    paths = glob.glob(os.path.join(folder, "calls.*"))
    paths.sort(key=lambda path: int(path.rsplit(".", 1)[1]))
    if len(paths) != n:
        raise Broken(f"{len(paths)} calls were counted where {n} packets are")
    counts = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            counts.append(int(re.search(r"^summary: (\d+)$", f.read(), re.M).group(1)))
    return counts


def count(program, engine):
    """{"cases": {kind: {"action": verdict's reason, "instructions": mean}}}"""
    if not shutil.which("valgrind"):
        raise Unable("valgrind is not installed, see testbed/packages")
    with tempfile.TemporaryDirectory(prefix="fw-callgrind-") as folder:
        run([sys.executable, os.path.join(HERE, "generate"), ".", "kinds"], folder)
        # Names of functions are enough; Debian's valgrind gives up on what clang says besides.
        run(["strip", "--strip-debug", "-o", "replay", os.path.abspath(program)], folder)
        run(["valgrind", "--tool=callgrind", f"--toggle-collect={engine}_process",
             f"--dump-after={engine}_process", "--callgrind-out-file=calls",
             "./replay", "--engine", engine, "--config", "kinds.yaml", "--in",
             "kinds.pcap", "--events", "kinds.events", "--verdicts", "verdicts"], folder)
        with open(os.path.join(folder, "kinds.json"), encoding="utf-8") as f:
            told = json.load(f)
        with open(os.path.join(folder, "verdicts"), encoding="utf-8") as f:
            reasons = [json.loads(line)["reason"] for line in f]
        counts = figures(folder, len(reasons))
    each, cases = told["packets_each"], {}
    for i, kind in enumerate(told["kinds"]):
        some = range(i * each, (i + 1) * each)
        cases[kind] = {"action": " ".join(sorted({reasons[j] for j in some})),
                       "instructions": sum(counts[j] for j in some) / each}
    return {"cases": cases}


if __name__ == "__main__":
    try:
        print(json.dumps({"compiler": compiler(sys.argv[1], sys.argv[3]),
                          **count(sys.argv[2], sys.argv[3])}))
    except (Unable, Broken) as problem:
        print(f"callgrind: {problem}", file=sys.stderr)
        sys.exit(77 if isinstance(problem, Unable) else 1)

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the direction of includes: which part of the tree may know which.

Every include of the project's own headers is written from the root ("dataplane/core/forward.h"),
so the text of an include says what it depends on. RULES says for each folder what it may include;
a file is judged by the longest folder that matches it. What is not listed is forbidden, and a
folder without a rule is an error, so a new folder has to take its place here.

    check_includes.py [ROOT]      exit 0 when the tree keeps the rules, 1 with one line for each breach
    check_includes.py --self-test
"""
import os
import re
import sys
import tempfile

BASE = "controlplane/base/"
CORE = "dataplane/core/"
# What the control plane may know of the data plane: its tables, its counters, and what an engine in
# a process of its own says of itself; no packet code.
TABLES = ["dataplane/core/tables.h", "dataplane/core/memory.h", "dataplane/core/page.h",
          "dataplane/core/reasons.h"]
# The parts that controlplane/vip puts together.
PARTS = ["controlplane/" + part + "/" for part in
         ("base", "config", "maglev", "health", "bgp", "neighbour", "publish")]

# Folder of the file -> what it may include, besides its own folder and the system's headers.
# An entry ending in "/" is a folder, any other is one header.
RULES = {
    # The forwarding core and the engines that carry it.
    "dataplane/core": [],
    "dataplane/native": [CORE, BASE],
    "dataplane/xdp": [CORE, BASE, "bpf/balancer.h", "bpf/balancer.skel.h",
                      "bpf/dispatcher.skel.h"],
    # A service of its own: it reads the configuration for its CPUs and ports.
    "dataplane/dpdk": [CORE, BASE, "dataplane/native/", "controlplane/config/",
                       "bpf/steer.skel.h"],
    "bpf": [CORE],
    # The control plane: each part by itself, vip/ and the program put them together.
    "controlplane/base": [],
    "controlplane/config": [BASE],
    "controlplane/maglev": [BASE],
    "controlplane/health": [BASE],
    "controlplane/bgp": [BASE],
    "controlplane/neighbour": [BASE],
    "controlplane/publish": [BASE, "controlplane/config/", "controlplane/maglev/", "dataplane/xdp/",
                             "dataplane/native/", CORE],
    "controlplane/vip": PARTS + TABLES,
    "controlplane/api": PARTS + TABLES + ["controlplane/vip/"],
    "controlplane/metrics": [BASE],
    "controlplane": PARTS + TABLES + ["controlplane/vip/", "controlplane/api/",
                                      "controlplane/metrics/"],
    # Tools speak the daemon's API; replay builds tables without a daemon and runs the engines.
    "tools/cli": [BASE, "controlplane/config/"],
    "tools/replay": [BASE, "controlplane/config/", "controlplane/maglev/",
                     "controlplane/publish/", "dataplane/", "bpf/bench.h", "bpf/bench.skel.h"],
    # Another build of the program is loaded as the engine loads its own.
    "tools/bench": [BASE, "controlplane/publish/", "dataplane/xdp/",
                    "bpf/bench_flows.skel.h"],
    "tools/real": [BASE, "bpf/decap.skel.h", "bpf/decap_tables.h"],
    # The testbed knows binaries only.
    "testbed": [],
}

# What only the tests of a folder may include as well.
TEST_RULES = {
    # An engine is tested with tables that their one writer has written.
    "dataplane/native": ["controlplane/publish/"],
    "dataplane/xdp": ["controlplane/publish/"],
    "dataplane/dpdk": ["controlplane/publish/"],
    # A test plays the DPDK engine: the core over the tables that the daemon shares with it.
    "controlplane": ["dataplane/native/"],
    # What runs on an interface beside the balancer.
    "controlplane/publish": ["bpf/xdp_drop.skel.h"],
}

# Folders that take nothing from the system but these headers. Tests may take what they like.
SYSTEM_HEADERS = {
    "dataplane/core": ["linux/types.h"],
}

SOURCE = re.compile(r"\.(c|h|cc)$")
TEST = re.compile(r"_test\.(c|cc|h)$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include(?:_next)?[ \t]*(["<])([^">]+)[">]', re.M)


def folder_of(path, table):
    """The longest folder of table that holds path, or None."""
    folder = os.path.dirname(path)
    while folder and folder not in table:
        folder = os.path.dirname(folder)
    return folder if folder in table else None


def allowed(target, entries):
    return any(target.startswith(e) if e.endswith("/") else target == e for e in entries)


def judge(path, is_system, target):
    """None when path may include target, otherwise why not."""
    folder = folder_of(path, RULES)
    if folder is None:
        return "no rule for this folder: give it a place in RULES of tools/dev/check_includes.py"
    if is_system:
        system = SYSTEM_HEADERS.get(folder)
        if system is None or TEST.search(path) or target in system:
            return None
        return f"{folder}/ may take from the system only <{'>, <'.join(system)}>"
    if "/" not in target:
        return "write the include from the root of the tree, with its folder"
    if not SOURCE.search(target):
        return None  # generated, e.g. a skeleton
    if folder_of(target, RULES) == folder or allowed(target, RULES[folder]):
        return None
    if TEST.search(path) and allowed(target, TEST_RULES.get(folder, [])):
        return None
    may = ", ".join([folder + "/"] + RULES[folder])
    return f"{folder}/ may include only {may}"


def sources(root):
    for base, dirs, files in os.walk(root):
        dirs[:] = sorted(d for d in dirs if not d.startswith((".", "build")))
        for name in sorted(files):
            if SOURCE.search(name):
                yield os.path.relpath(os.path.join(base, name), root)


def check(root):
    """Every breach in the tree as text."""
    breaches = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for m in INCLUDE.finditer(text):
            why = judge(path, m.group(1) == "<", m.group(2))
            if why:
                line = text.count("\n", 0, m.start(2)) + 1
                breaches.append(f"{path}:{line}: includes {m.group(2)}: {why}")
    return breaches


# (file, its text, whether that is a breach)
SELF_TEST = [
    ("dataplane/core/a.h", "#include <linux/types.h>\n", False),
    ("dataplane/core/b.h", '#include "dataplane/core/a.h"\n', False),
    ("dataplane/core/c.h", "#include <string.h>\n", True),
    ("dataplane/core/d.h", '#include "controlplane/base/err.h"\n', True),
    ("dataplane/core/e_test.cc", "#include <gtest/gtest.h>\n", False),
    ("dataplane/xdp/a.c", '#include "dataplane/native/native.h"\n', True),
    ("dataplane/xdp/b.c", '#include "controlplane/publish/publish.h"\n', True),
    ("dataplane/xdp/b_test.cc", '#include "controlplane/publish/publish.h"\n', False),
    ("dataplane/dpdk/a.c", '#include "dataplane/native/native.h"\n', False),
    ("controlplane/base/a.c", '#include "controlplane/config/config.h"\n', True),
    ("controlplane/bgp/a.c", '#  include "controlplane/health/health.h"\n', True),
    ("controlplane/health/a.c", '#include "controlplane/bgp/bgp.h"\n', True),
    ("controlplane/vip/a.c", '#include "controlplane/bgp/bgp.h"\n', False),
    ("controlplane/vip/b.c", '#include "dataplane/core/tables.h"\n', False),
    ("controlplane/vip/c.c", '#include "dataplane/core/forward.h"\n', True),
    ("controlplane/vip/d.c", '#include "dataplane/xdp/xdp.h"\n', True),
    ("controlplane/vip/e.c", '#include "controlplane/api/api.h"\n', True),
    ("controlplane/publish/a.c", '#include "dataplane/xdp/xdp.h"\n', False),
    ("controlplane/publish/b.c", '#include "dataplane/dpdk/dpdk.h"\n', True),
    ("controlplane/main.c", '#include "dataplane/xdp/xdp.h"\n', True),
    ("tools/replay/a.c", '#include "dataplane/native/native.h"\n', False),
    ("tools/cli/a.c", '#include "controlplane/bgp/bgp.h"\n', True),
    ("testbed/load/a.c", '#include "controlplane/base/err.h"\n', True),
    ("testbed/load/b.c", '#include "testbed/load/b.h"\n#include <uv.h>\n', False),
    ("controlplane/bgp/b.c", '#include "bgp.h"\n', True),
    ("elsewhere/a.c", "#include <stdio.h>\n", True),
]


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for path, text, _ in SELF_TEST:
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write("/* first line */\n" + text)
        found = {b.split(":")[0] for b in check(root)}
    wrong = [f"{path}: {'breach not found' if breach else 'no breach, but reported'}: {text.strip()}"
             for path, text, breach in SELF_TEST if breach != (path in found)]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(SELF_TEST) - len(wrong)} of {len(SELF_TEST)} cases judged right")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")
    if not any(True for _ in sources(root)):
        print(f"{root}: no C source found", file=sys.stderr)
        return 1
    breaches = check(root)
    for line in breaches:
        print(line, file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

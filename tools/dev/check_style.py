#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""House style that a machine can hold.

    check_style.py format     C and C++ are as clang-format leaves them
    check_style.py licence    every file says its licence in its first line (scripts: second line)
    check_style.py shell      shell scripts parse, and shellcheck has nothing to say
    check_style.py size       names files that have grown past what one wants to read; never fails

Exit 0 when all is well, 1 with one line for each trouble, 77 when the tool it needs is not there.
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
C_SOURCE = re.compile(r"\.(c|h|cc)$")
CODE = re.compile(r"(\.(c|h|cc|py|sh)|/meson\.build)$")
MAX_LINES = 800
SKIP = 77

PERMISSIVE = "BSD-2-Clause"
KERNEL = "(GPL-2.0-only OR BSD-2-Clause)"
KERNEL_FOLDERS = ("dataplane/core/", "bpf/")


def files():
    """Every file of the tree, with its first two lines; build directories and .git left out."""
    for base, dirs, names in os.walk(ROOT):
        dirs[:] = sorted(d for d in dirs if not d.startswith("build") and d not in
                         (".git", "__pycache__"))
        for name in sorted(names):
            path = os.path.join(base, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as f:
                head = [f.readline(200).decode("utf-8", "replace").rstrip("\n") for _ in (1, 2)]
            yield os.path.relpath(path, ROOT), head


def is_shell(path, head):
    return path.endswith(".sh") or bool(re.match(r"#!.*\b(ba|da)?sh\b", head[0]))


def need(tool):
    if not shutil.which(tool):
        print(f"{tool} is not installed, see testbed/packages")
        sys.exit(SKIP)


def check_format():
    need("clang-format")
    paths = [p for p, _ in files() if C_SOURCE.search(p)]
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths], cwd=ROOT, check=False)
    if run.returncode:
        return ["to mend: clang-format -i on the files above"]
    return []


def check_licence():
    trouble = []
    for path, head in files():
        script = head[0].startswith("#!")
        if not script and not CODE.search("/" + path):
            continue
        line = head[1] if script else head[0]
        m = re.match(r"(?:/\*|//|#) SPDX-License-Identifier: (.+?)(?: \*/)?$", line)
        wanted = PERMISSIVE
        if path.startswith(KERNEL_FOLDERS) and re.search(r"\.[ch]$", path):
            wanted = KERNEL
        if not m:
            trouble.append(f"{path}: no SPDX-License-Identifier in its first line")
        elif m.group(1) != wanted:
            trouble.append(f"{path}: licence {m.group(1)}, should be {wanted}, see LICENSE")
    return trouble


def check_shell():
    paths = [p for p, head in files() if is_shell(p, head)]
    trouble = []
    for path in paths:
        if subprocess.run(["bash", "-n", path], cwd=ROOT, check=False).returncode:
            trouble.append(f"{path}: bash cannot parse it")
    need("shellcheck")
    # SC2317: functions that are called by name through another look unreachable to it.
    if subprocess.run(["shellcheck", "-x", "-e", "SC2317", *paths], cwd=ROOT,
                      check=False).returncode:
        trouble.append("shellcheck has found the above")
    return trouble


def check_size():
    for path, _ in files():
        if CODE.search(path):
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                lines = sum(1 for _ in f)
            if lines > MAX_LINES:
                print(f"note: {path}: {lines} lines; past {MAX_LINES} a file wants a reason")
    return []


CHECKS = {"format": check_format, "licence": check_licence, "shell": check_shell,
          "size": check_size}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        print(__doc__, file=sys.stderr)
        return 2
    trouble = CHECKS[sys.argv[1]]()
    for line in trouble:
        print(line, file=sys.stderr)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())

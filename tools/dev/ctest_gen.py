#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes CTestTestfile.cmake from meson's own list of tests, so that one list serves both runners.

Runs at configure time. A googletest program becomes one ctest entry per case: the file asks the
program for its cases when ctest reads it, so a case added later needs no new configure. Other
tests become one entry. A test's meson suite becomes its label and its priority its cost, so that
with -j those of high priority begin first (give it to those that take long); from BUSY on a test
counts as two of those that run at a time. Exit code 77 means skipped, as does a googletest case that
says [  SKIPPED ].
"""
import json
import os
import sys

BUSY = 90

PRELUDE = """# Written by tools/dev/ctest_gen.py from meson-info/intro-tests.json; do not edit.
function(fairway_gtest NAME LABELS TIMEOUT SERIAL COST WORKDIR ENVIRONMENT EXE)
    if(NOT EXISTS "${EXE}")
        add_test("${NAME}.NOT_BUILT" "${EXE}")
        set_tests_properties("${NAME}.NOT_BUILT" PROPERTIES LABELS "${LABELS}")
        return()
    endif()
    execute_process(COMMAND "${EXE}" --gtest_list_tests OUTPUT_VARIABLE OUT RESULT_VARIABLE RC)
    if(NOT RC EQUAL 0)
        message(FATAL_ERROR "${EXE} --gtest_list_tests failed")
    endif()
    string(REPLACE ";" "," OUT "${OUT}")
    string(REPLACE "\\n" ";" LINES "${OUT}")
    set(GROUP "")
    foreach(LINE IN LISTS LINES)
        string(REGEX REPLACE " *#.*$" "" LINE "${LINE}")
        if(LINE MATCHES "^  (.+)$")
            set(CASE "${GROUP}${CMAKE_MATCH_1}")
            add_test("${NAME}.${CASE}" "${EXE}" "--gtest_filter=${CASE}")
            set_tests_properties("${NAME}.${CASE}" PROPERTIES LABELS "${LABELS}"
                TIMEOUT ${TIMEOUT} RUN_SERIAL ${SERIAL} COST ${COST}
                WORKING_DIRECTORY "${WORKDIR}" ENVIRONMENT "${ENVIRONMENT}"
                SKIP_RETURN_CODE 77 SKIP_REGULAR_EXPRESSION "\\\\[  SKIPPED \\\\]")
        elseif(LINE MATCHES "^([^ ]+\\\\.)$")
            set(GROUP "${CMAKE_MATCH_1}")
        endif()
    endforeach()
endfunction()
"""


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def entry(test, build_root):
    label = ";".join(s.split(":")[-1] for s in test["suite"]) or "unit"
    name = test["name"]
    timeout = int(test.get("timeout") or 600)
    serial = "FALSE" if test.get("is_parallel", True) else "TRUE"
    cost = int(test.get("priority") or 0)
    workdir = test.get("workdir") or build_root
    env = ";".join(f"{k}={v}" for k, v in sorted((test.get("env") or {}).items()))
    cmd = test["cmd"]
    if test.get("protocol") == "gtest":
        return (f"fairway_gtest({quote(name)} {quote(label)} {timeout} {serial} {cost} "
                f"{quote(workdir)} {quote(env)} {quote(cmd[0])})\n")
    args = " ".join(quote(c) for c in cmd)
    return (f"add_test({quote(name)} {args})\n"
            f"set_tests_properties({quote(name)} PROPERTIES LABELS {quote(label)} "
            f"TIMEOUT {timeout} RUN_SERIAL {serial} COST {cost} PROCESSORS {1 + (cost >= BUSY)} "
            f"WORKING_DIRECTORY {quote(workdir)} "
            f"ENVIRONMENT {quote(env)} SKIP_RETURN_CODE 77)\n")


def main():
    build_root = os.environ["MESON_BUILD_ROOT"]
    with open(os.path.join(build_root, "meson-info", "intro-tests.json"), encoding="utf-8") as f:
        tests = json.load(f)
    text = PRELUDE + "".join(entry(t, build_root) for t in tests)
    path = os.path.join(build_root, "CTestTestfile.cmake")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


if __name__ == "__main__":
    sys.exit(main())

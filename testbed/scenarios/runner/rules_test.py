#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the scenarios against docs/packets.md: each rule of its tables, verdict and reason, has a
scenario, and no scenario expects a reason that the page doesn't name."""
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from scenario import files, load  # noqa: E402

PAGE = os.path.join(HERE, "../../../docs/packets.md")

# What no capture can lead to, and the test that holds it instead.
ELSEWHERE = {
    ("drop", "real_unresolved"): "tools/replay/test: DropsWhatTheNextHopIsUnknownOf",
    ("drop", "table_error"): "tools/replay/test: SurvivesTablesThatPointOutside",
    ("drop", "no_headroom"): "tools/replay/test: DropsWhereThereIsNoRoomForTheOuterHeader",
}

def rules():
    """(verdict, reason) of each line of the page's tables."""
    with open(PAGE, encoding="utf-8") as f:
        return re.findall(r"^\| (\w+) \| `(\w+)` \|", f.read(), re.M)


class Rules(unittest.TestCase):
    scenarios = [s for path in files() for s in load(path)]
    expected = {(p.verdict.verdict, p.verdict.reason) for s in scenarios for p in s.packets}

    def test_each_has_a_scenario(self):
        self.assertGreater(len(rules()), 20, "the page's table isn't read")
        missing = [f"{v} {r}" for v, r in rules() if (v, r) not in self.expected | set(ELSEWHERE)]
        self.assertEqual(missing, [], "rules of docs/packets.md without a scenario")

    def test_no_scenario_expects_what_is_no_rule(self):
        unknown = sorted(self.expected - set(rules()))
        self.assertEqual(unknown, [], "scenarios expect what docs/packets.md doesn't name")

    def test_what_is_held_elsewhere_is_a_rule_still(self):
        self.assertEqual(sorted(set(ELSEWHERE) - set(rules())), [])

    def test_each_file_is_registered(self):
        with open(os.path.join(HERE, "../meson.build"), encoding="utf-8") as f:
            registered = set(re.findall(r"'([\w-]+)'", f.read().partition("]")[0]))
        names = {os.path.basename(path).removesuffix(".yaml") for path in files()}
        self.assertEqual(names, registered, "testbed/scenarios/meson.build lists other files")

    def test_two_hundred_scenarios_stand(self):
        self.assertGreaterEqual(len(self.scenarios), 400)


if __name__ == "__main__":
    unittest.main()

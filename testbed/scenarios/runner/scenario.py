# SPDX-License-Identifier: BSD-2-Clause
"""Scenario files to scenarios. README.md is the reference of the format."""
import difflib
import itertools
import os
import re

import yaml

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
CONTROLS = ("down", "up", "drain", "enable", "weight")
STEP_KEYS = {"in", "at", "verdict", "out", "advance", *CONTROLS}
SCENARIO_KEYS = {"name", "why", "each", "alone", "steps", "in", "verdict", "out"}
FILE_KEYS = {"about", "config", "words", "scenarios"}
VERDICTS = ("forward", "reply", "pass", "drop")
MILLISECOND = 10**6
LONGEST_NS = 25 * 60 * 10**9


class ScenarioError(Exception):
    """A file isn't as it must be; says file, line and what to mend."""


def shown(path):
    """A path as people know it: from the root of the project."""
    path = os.path.abspath(path)
    return os.path.relpath(path, ROOT) if path.startswith(ROOT + os.sep) else path


class Map(dict):
    """A mapping that knows the line of each of its keys."""
    line = 0
    lines = {}


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    pass


def construct_map(loader, node):
    result = Map()
    result.line, result.lines = node.start_mark.line + 1, {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in result:
            raise yaml.MarkedYAMLError(None, None, f"'{key}' stands twice", key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
        result.lines[key] = key_node.start_mark.line + 1
    return result


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_map)


class Verdict:
    """What is said about a packet. real: an address, None, or ?name for one to be remembered."""

    def __init__(self, verdict, reason, vip=None, real=None):
        self.verdict, self.reason, self.vip, self.real = verdict, reason, vip, real

    def __str__(self):
        words = [self.verdict, self.reason]
        words += [f"vip={self.vip}"] if self.vip else []
        words += [f"real={self.real}"] if self.real else []
        return " ".join(words)


class Packet:
    """A step that sends one packet. time_ns: since the scenario began. instance: which of the
    packets that 'each' makes of a step."""

    def __init__(self, line, text, verdict, out, time_ns, instance):
        self.line, self.text, self.verdict, self.out = line, text, verdict, out
        self.time_ns, self.instance = time_ns, instance


class Control:
    """A step that changes something before the next packet. what: as fairway-replay takes it."""

    def __init__(self, line, what, time_ns):
        self.line, self.what, self.time_ns = line, what, time_ns


class Scenario:
    def __init__(self, file, line, name, why, config, alone, steps):
        self.file, self.line, self.name, self.why = file, line, name, why
        self.config, self.alone, self.steps = config, alone, steps

    def weight_of(self, real):
        """The configured weight of a real."""
        for pool in yaml.load(self.config, Loader)["pools"]:
            for known in pool.get("reals") or []:
                if known["address"] == real:
                    return known.get("weight", 100)
        raise ScenarioError(f"{self.place()}: the configuration has no real {real}")

    def place(self, line=None):
        return f"{shown(self.file)}:{line or self.line}"

    @property
    def title(self):
        return f"{os.path.basename(self.file)}:{self.name}"

    @property
    def packets(self):
        return [s for s in self.steps if isinstance(s, Packet)]

    @property
    def controls(self):
        return [s for s in self.steps if isinstance(s, Control)]


# ---- values ----

def duration_ns(value, where):
    match = re.fullmatch(r"(\d+)(ns|us|ms|s|m|h)", str(value))
    if not match:
        raise ScenarioError(f"{where}: '{value}' is no time: write 10s, 5ms or 2m")
    return int(match[1]) * {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
                            "h": 3600 * 10**9}[match[2]]


def parse_verdict(text, where):
    words = str(text).split()
    if len(words) < 2 or words[0] not in VERDICTS:
        raise ScenarioError(f"{where}: verdict '{text}': write VERDICT REASON [vip=NAME] "
                            f"[real=ADDRESS], VERDICT one of {', '.join(VERDICTS)}")
    named = {}
    for word in words[2:]:
        key, equals, value = word.partition("=")
        if key not in ("vip", "real") or not equals or not value or key in named:
            raise ScenarioError(f"{where}: verdict has '{word}' where vip=NAME or real=ADDRESS "
                                f"belongs")
        named[key] = value
    return Verdict(words[0], words[1], **named)


def check_keys(mapping, known, where, what):
    if not isinstance(mapping, Map):
        raise ScenarioError(f"{where}: {what} must be a mapping")
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.6)
            hint = f": did you mean '{near[0]}'?" if near else \
                f": it may have {', '.join(sorted(known))}"
            raise ScenarioError(f"{where.rsplit(':', 1)[0]}:{mapping.lines[key]}: {what} has no "
                                f"'{key}'{hint}")


def substitute(text, words, where, depth=0):
    """Put words in the place of their $names; a word may be made of words."""
    def one(match):
        name = match[1] or match[2]
        if name not in words:
            raise ScenarioError(f"{where}: no word '${name}' is defined")
        return str(words[name])
    result = re.sub(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))", one, str(text))
    if "$" not in result:
        return result
    if depth == 8:
        raise ScenarioError(f"{where}: the words in '{text}' contain themselves")
    return substitute(result, words, where, depth + 1)


def each_values(each, where):
    """All combinations of what 'each' gives its names: a range 1..5 or a list."""
    check_each = each if isinstance(each, Map) else None
    if check_each is None:
        raise ScenarioError(f"{where}: each must be a mapping, name: 1..5 or name: [a, b]")
    columns = []
    for name, values in each.items():
        match = re.fullmatch(r"(\d+)\.\.(\d+)", str(values))
        if match:
            values = range(int(match[1]), int(match[2]) + 1)
        elif not isinstance(values, list):
            raise ScenarioError(f"{where}: each {name}: write 1..5 or [a, b]")
        columns.append([(name, value) for value in values])
    return [dict(row) for row in itertools.product(*columns)]


# ---- files ----

class Reader:
    def __init__(self, path):
        self.path = path
        self.words, self.config = {}, None

    def where(self, line):
        return f"{shown(self.path)}:{line}"

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as f:
                top = yaml.load(f, Loader)
        except yaml.YAMLError as e:
            mark = getattr(e, "problem_mark", None)
            raise ScenarioError(f"{self.where(mark.line + 1 if mark else 1)}: "
                                f"{getattr(e, 'problem', e)}") from None
        except OSError as e:
            raise ScenarioError(f"{self.path}: {e.strerror}") from None
        check_keys(top, FILE_KEYS, self.where(1), "a scenario file")
        self.config = self.read_config(top)
        self.words.update(top.get("words") or {})
        scenarios = [self.scenario(item, index)
                     for index, item in enumerate(top.get("scenarios") or [])]
        names = set()
        for s in scenarios:
            if s.name in names:
                raise ScenarioError(f"{self.where(s.line)}: two scenarios are called '{s.name}'")
            names.add(s.name)
        return scenarios

    def read_config(self, top):
        """The text of fairway.yaml. A shared NAME.yaml may have words beside it, NAME.words."""
        name = top.get("config")
        if not isinstance(name, str):
            raise ScenarioError(f"{self.where(1)}: config: name a file of config/, or write the "
                                "configuration here as a text: config: |")
        if "\n" in name:
            return name
        path = os.path.join(os.path.dirname(self.path), "config", name)
        words = os.path.splitext(path)[0] + ".words"
        try:
            if os.path.exists(words):
                with open(words, encoding="utf-8") as f:
                    self.words.update(yaml.load(f, Loader))
            with open(path, encoding="utf-8") as f:
                return f.read()
        except OSError as e:
            raise ScenarioError(f"{self.where(top.lines['config'])}: config {name}: "
                                f"{e.strerror}: {e.filename}") from None

    def scenario(self, item, index):
        line = getattr(item, "line", 1)
        # An address of its own for each scenario, so that no flow meets one of another.
        self.words.update(client=f"100.64.{index // 250}.{index % 250 + 1}",
                          client6=f"2001:db8:c:{index + 1:x}::7")
        check_keys(item, SCENARIO_KEYS, self.where(line), "a scenario")
        name = item.get("name")
        if not isinstance(name, str):
            raise ScenarioError(f"{self.where(line)}: a scenario needs a name")
        steps = item.get("steps")
        if (steps is None) == ("in" not in item):
            raise ScenarioError(f"{self.where(line)}: '{name}' needs either 'in' or 'steps'")
        rows = [{}] if "each" not in item else \
            each_values(item["each"], self.where(item.lines["each"]))
        if steps is None:
            step = Map({k: item[k] for k in ("in", "verdict", "out") if k in item})
            step.line, step.lines = item.lines["in"], item.lines
            steps = [step]
        clock = Clock()
        made = [made for step in steps for made in self.step(step, rows, clock)]
        if clock.now > LONGEST_NS:
            raise ScenarioError(f"{self.where(line)}: '{name}' takes longer than 25 minutes")
        return Scenario(self.path, line, name, item.get("why"), self.config,
                        bool(item.get("alone")), made)

    def step(self, step, rows, clock):
        line = getattr(step, "line", 1)
        where = self.where(line)
        check_keys(step, STEP_KEYS, where, "a step")
        controls = [key for key in step if key in CONTROLS]
        if "in" in step:
            if controls or "advance" in step:
                raise ScenarioError(f"{where}: a step either sends ('in') or changes something")
            if "at" in step:
                clock.set(duration_ns(step["at"], where), where)
            return [self.packet(step, index, row, clock.tick()) for index, row in enumerate(rows)]
        if "advance" in step:
            clock.now += duration_ns(step["advance"], where)
            return []
        if len(controls) != 1:
            raise ScenarioError(f"{where}: a step has 'in', 'advance' or one of "
                                f"{', '.join(CONTROLS)}")
        return [self.control(controls[0], step[controls[0]], line, clock.now)]

    def control(self, name, value, line, time_ns):
        def said(text):
            return substitute(text, self.words, self.where(line))
        if name != "weight":
            return Control(line, {name: said(value)}, time_ns)
        if not isinstance(value, Map) or not all(isinstance(n, int) for n in value.values()):
            raise ScenarioError(f"{self.where(line)}: weight: write {{ADDRESS: N}}")
        weights = {said(real): weight for real, weight in value.items()}
        return Control(line, {name: weights}, time_ns)

    def packet(self, step, index, row, time_ns):
        words = {**self.words, **row}
        where = self.where(step.lines["in"])
        if "verdict" not in step:
            raise ScenarioError(f"{where}: what is expected? add verdict: VERDICT REASON")
        verdict = parse_verdict(substitute(step["verdict"], words, where), where)
        leaves = verdict.verdict in ("forward", "reply")
        if leaves != ("out" in step):
            raise ScenarioError(f"{where}: verdict {verdict.verdict} " +
                                ("needs out: what leaves" if leaves else "has no 'out'"))
        out = substitute(step["out"], words, where) if leaves else None
        return Packet(step.lines["in"], substitute(step["in"], words, where), verdict, out,
                      time_ns, index)


class Clock:
    """Packets come a millisecond apart unless the steps say otherwise."""

    def __init__(self):
        self.now = 0

    def tick(self):
        self.now += MILLISECOND
        return self.now - MILLISECOND

    def set(self, time_ns, where):
        if time_ns < self.now - MILLISECOND:
            raise ScenarioError(f"{where}: 'at' lies before the packet before")
        self.now = time_ns


def files():
    return sorted(os.path.join(FOLDER, name) for name in os.listdir(FOLDER)
                  if name.endswith(".yaml"))


def load(path):
    """All scenarios of a file; raises ScenarioError."""
    return Reader(path).read()

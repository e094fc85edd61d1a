# SPDX-License-Identifier: BSD-2-Clause
"""BIRD 2 in a lab."""
from lab import OUR_AS, OURS4, OURS6, THEIR_AS, THEIRS4, THEIRS6, run, wait_for

BOTH = "ipv4 { import all; export none; }; ipv6 { import all; export none; };"


def protocol(name, ours, theirs, asn=THEIR_AS, our_as=OUR_AS, extra="", channels=BOTH):
    return f"""
protocol bgp {name} {{
	local {theirs} as {asn};
	neighbor {ours} {"external" if our_as is None else f"as {our_as}"};
	connect delay time 1; connect retry time 2; error wait time 1, 2;
	hold time 9;
	{extra}
	{channels}
}}
"""


def both_sessions(**kw):
    return protocol("v4", OURS4, THEIRS4, **kw) + protocol("v6", OURS6, THEIRS6, **kw)


class Bird:
    def __init__(self, lab, protocols, router_id=THEIRS4):
        self.lab = lab
        self.ctl = lab.path("bird.ctl")
        self.conf = lab.write("bird.conf", f"""
log stderr all;
debug protocols {{ states, events }};
router id {router_id};
protocol device {{ }}
protocol direct {{ ipv4; ipv6; }}
{protocols}
""")
        self.start()

    def start(self):
        self.process = self.lab.start("bird", "bird", "-f", "-c", self.conf, "-s", self.ctl,
                                      "-P", self.lab.path("bird.pid"))
        wait_for("BIRD answers", lambda: "BIRD" in self.c("show status"))

    def c(self, command):
        return run("birdc", "-s", self.ctl, *command.split(), check=False)

    def route(self, prefix, proto):
        """What this session taught BIRD of prefix, in BIRD's words; "" for nothing."""
        text = self.c(f"show route all for {prefix} protocol {proto}")
        return text if "BGP.as_path" in text else ""

    def wait_route(self, prefix, proto, *words):
        return wait_for(f"BIRD has {prefix} from {proto} with {words}", lambda: (
            lambda t: t if t and all(w in t for w in words) else "")(self.route(prefix, proto)))

    def wait_gone(self, prefix, proto, deadline=20):
        wait_for(f"BIRD forgets {prefix} from {proto}", lambda: not self.route(prefix, proto),
                 deadline)

"""Puts the second implementation to work.

    peer.py vectors DIR   replays every file of vectors
    peer.py page FILE     checks the numbers that docs/placement.md itself names
    peer.py rules DIR FILE
                          checks the commands and texts of docs/release.md by what the vectors have
    peer.py answer        answers cases of standard input, a line of JSON each
    peer.py release       decides releases of standard input: a list of commands a line
    peer.py sip           hashes lines of standard input: C D KEY BYTES, the last two in hex
    peer.py cpython       this interpreter's own hash() of lines of standard input, texts in JSON

Exit 1 with the first difference on standard error.
"""

import json
import pathlib
import re
import sys

from halcyon_placement import T, Placement, draw_of, fmix64, log_of, score_of, sip_hash
from halcyon_release import BEGUN, COMMANDS, FOR_PEOPLE, RAISING, Refused, Release

# From the appendix of "SipHash: a fast short-input PRF": SipHash-2-4 of bytes 00 to 0e under key 00 to 0f.
PAPER = 0xA129CA6149BE45E5


def tenant_of(value):
    text = value if isinstance(value, str) else value["repeat"] * value["times"]
    return text.encode()


def same(found, expected, case):
    if found != expected:
        sys.exit(f"{found} and not {expected}: {json.dumps(case)[:2000]}")


def replay_hash(group):
    for case in group["cases"]:
        if group["function"] == "fmix64":
            same(f"{fmix64(int(case['x'], 16)):016x}", case["mixed"], case)
            continue
        data = bytes.fromhex(case["bytes"]) if "bytes" in case else tenant_of(case["tenant"])
        found = sip_hash(bytes.fromhex(group["key"]), data)
        same(f"{found:016x}", case["hash"], case)


def replay_placement(group):
    placement = Placement(group["env"])
    for case in group["cases"]:
        tenant = tenant_of(case["tenant"])
        same(f"{placement.hash(tenant):016x}", case["hash"], case)
        same(placement.route(tenant)["region"], case["region"], case)


def replay_orders(group):
    placement = Placement(group["env"])
    for case in group["cases"]:
        tenant, health, order = tenant_of(case["tenant"]), {}, []
        for _ in placement.regions:
            order.append(placement.route(tenant, health)["region"])
            health[order[-1]] = "down"
        same(order, case["order"], case)


def replay_crowds(group):
    placement = Placement(group["env"])
    for case in group["cases"]:
        health = dict(zip(placement.regions, case["health"]))
        counts, regions = {}, []
        for number in range(case["count"]):
            tenant = f"{case['prefix']}{number}".encode()
            region = placement.route(tenant, health)["region"]
            counts[region] = counts.get(region, 0) + 1
            regions.append(region + "\n")
        same(counts, case["counts"], case)
        digest = sip_hash(bytes(16), "".join(regions).encode())
        same(f"{digest:016x}", case["digest"], case)


def replay_rules(group):
    placement = Placement(group["env"], group["rules"])
    health = dict(zip(placement.regions, group["health"]))
    for case in group["cases"]:
        found = placement.route(tenant_of(case["tenant"]), health, group["release"])
        same({"tenant": case["tenant"], **found}, case, case)


def replay_routing(group):
    placement = Placement(group["env"], group.get("rules"))
    tenants = [tenant_of(tenant) for tenant in group["tenants"]]
    same(len(tenants), len(group["preferred"]), group["env"])
    for tenant, preferred in zip(tenants, group["preferred"]):
        same(placement.route(tenant)["preferred"], preferred, group["env"])
    for case in group["cases"]:
        health = dict(zip(placement.regions, case["health"]))
        answers = []
        for tenant, preferred in zip(tenants, group["preferred"]):
            found = placement.route(tenant, health)
            answers.append(None if "error" in found else [found["region"], found["reason"]])
            same(found.get("preferred", preferred), preferred, case)
        same(answers, case["answers"], case)


def replay_failover(group):
    placement = Placement(group["env"])
    for case in group["cases"]:
        found = placement.next_failover(case["current"])
        same(found, case.get("region"), case)
        if found is None:
            same(case["error"][:21], "No failover available", case)


def replay_slots(group):
    placement = Placement(group["env"], group.get("rules"))
    for case in group["cases"]:
        tenant = tenant_of(case["tenant"])
        bucket = placement.slot_bucket(placement.hash(tenant), group["release"]["id"])
        same(bucket, case["bucket"], case)
        weights = ({**group["release"], "weight": weight} for weight in group["weights"])
        slots = [placement.route(tenant, {}, release)["slot"] for release in weights]
        same(slots, case["slots"], case)


class Machine:
    """A release that is driven command by command, as the cases of a group are."""

    def __init__(self):
        self.release, self.begun, self.now = Release(), 0, 0

    def give(self, command):
        """The members a case has for a command: what it brought about, and the state after it."""
        self.now += command.get("wait_ms", 60_000)
        user, role = command.get("user", "ann"), command.get("role", "Deployer")
        found = {}
        try:
            events = self.release.decide(command, role, command.get("kill_switch", False))
            found["events"] = events
        except Refused as why:
            events = []
            found["refused"] = {"kind": why.kind, "text": why.text}
            if why.kind == "role":
                events = self.release.denial(command, role, user, self.now)
                found["recorded"] = events
        for event in events:
            self.begun += event["action"] == "provision_green"
            self.release.fold(event, self.now, user, f"r{self.begun}")
        return {**found, "after": self.release.shown()}


def replay_releases(group):
    machine = Machine()
    for case in group["cases"]:
        found = {"do": case["do"], **machine.give(case["do"])}
        # As text: a record's hash depends on the order of its members.
        same(json.dumps(found), json.dumps(case), group["name"])


REPLAYS = {
    "hash.json": replay_hash,
    "placement.json": replay_placement,
    "orders.json": replay_orders,
    "crowds.json": replay_crowds,
    "rules.json": replay_rules,
    "routing.json": replay_routing,
    "failover.json": replay_failover,
    "slots.json": replay_slots,
    "releases.json": replay_releases,
}


def vectors(directory):
    names = {path.name for path in pathlib.Path(directory).glob("*.json")}
    same(names, set(REPLAYS), "files")
    for name, replay in REPLAYS.items():
        document = json.loads(pathlib.Path(directory, name).read_text(encoding="ascii"))
        same(document["format"], 1, name)
        for group in document["groups"]:
            replay(group)
        print(name, sum(len(group["cases"]) for group in document["groups"]))


REGION_LINE = (
    r"- (\S+): `s_r` = (\w+), `d` = (\w+), `i` = (\d+), `f` = (\d+), `L` = (\d+), score = (\d+)\."
)


def page(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    table = text.split("### The table T")[1].split("```")[1].split()
    same([int(number) for number in table], T, "the table T")

    worked = " ".join(text.split("## Worked through")[1].split())
    setting = re.search(r"`REGIONS=(\S+)`, weights ([\d, ]+), tenant `(\w+)`", worked)
    names, weights, tenant = setting[1].split(","), setting[2].split(", "), setting[3].encode()
    same(len(weights), len(names), "weights")
    placement = Placement(
        {
            "REGIONS": setting[1],
            "REGION_WEIGHTS": ",".join("=".join(pair) for pair in zip(names, weights)),
            "TENANT_STICKY": "rendezvous",
        }
    )
    h = placement.hash(tenant)
    first = re.search(r"`h` = (\w+), so the bucket is (\d+)", worked)
    same((hex(h), h >> 48), (first[1], int(first[2])), "the hash worked through")

    lines = re.findall(REGION_LINE, worked)
    same([line[0] for line in lines], names, "the regions worked through")
    for name, *numbers in lines:
        draw = draw_of(placement.seed(name), h >> 48)
        found = [placement.seed(name), draw, draw >> 24, draw % 2**24, log_of(draw)]
        found.append(score_of(draw, placement.weights[name]))
        same(found, [int(number, 0) for number in numbers], name)

    order = re.search(r"The order is ([^,]+), ([^,]+), ([^,]+), so", worked).groups()
    same(sorted(names, key=lambda name: placement.rank(h >> 48, name)), list(order), "the order")
    first = re.search(r"the first choice is ([\w-]+)\.", worked)[1]
    same(placement.route(tenant)["preferred"], first, "the first choice")

    slot = re.search(r"In the release `(\w+)`, `k` = (\d+): .* green from a weight of (\d+) %", worked)
    same(placement.slot_bucket(h, slot[1]), int(slot[2]), "k")
    for weight in range(101):
        release = {"id": slot[1], "state": "canary", "weight": weight}
        expected = "green" if weight >= int(slot[3]) else "blue"
        same(placement.route(tenant, {}, release)["slot"], expected, f"{weight} %")
    print("the page agrees with itself")


def template(text):
    """What a text of docs/release.md may stand for."""
    fillings = {"next": r"(\d+%|promotion)", "role": '(unset|".*")', "words": "([a-z ]+)"}

    def fill(hole):
        return fillings.get(hole[1], f"(.*){hole[2]}")

    return re.sub(r"\\\{(\w+)\\\}(%?)", fill, re.escape(text))


def codes(cell):
    return re.findall("`([^`]+)`", cell)


def rules(directory, path):
    sections = pathlib.Path(path).read_text(encoding="utf-8").split("\n## ")
    tables = {section.split("\n")[0]: [] for section in sections}
    for section in sections:
        rows = [line for line in section.split("\n") if line.startswith("| ")]
        cells = [[cell.strip() for cell in row[1:-1].split("|")] for row in rows]
        tables[section.split("\n")[0]] = cells

    commands, raising = {}, set()
    for name, _, words, allowed, kill_switch in tables["Commands"][1:]:
        states = codes(allowed)
        if allowed.startswith("every state"):
            states = [state for state in ["idle", *BEGUN] if state not in states]
        commands[codes(name)[0]] = (words, states)
        raising |= {codes(name)[0]} if kill_switch == "refuses" else set()
    same(commands, COMMANDS, "commands")
    same(raising, RAISING, "what the kill switch refuses")

    kinds, people, whys = {}, {}, []
    for first, second in tables["Refusals"]:
        if codes(first) == ["key_reused"]:
            continue
        for name in codes(first):
            (people if name in FOR_PEOPLE else kinds)[name] = codes(second)[0]
        if not codes(first):
            whys += [code for code in codes(second) if " " in code]
    same(people, FOR_PEOPLE, "what people may give")

    met = set()
    document = json.loads(pathlib.Path(directory, "releases.json").read_text(encoding="ascii"))
    cases = (case for group in document["groups"] for case in group["cases"])
    for refused in (case["refused"] for case in cases if "refused" in case):
        found = re.fullmatch(template(kinds[refused["kind"]]), refused["text"])
        same(bool(found), True, refused)
        met.add(refused["kind"])
        if refused["kind"] in ("not_yet", "invalid"):
            fits = [why for why in whys if re.fullmatch(template(why), found[found.re.groups])]
            same(len(fits), 1, refused)
            met.update(fits)
    same(sorted(met), sorted([*kinds, *whys]), "refusals that a vector has")
    print("the page and the vectors agree")


def answer():
    """A line has a configuration and what is asked of it; the answer is a line too."""
    for line in sys.stdin:
        case = json.loads(line)
        placement = Placement(case["env"], case.get("rules"))
        answers = [
            placement.route(tenant_of(ask["tenant"]), ask["health"], ask["release"])
            for ask in case["asks"]
        ]
        following = placement.next_failover(case["current"])
        print(json.dumps({"answers": answers, "next": following}))


def release():
    for line in sys.stdin:
        machine = Machine()
        for command in json.loads(line):
            print(json.dumps(machine.give(command), separators=(",", ":")))


def sip():
    same(sip_hash(bytes(range(16)), bytes(range(15)), 2, 4), PAPER, "the vector of the paper")
    for line in sys.stdin:
        c, d, key, *data = line.split()
        data = bytes.fromhex("".join(data))
        print(f"{sip_hash(bytes.fromhex(key), data, int(c), int(d)):016x}")


def cpython():
    """From 3.11 on it is SipHash-1-3, under a key of zeros with PYTHONHASHSEED=0."""
    algorithm = sys.hash_info.algorithm
    if sys.implementation.name != "cpython" or algorithm != "siphash13":
        sys.exit(f"{sys.version} has {algorithm}; needed: CPython from 3.11 on, which has siphash13")
    for line in sys.stdin:
        print(hash(json.loads(line)))


if __name__ == "__main__":
    run = {"vectors": vectors, "page": page, "rules": rules, "answer": answer, "release": release}
    run |= {"sip": sip, "cpython": cpython}
    run[sys.argv[1]](*sys.argv[2:])

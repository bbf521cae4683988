"""The release machine: a second implementation, of what docs/release.md says and nothing else.

Python's standard library is enough.
"""

BEGUN = ["green_provisioned", "canary", "green_live", "rollback_in_progress"]

COMMANDS = {
    "provision_green": ("provision green", ["idle", "green_live"]),
    "start_canary": ("start canary", ["green_provisioned"]),
    "increase_weight": ("increase weight", ["canary"]),
    "promote_green": ("promote green", ["canary"]),
    "rollback_to_blue": ("roll back", ["idle", *BEGUN]),
    "pause": ("pause", ["green_provisioned", "canary"]),
    "resume": ("resume", ["green_provisioned", "canary"]),
    "finish_plan": ("promote green", ["canary"]),
    "confirm_region": ("confirm a region", BEGUN),
    "pass_step": ("pass the step", ["canary"]),
    "fail_step": ("fail the step", ["green_provisioned", "canary", "green_live"]),
    "complete_rollback": ("complete the rollback", ["rollback_in_progress"]),
    "attach_driver": ("drive the release", BEGUN),
    "detach_driver": ("leave the release", BEGUN),
}

RAISING = {
    "provision_green",
    "start_canary",
    "increase_weight",
    "promote_green",
    "resume",
    "finish_plan",
}

FOR_PEOPLE = {
    "idle": "provision_green, rollback_to_blue",
    "green_provisioned": "start_canary, rollback_to_blue, pause, resume",
    "canary": "increase_weight, promote_green, rollback_to_blue, pause, resume",
    "green_live": "provision_green, rollback_to_blue",
    "rollback_in_progress": "rollback_to_blue",
}

KILL_SWITCH = (
    "FEATURE_BLUE_GREEN is set and not true, which is the kill switch; "
    "allowed: rollback, pause, status, audit"
)


class Refused(Exception):
    def __init__(self, kind, text):
        super().__init__(text)
        self.kind, self.text = kind, text


def seen(value):
    """A value from outside as a text shows it."""
    cut = len(value) > 256
    first, *parts = value[:256].split("://")
    shown = [first]
    for place, part in enumerate(parts, 1):
        if cut and place == len(parts):
            part = "***"
        elif "@" in part:
            part = "***" + part[part.rindex("@") :]
        shown.append(part)
    safe = ""
    for character in "://".join(shown):
        if " " <= character <= "~":
            safe += character
        else:
            plain = {"\t": "\\t", "\r": "\\r", "\n": "\\n"}
            safe += plain.get(character, f"\\u{{{ord(character):x}}}")
    if cut or len(safe) > 64:
        safe = safe[:61] + "..."
    return f'"{safe}"'


def invalid_role(role):
    """Why a role may not release; none if it may."""
    if role in ("Deployer", "Admin"):
        return None
    shown = seen(role) if role else "unset"
    return f"Invalid DEPLOY_RBAC_ROLE: {shown}; allowed: Deployer, Admin"


def written_plan(plan):
    written = {"weights": plan["weights"], "regions": []}
    for region in plan["regions"]:
        target = {"name": region["name"], "url": region["url"]}
        if region.get("named"):
            target["named"] = True
        given = region.get("pools") or {}
        pools = {pool: given[pool] for pool in ("blue", "green") if given.get(pool)}
        if pools:
            target["pools"] = pools
        written["regions"].append(target)
    written["bake_ms"] = plan["bake_ms"]
    written["abort_on_err"] = plan["abort_on_err"]
    if plan.get("limits"):
        limits = plan["limits"]
        members = ("max_errors_ppm", "max_p95_ms")
        written["limits"] = {one: limits[one] for one in members if limits.get(one) is not None}
    for member in ("on_step", "on_step_dir"):
        if plan.get(member) is not None:
            written[member] = plan[member]
    if plan.get("by_server"):
        written["by_server"] = True
    if plan.get("deadline") is not None:
        written["deadline"] = plan["deadline"]
    return written


def keeps_to(limits, traffic):
    """Whether so much traffic is enough and within the limits."""
    errors, slow = limits.get("max_errors_ppm"), limits.get("max_p95_ms")
    good = traffic["requests"] >= 20
    good &= errors is None or traffic["errors"] * 1_000_000 <= errors * traffic["requests"]
    return good and (slow is None or traffic["slow"] * 20 <= traffic["requests"])


class Release:
    """The state of releases; `decide` asks it, `fold` changes it."""

    def __init__(self):
        self.state = "idle"
        self.blue_image = self.green_image = self.former_blue = None
        self.weight = 0
        self.blue_pool = "blue"
        self.id = self.plan = self.paused = self.target = None
        self.confirmed, self.judged = set(), set()
        self.verdict = False
        self.bake_from = 0
        self.denials = {}

    # What the page calls the next step, open regions and a clear way.

    def next_step(self):
        in_force = self.weight if self.state == "canary" else -1
        return next((weight for weight in self.plan["weights"] if weight > in_force), None)

    def open_regions(self):
        if not self.plan or "on_step" not in self.plan or not self.target:
            return []
        names = (region["name"] for region in self.plan["regions"])
        return [name for name in names if name not in self.confirmed]

    def check_open(self, not_yet):
        for name in self.open_regions():
            not_yet(f"region {seen(name)} has not confirmed {self.target}")

    def check_way(self, not_yet):
        if self.paused is not None:
            not_yet("the release is paused")
        self.check_open(not_yet)
        if self.state == "canary" and not self.verdict:
            not_yet(f"step {self.weight}% has not passed")

    def check_in_plan(self, words, weight, not_yet):
        if self.plan is None:
            return
        following = self.next_step()
        if following != weight:
            expected = "promotion" if following is None else f"{following}%"
            text = f"Cannot {words} to {weight}%: the plan's next step is {expected}"
            raise Refused("not_in_plan", text)
        self.check_way(not_yet)

    def check_in_force(self, weight, in_force, not_yet):
        if not in_force or weight != self.weight:
            not_yet(f"step {weight}% is not in force; that is {self.weight}%")

    def check_verdict(self, weight, not_yet):
        self.check_in_force(weight, self.state == "canary", not_yet)
        if self.paused is not None:
            not_yet("the release is paused")
        self.check_open(not_yet)
        if self.verdict:
            not_yet(f"step {weight}% has its verdict")

    # Deciding.

    def decide(self, command, role, kill_switch=False):
        """The events a command brings about, or `Refused`."""
        name = command["command"]
        words, allowed = COMMANDS[name]
        why = invalid_role(role)
        if why:
            raise Refused("role", f"{words} refused: {why}")
        if kill_switch and name in RAISING:
            raise Refused("kill_switch", f"Cannot {words}: {KILL_SWITCH}")
        if self.state not in allowed:
            text = f"Cannot {words} from state {self.state}; allowed: {FOR_PEOPLE[self.state]}"
            raise Refused("state", text)

        def refuse(kind):
            def refusal(why):
                raise Refused(kind, f"Cannot {words}: {why}")

            return refusal

        decided = getattr(self, f"decide_{name}")
        events = decided(command, words, refuse("not_yet"), refuse("invalid"))
        return [{"action": action, **fields} for action, fields in events]

    def decide_provision_green(self, command, _words, _not_yet, invalid):
        blue, plan = command.get("blue_image"), command.get("plan")
        for image in [command["image"]] + ([] if blue is None else [blue]):
            if not 1 <= len(image.encode()) <= 65536 or "\0" in image:
                shown = seen(image)
                invalid(f"image {shown} is no image reference; allowed: 1 to 65536 bytes without NUL")
        event = {"image_tag": command["image"]}
        if blue is not None and self.blue_image is None:
            event["initial_blue"] = blue
        if plan is not None:
            weights = plan["weights"]
            if not weights or any(a >= b for a, b in zip(weights, weights[1:])):
                invalid("the plan's weights must be strictly rising, at least one")
            names = [region["name"] for region in plan["regions"]]
            if not names or len(set(names)) < len(names):
                invalid("the plan's regions must be at least one, each once")
            limited = plan.get("limits") is not None
            limits = [one for one in (plan.get("limits") or {}).values() if one is not None]
            if limited and not (limits and plan["abort_on_err"] and weights[-1] > 0):
                invalid("limits need abort_on_err and a step above 0")
            event["plan"] = written_plan(plan)
        return [("provision_green", event)]

    def parse_weight(self, weight):
        if not 0 <= weight <= 100:
            raise Refused("invalid_weight", f"Invalid canary weight {weight} (must be 0-100)")

    def decide_start_canary(self, command, words, not_yet, _invalid):
        weight = command["weight"]
        self.parse_weight(weight)
        self.check_in_plan(words, weight, not_yet)
        return [("start_canary", {"weight": weight})]

    def decide_increase_weight(self, command, words, not_yet, _invalid):
        weight = command["weight"]
        self.parse_weight(weight)
        if weight <= self.weight:
            text = f"New weight {weight}% must be greater than current {self.weight}%"
            raise Refused("not_rising", text)
        self.check_in_plan(words, weight, not_yet)
        return [("increase_weight", {"old_weight": self.weight, "new_weight": weight})]

    def decide_promote_green(self, _command, _words, _not_yet, _invalid):
        event = {"new_blue": self.green_image}
        weights = self.plan["weights"] if self.plan else []
        skipped = [weight for weight in weights if weight not in self.judged]
        if skipped:
            event["skipped"] = skipped
        return [("promote_green", event)]

    def decide_finish_plan(self, command, words, not_yet, invalid):
        if self.plan is None:
            not_yet("the release has no plan to finish")
        following = self.next_step()
        if following is not None:
            not_yet(f"step {following}% is still to come")
        self.check_way(not_yet)
        return self.decide_promote_green(command, words, not_yet, invalid)

    def decide_rollback_to_blue(self, command, _words, _not_yet, _invalid):
        event = {"reason": command["reason"], "old_state": self.state, "old_weight": self.weight}
        events = [("rollback_to_blue", event)]
        hook = self.plan and "on_step" in self.plan
        if self.state not in ("idle", "rollback_in_progress") and not hook:
            events.append(("rollback_complete", {}))
        return events

    def decide_complete_rollback(self, _command, _words, not_yet, _invalid):
        self.check_open(not_yet)
        return [("rollback_complete", {})]

    def decide_pause(self, command, _words, _not_yet, _invalid):
        return [("pause", {"reason": command["reason"]})] if self.paused is None else []

    def decide_resume(self, _command, _words, not_yet, _invalid):
        if self.paused is None:
            not_yet("the release is not paused")
        return [("resume", {})]

    def decide_confirm_region(self, command, _words, not_yet, invalid):
        region, change = command["region"], command["change"]
        if change != self.target:
            not_yet(f"{change} is not the change in force; that is {self.target}")
        regions = self.plan["regions"] if self.plan else []
        if all(target["name"] != region for target in regions):
            invalid(f"region {seen(region)} is not in the plan")
        if region in self.confirmed:
            return []
        return [("region_confirmed", {"region": region, "change": change})]

    def decide_pass_step(self, command, _words, not_yet, _invalid):
        weight, baked, rounds = command["weight"], command["baked_ms"], command["rounds"]
        self.check_verdict(weight, not_yet)
        bake = self.plan["bake_ms"] if self.plan else 0
        if baked < bake:
            not_yet(f"{baked} ms of {bake} ms have baked")
        if rounds < 1:
            not_yet("no region was probed, and no data is no pass")
        limits = self.plan.get("limits") if self.plan and self.weight > 0 else None
        traffic = command.get("traffic")
        if limits and not (traffic and keeps_to(limits, traffic)):
            not_yet("green's traffic is too little, or breaks a limit")
        event = {"weight": weight, "baked_ms": baked, "rounds": rounds}
        if traffic is not None:
            event["traffic"] = {one: traffic[one] for one in ("requests", "errors", "slow")}
        return [("step_passed", event)]

    def decide_fail_step(self, command, _words, not_yet, _invalid):
        weight, check = command["weight"], command["check"]
        if self.plan is None or self.plan["abort_on_err"]:
            not_yet("only a plan that tolerates failures goes on after one")
        if check == "bake":
            self.check_verdict(weight, not_yet)
        if check == "hook":
            self.check_in_force(weight, True, not_yet)
            if not self.open_regions():
                not_yet("no region has a change to make")
        failures = [{"region": each["region"], "why": each["why"]} for each in command["failures"]]
        return [("step_failed", {"weight": weight, "check": check, "failures": failures})]

    def decide_attach_driver(self, _command, _words, _not_yet, _invalid):
        return [("attach_driver", {})]

    def decide_detach_driver(self, command, _words, _not_yet, _invalid):
        return [("detach_driver", {"reason": command["reason"]})]

    def denial(self, command, role, user, now):
        """What a refusal for the role puts on record, if anything."""
        if self.is_recent(user, now):
            return []
        reason = invalid_role(role)
        event = {"action": "permission_denied", "attempted": command["command"], "reason": reason}
        return [event]

    def is_recent(self, user, now):
        return user in self.denials and 0 <= now - self.denials[user] < 1000

    # Folding.

    def fold(self, event, now, user, new_id):
        action = event["action"]
        if action == "provision_green":
            if self.state == "green_live":
                self.blue_pool = {"blue": "green", "green": "blue"}[self.blue_pool]
            self.state = "green_provisioned"
            if self.blue_image is None:
                self.blue_image = event.get("initial_blue")
            self.green_image = event["image_tag"]
            self.former_blue = self.paused = None
            self.judged = set()
            self.id, self.plan = new_id, event.get("plan")
            self.enter(action, 0, now)
        elif action == "start_canary":
            self.state = "canary"
            self.enter(action, event["weight"], now)
        elif action == "increase_weight":
            self.enter(action, event["new_weight"], now)
        elif action == "promote_green":
            self.state = "green_live"
            self.former_blue, self.blue_image = self.blue_image, event["new_blue"]
            self.paused = None
            self.enter(action, 100, now)
        elif action == "rollback_to_blue" and self.state not in ("idle", "rollback_in_progress"):
            if self.state == "green_live":
                self.blue_image, self.former_blue = self.former_blue, None
            self.state, self.paused = "rollback_in_progress", None
            self.enter(action, 0, now)
        elif action == "rollback_complete":
            self.state, self.weight = "idle", 0
            self.green_image = self.former_blue = self.target = None
        elif action == "region_confirmed" and event["change"] == self.target:
            self.confirmed.add(event["region"])
            self.bake_from = now
        elif action == "step_passed" or (action == "step_failed" and event["check"] == "bake"):
            self.verdict = True
            self.judged.add(event["weight"])
        elif action == "step_failed" and event["check"] == "hook":
            self.confirmed.update(failure["region"] for failure in event["failures"])
            self.bake_from = now
        elif action == "pause":
            self.paused = event["reason"]
        elif action == "resume":
            self.paused, self.bake_from = None, now
        elif action == "attach_driver":
            self.bake_from = now
        elif action == "permission_denied":
            self.denials = {name: at for name, at in self.denials.items() if self.is_recent(name, now)}
            self.denials[user] = now

    def enter(self, target, weight, now):
        self.target, self.weight, self.bake_from = target, weight, now
        self.confirmed, self.verdict = set(), False

    def shown(self):
        green = {"canary": self.weight, "green_live": 100}.get(self.state, 0)
        return {
            "state": self.state,
            "blue_image": self.blue_image,
            "green_image": self.green_image,
            "canary_weight": self.weight,
            "traffic_split": {"blue": 100 - green, "green": green},
            "release_id": self.id,
            "paused": self.paused,
            "blue_pool": self.blue_pool,
        }

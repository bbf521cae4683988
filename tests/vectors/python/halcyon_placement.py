"""Where a tenant goes and which slot it gets: a second implementation, from docs/placement.md alone.

Nothing here was taken from the Rust core, so that both agreeing says something about the page. Python's standard
library is enough.
"""

from decimal import Decimal, localcontext

MASK = (1 << 64) - 1


class ResidencyUnavailable(Exception):
    """The tenant may be served nowhere."""


def sip_hash(key, data, compression=1, finalisation=3):
    """SipHash-c-d of `data` under a 16-byte key, 64 bits out."""
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:], "little")
    v0 = k0 ^ 0x736F6D6570736575
    v1 = k1 ^ 0x646F72616E646F6D
    v2 = k0 ^ 0x6C7967656E657261
    v3 = k1 ^ 0x7465646279746573

    whole = len(data) & ~7
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    blocks = [int.from_bytes(data[i : i + 8], "little") for i in range(0, whole, 8)]
    blocks.append(last)
    blocks.append(None)

    for block in blocks:
        if block is None:
            v2 ^= 0xFF
            rounds = finalisation
        else:
            v3 ^= block
            rounds = compression
        for _ in range(rounds):
            v0 = (v0 + v1) & MASK
            v1 = ((v1 << 13) | (v1 >> 51)) & MASK ^ v0
            v0 = ((v0 << 32) | (v0 >> 32)) & MASK
            v2 = (v2 + v3) & MASK
            v3 = ((v3 << 16) | (v3 >> 48)) & MASK ^ v2
            v0 = (v0 + v3) & MASK
            v3 = ((v3 << 21) | (v3 >> 43)) & MASK ^ v0
            v2 = (v2 + v1) & MASK
            v1 = ((v1 << 17) | (v1 >> 47)) & MASK ^ v2
            v2 = ((v2 << 32) | (v2 >> 32)) & MASK
        if block is not None:
            v0 ^= block
    return v0 ^ v1 ^ v2 ^ v3


def fmix64(x):
    """MurmurHash3's finaliser."""
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & MASK
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & MASK
    return x ^ (x >> 33)


def log_table():
    """The 257 numbers of table T, from their formula."""
    with localcontext() as context:
        context.prec = 60
        one = Decimal(1 << 28)
        half = Decimal("0.5")
        ln2 = Decimal(2).ln()
        table = [int(one * (8 + 2 / ln2) + half)]
        table += [int(one * (8 - Decimal(i).ln() / ln2) + half) for i in range(1, 257)]
    return table


T = log_table()


def draw_of(seed, bucket):
    return fmix64(seed ^ bucket) >> 32


def log_of(draw):
    i, f = draw >> 24, draw & 0xFFFFFF
    return T[i] - ((T[i] - T[i + 1]) * f >> 24)


def score_of(draw, weight):
    return log_of(draw) * (0xFFFFFFFF // (weight or 1))


class Rules:
    """One of the three lists: patterns, each with what it says."""

    def __init__(self, entries, value):
        self.literals = {}
        self.beginnings = {}
        for entry in entries:
            pattern = entry["tenant"].encode()
            if pattern.endswith(b"*"):
                self.beginnings[pattern[:-1]] = entry[value]
            else:
                self.literals[pattern] = entry[value]

    def find(self, tenant):
        if tenant in self.literals:
            return self.literals[tenant]
        fitting = [b for b in self.beginnings if tenant.startswith(b)]
        return self.beginnings[max(fitting, key=len)] if fitting else None


class Placement:
    """Everything that placement depends on but the tenant, the regions' health and the release."""

    def __init__(self, env, rules=None):
        self.regions = items(env.get("REGIONS", ""))
        self.weights = {name: 1 for name in self.regions}
        for item in items(env.get("REGION_WEIGHTS", "")):
            name, weight = item.split("=")
            self.weights[name.strip(" \t")] = int(weight.strip(" \t"))
        self.primary = env.get("PRIMARY_REGION")
        self.sticky = env.get("TENANT_STICKY", "").lower()
        self.failover = env.get("FAILOVER_POLICY", "").lower()
        self.key = bytes.fromhex(env.get("TENANT_HASH_KEY") or "00" * 16)

        rules = rules or {}
        self.residency = Rules(rules.get("residency", ()), "regions")
        self.pins = Rules(rules.get("pins", ()), "region")
        self.slots = Rules(rules.get("slots", ()), "slot")
        self._seeds = {}
        self._salts = {}

    def hash(self, tenant):
        return sip_hash(self.key, tenant)

    def seed(self, region):
        if region not in self._seeds:
            self._seeds[region] = fmix64(sip_hash(self.key, b"region\0" + region.encode()))
        return self._seeds[region]

    def rank(self, bucket, region):
        """The smaller, the earlier in the order of the bucket."""
        weight = self.weights[region]
        return (weight == 0, score_of(draw_of(self.seed(region), bucket), weight), region)

    def allowed(self, tenant):
        regions = self.residency.find(tenant)
        if regions is None:
            return self.regions
        return [r for r in self.regions if r in regions]

    def first_choice(self, tenant, h, allowed):
        pin = self.pins.find(tenant)
        if pin in allowed:
            return pin, "pinned"
        if self.sticky == "hash":
            choice, reason = allowed[h % len(allowed)], "hash"
        elif self.sticky == "rendezvous":
            choice, reason = min(allowed, key=lambda r: self.rank(h >> 48, r)), "rendezvous"
        else:
            choice, reason = (self.primary if self.primary in allowed else allowed[0]), "primary"
        return choice, ("residency" if self.residency.find(tenant) is not None else reason)

    def walk(self, choice, h, candidates):
        if not candidates:
            return None
        if choice in candidates:
            return choice
        if self.failover == "round_robin":
            return candidates[fmix64(h) % len(candidates)]
        if self.failover == "rendezvous":
            return min(candidates, key=lambda r: self.rank(h >> 48, r))
        n = len(self.regions)
        start = self.regions.index(choice)
        around = (self.regions[(start + step) % n] for step in range(1, n))
        return next(r for r in around if r in candidates)

    def region(self, tenant, h, health):
        """The region, the first choice and the reason. A region that `health` does not name is up."""
        allowed = self.allowed(tenant)
        if not allowed:
            raise ResidencyUnavailable
        preferred, reason = self.first_choice(tenant, h, allowed)
        for status in ("up", "draining", "down"):
            group = [r for r in allowed if health.get(r, "up") == status]
            region = self.walk(preferred, h, group)
            if region is not None:
                if status == "down":
                    reason = "all_down"
                elif region != preferred:
                    reason = "failover"
                return region, preferred, reason
        raise ResidencyUnavailable

    def next_failover(self, current):
        """The region that takes over from `current`; none with a single region."""
        if len(self.regions) == 1:
            return None
        if current in self.regions:
            return self.regions[(self.regions.index(current) + 1) % len(self.regions)]
        return self.regions[0] if self.failover == "round_robin" else self.primary

    def slot_bucket(self, h, release_id):
        if release_id not in self._salts:
            self._salts[release_id] = sip_hash(self.key, b"slot\0" + release_id.encode())
        return fmix64(h ^ self._salts[release_id]) % 10000

    def slot(self, tenant, h, release):
        if release is None or release["state"] in ("idle", "rollback_in_progress"):
            return "blue"
        if release["state"] == "green_live":
            return "green"
        rule = self.slots.find(tenant)
        if rule is not None:
            return rule
        green = self.slot_bucket(h, release["id"]) < release["weight"] * 100
        return "green" if green else "blue"

    def route(self, tenant, health=None, release=None):
        """The answer in the words of the vectors."""
        h = self.hash(tenant)
        slot = self.slot(tenant, h, release)
        try:
            region, preferred, reason = self.region(tenant, h, health or {})
        except ResidencyUnavailable:
            return {"error": "residency_unavailable"}
        return {"region": region, "preferred": preferred, "slot": slot, "reason": reason}


def items(text):
    """The items of a comma-separated list, without the blanks around them."""
    return [item.strip(" \t") for item in text.split(",") if item.strip(" \t")]

"""What a bundle's perimeter says, and the ways to the service that it knows.

Part of the independent model (model.py)."""
import dataclasses, datetime, time

from policy import Unmodelled, listed


def instant(text):
    """Seconds since 1970 of a date or a time, in UTC."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp())


@dataclasses.dataclass(frozen=True)
class Vpc:
    id: str
    region: str
    account: str


class Perimeter:
    def __init__(self, raw):
        prove = raw.get("prove", {})
        self.now = instant(prove["now"]) if "now" in prove else int(time.time())
        self.organization = raw.get("organization")
        self.management = raw.get("management_account")
        self.modes = {account: environment["mode"] for environment in raw.get("environments", {}).values()
                      for account in environment["accounts"]}
        self.enforced = sorted(account for account, mode in self.modes.items() if mode == "enforce")
        self.vpcs = [Vpc(vpc["id"], vpc["region"], vpc["account"]) for vpc in raw.get("vpc", [])]
        self.endpoints = {endpoint["id"]: Vpc(endpoint["vpc"], endpoint["region"], endpoint["account"])
                          for endpoint in raw.get("endpoint", [])}
        self.trusted = [cidr for entry in self.in_force(raw.get("trusted_address", [])) for cidr in entry["cidrs"]]
        self.break_glass = [pattern(entry) for entry in self.in_force(raw.get("break_glass", []))]
        self.service_calls_approved = prove.get("service_calls") == "approved"
        self.exact = prove.get("vpc_identity") == "exact"
        self.own_tags_only = prove.get("session_tags") == "none"
        self.one_region = prove.get("endpoint_region_is_requested_region", False)
        if raw.get("rules", {}).get("transit") == "deny":
            raise Unmodelled("transit = deny")

    def in_force(self, entries):
        return [entry for entry in entries
                if ("from" not in entry or instant(entry["from"]) <= self.now)
                and ("until" not in entry or self.now < instant(entry["until"]))]

    def watched(self, account):
        return self.modes.get(account) in ("enforce", "observe")

    def approved(self, vpc):
        return vpc in self.vpcs if self.exact else vpc.id in {known.id for known in self.vpcs}

    def ways(self):
        """Every way to the service: straight, and through an AWS service."""
        return list(self.straight_ways()) + list(self.service_ways())

    def straight_ways(self):
        yield Way(source_ip="v4", trusted=True)
        yield Way(source_ip="v6", trusted=True)
        yield from self.endpoint_ways()

    def service_ways(self):
        """A service may show any address, whether it comes through an endpoint or not."""
        for way in [Way(trusted=True), *self.endpoint_ways()]:
            inside = self.service_calls_approved or way.inside
            yield dataclasses.replace(way, via=True, source_ip="maybe", inside=inside)

    def endpoint_ways(self):
        for endpoint, vpc in self.endpoints.items():
            yield Way(endpoint=endpoint, vpc=vpc, inside=self.approved(vpc))
        for vpc in self.vpcs:
            yield Way(endpoint=OTHER, vpc=vpc, inside=True)
            if self.exact:
                yield Way(endpoint=OTHER, vpc=vpc, namesake=True)
        yield Way(endpoint=OTHER, vpc=OTHER)


OTHER = "other"


@dataclasses.dataclass(frozen=True)
class Way:
    """How a request comes: the endpoint and the VPC are known ones, some other, or none (`None`).

    `trusted` is a way that is inside from a trusted address; `namesake` a VPC of another region or owner that has the
    id of one that is approved."""
    via: bool = False
    source_ip: str = None
    endpoint: str = None
    vpc: object = None
    inside: bool = False
    trusted: bool = False
    namesake: bool = False

    @property
    def region(self):
        return self.vpc.region if isinstance(self.vpc, Vpc) and not self.namesake else None

    @property
    def owner(self):
        return self.vpc.account if isinstance(self.vpc, Vpc) and not self.namesake else None


def pattern(entry):
    if any(table != "*" for table in listed(entry.get("tables", ["*"]))):
        raise Unmodelled("break-glass for some tables")
    return entry["principal"]

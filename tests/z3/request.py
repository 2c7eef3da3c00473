"""One family of requests, as terms of Z3: a caller, a kind of resource, and a way to the service.

Part of the independent model (model.py). The caller's ARN, the resource, the VPC and the endpoint are strings, addresses
are bit-vectors, time is an integer; what is finite (the accounts, the kinds of resource, the ways) is taken apart in
Python, so that no string is put together of others.
"""
import dataclasses, functools, ipaddress
import z3

import catalogue
from logic import NO, YES, every, no, some, truth
from perimeter import OTHER, Vpc
from policy import Unmodelled
from solve import Strings
from strings import ANYTHING, at_least, characters, concat, excepting, name_glob, union

NAME = at_least(1, characters("a-zA-Z0-9+=,.@_-"))
TABLE_NAME = at_least(3, characters("a-zA-Z0-9_.-"))
PATH = z3.Option(concat([at_least(1, z3.Range("!", "\x7f")), z3.Re("/")]))
ACCOUNT = concat([characters("0-9")] * 12)
ORGANIZATION = concat([z3.Re("o-"), at_least(10, characters("a-z0-9"))])
UNIQUE = at_least(16, characters("A-Z0-9"))
SESSION = at_least(2, characters("a-zA-Z0-9+=,.@_-"))
SERVICE = concat([at_least(1, characters("a-z0-9.-")), z3.Re(".amazonaws.com")])
VPC_ID = concat([z3.Re("vpc-"), at_least(1, characters("0-9a-z"))])
ENDPOINT_ID = concat([z3.Re("vpce-"), at_least(1, characters("0-9a-z"))])
REGION_NAME = at_least(1, characters("a-z0-9-"))
BELOW_TABLE = {
    catalogue.INDEX: ("/index/", TABLE_NAME),
    catalogue.STREAM: ("/stream/", at_least(1, characters("0-9T:.-"))),
    catalogue.BACKUP: ("/backup/", at_least(1, characters("0-9a-z-"))),
    catalogue.EXPORT: ("/export/", at_least(1, characters("0-9a-z-"))),
    catalogue.IMPORT: ("/import/", at_least(1, characters("0-9a-z-"))),
}
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"]


@dataclasses.dataclass
class Text:
    present: z3.BoolRef
    term: z3.SeqRef


@dataclasses.dataclass
class Truth:
    present: z3.BoolRef
    term: z3.BoolRef


@dataclasses.dataclass
class Time:
    term: z3.ArithRef
    present: z3.BoolRef = YES


@dataclasses.dataclass
class Many:
    """A key of several values: slots, each of which may hold one."""
    slots: list

    @property
    def present(self):
        return some([slot.present for slot in self.slots])


@dataclasses.dataclass
class Address:
    present: z3.BoolRef
    is_v4: z3.BoolRef
    v4: z3.BitVecRef
    v6: z3.BitVecRef

    def within(self, cidr):
        network = ipaddress.ip_network(cidr, strict=False)
        bits = self.v4 if network.version == 4 else self.v6
        family = self.is_v4 if network.version == 4 else no(self.is_v4)
        return every(family, bits & int(network.netmask) == int(network.network_address))


ABSENT = Text(NO, z3.StringVal(""))


@dataclasses.dataclass(frozen=True)
class Caller:
    """`arn` is `*` for every role (or user) of the account."""
    arn: str
    account: str
    kind: str
    tags: object = None
    foreign: bool = False

    @functools.cached_property
    def language(self):
        start = f"arn:aws:iam::{self.account}:{self.kind}/"
        names = concat([z3.Re(start), PATH, NAME])
        service_linked = concat([z3.Re(start + "aws-service-role/"), ANYTHING])
        return z3.Intersect(names, z3.Complement(service_linked)) if self.kind == "role" else names


@dataclasses.dataclass(frozen=True)
class Target:
    """`table` is the ARN of one table, or none for every table of the account but the `others`."""
    kind: str
    region: str
    account: str
    table: str = None
    others: tuple = ()
    pseudo: str = None
    tags: object = None

    @property
    def start(self):
        return f"arn:aws:dynamodb:{self.region}:{self.account}:table/"

    @functools.cached_property
    def language(self):
        if self.pseudo:
            return z3.Re(self.pseudo)
        if self.kind == catalogue.GLOBAL:
            return concat([z3.Re(f"arn:aws:dynamodb::{self.account}:global-table/"), TABLE_NAME])
        table = z3.Re(self.table) if self.table else concat([z3.Re(self.start), TABLE_NAME])
        return self.excepting(self.below(table))

    def below(self, table):
        if self.kind not in BELOW_TABLE:
            return table
        between, name = BELOW_TABLE[self.kind]
        return concat([table, z3.Re(between), name])

    def excepting(self, language):
        excepted = [self.below(z3.Re(other)) for other in self.others if other.startswith(self.start)]
        return z3.Intersect(language, z3.Complement(union(excepted))) if excepted else language


class Request:
    def __init__(self, perimeter, caller, target, way, slots):
        self.perimeter, self.caller, self.target, self.way, self.slots = perimeter, caller, target, way, slots
        self.axioms, self.made, self.strings = [], {}, Strings()
        self.action = z3.Int("action")
        self.actions = []
        new = self.strings.new
        self.resource = z3.StringVal(target.pseudo) if target.pseudo else new("resource", target.language)
        self.arn = new("arn", caller.language) if caller.arn == "*" else z3.StringVal(caller.arn)

    def equal(self, term, text):
        return self.strings.test(term, z3.Re(text))

    def classes(self, classes):
        """Takes the actions as classes that no policy tells apart: one of each stands for all."""
        self.actions = classes
        self.axioms.append(every(self.action >= 0, self.action < len(classes)))

    def acts(self, wanted):
        """Whether the action is one that `wanted` holds for."""
        numbers = [number for number, action in enumerate(self.actions) if wanted(action)]
        if len(numbers) == len(self.actions):
            return YES
        return some([self.action == number for number in numbers])

    def outside(self):
        if not self.way.trusted or self.way.inside:
            return truth(not self.way.inside)
        address = self.key("aws:sourceip")
        return no(every(address.present, some([address.within(cidr) for cidr in self.perimeter.trusted])))

    def break_glass(self):
        if self.caller.kind == "root":
            return NO
        return some([self.strings.test(self.arn, name_glob(pattern))
                      for pattern in self.perimeter.break_glass
                      if pattern.split(":")[4] == self.caller.account or self.perimeter.watched(self.caller.account)])

    def key(self, name):
        if name not in self.made:
            self.made[name] = self.make(name)
        return self.made[name]

    def make(self, name):
        prefix, _, rest = name.partition("/")
        maker = getattr(self, "make_" + prefix.partition(":")[2], None)
        if name.startswith("dynamodb:"):
            return self.make_own(name)
        if maker is None or not name.startswith("aws:"):
            raise Unmodelled(f"key {name}")
        return maker(rest) if rest else maker()

    def constant(self, text):
        return Text(YES, z3.StringVal(text))

    def free(self, name, language, present=None):
        return Text(z3.Bool(name + " is there") if present is None else present, self.strings.new(name, language))

    # The network.

    def make_sourcevpc(self):
        vpc = self.way.vpc
        if vpc is None:
            return ABSENT
        if isinstance(vpc, Vpc):
            return self.constant(vpc.id)
        return self.free("SourceVpc", excepting(VPC_ID, [known.id for known in self.perimeter.vpcs]), YES)

    def make_sourcevpce(self):
        endpoint = self.way.endpoint
        if endpoint is None:
            return ABSENT
        if endpoint != OTHER:
            return self.constant(endpoint)
        return self.free("SourceVpce", excepting(ENDPOINT_ID, self.perimeter.endpoints), YES)

    def make_sourceip(self):
        return self.address("SourceIp", self.way.source_ip)

    def make_vpcsourceip(self):
        return self.address("VpcSourceIp", "any" if self.way.endpoint else None)

    def address(self, name, domain):
        presence = {None: NO, "maybe": z3.Bool(name + " is there")}.get(domain, YES)
        value = Address(presence, z3.Bool(name + " is v4"), z3.BitVec(name + "4", 32), z3.BitVec(name + "6", 128))
        if domain == "v4":
            self.axioms += [value.is_v4] + [no(value.within(cidr)) for cidr in PRIVATE]
        if domain == "v6":
            self.axioms += [no(value.is_v4), value.within("2000::/3")]
        return value

    def make_sourcevpcarn(self):
        vpc = self.key("aws:sourcevpc")
        present = every(vpc.present, z3.Bool("SourceVpcArn is there"))
        parts = ["arn:aws:ec2:", self.vpc_region(), ":", self.vpc_owner(), ":vpc/", vpc.term]
        return Text(present, z3.Concat(*[z3.StringVal(part) if isinstance(part, str) else part for part in parts]))

    def make_vpceaccount(self):
        if self.way.vpc is None:
            return ABSENT
        return Text(z3.Bool("VpceAccount is there"), self.vpc_owner())

    def make_vpceorgid(self):
        if self.way.vpc is None:
            return ABSENT
        ours = self.way.owner in self.perimeter.modes and self.perimeter.organization
        return Text(z3.Bool("VpceOrgID is there"),
                    z3.StringVal(ours) if ours else self.strings.new("VpceOrgID", ORGANIZATION))

    def vpc_owner(self):
        return z3.StringVal(self.way.owner) if self.way.owner else self.hidden()[0]

    def vpc_region(self):
        return z3.StringVal(self.way.region) if self.way.region else self.hidden()[1]

    def hidden(self):
        """Owner and region of a VPC that the perimeter does not know."""
        if "hidden" not in self.made:
            owner, region = self.strings.new("owner", ACCOUNT), self.strings.new("region", REGION_NAME)
            if self.way.namesake:
                namesakes = [vpc for vpc in self.perimeter.vpcs if vpc.id == self.way.vpc.id]
                self.axioms += [no(every(self.equal(owner, vpc.account), self.equal(region, vpc.region)))
                                for vpc in namesakes]
            if self.perimeter.one_region:
                self.axioms.append(self.equal(region, self.target.region))
            self.made["hidden"] = owner, region
        return self.made["hidden"]

    def make_viaawsservice(self):
        return Truth(YES, truth(self.way.via))

    def make_calledvia(self):
        value = self.many("aws:calledvia", SERVICE, truth(self.way.via))
        self.axioms.append(z3.Implies(self.way.via, value.present))
        return value

    # The caller.

    def make_principalarn(self):
        return Text(YES, self.arn)

    def make_principalaccount(self):
        return self.constant(self.caller.account)

    def make_principaltype(self):
        return self.constant({"user": "User", "root": "Account"}.get(self.caller.kind, "AssumedRole"))

    def make_userid(self):
        if self.caller.kind == "root":
            return self.constant(self.caller.account)
        if self.caller.kind == "user":
            return self.free("userid", concat([z3.Re("AIDA"), UNIQUE]), YES)
        return self.free("userid", concat([z3.Re("AROA"), UNIQUE, z3.Re(":"), SESSION]), YES)

    def make_username(self):
        if self.caller.kind != "user":
            return ABSENT
        if self.caller.arn == "*":
            raise Unmodelled("aws:username of every user")
        return self.constant(self.caller.arn.rpartition("/")[2])

    def make_principalorgid(self):
        ours = self.perimeter.organization
        if ours and not self.caller.foreign:
            return self.constant(ours)
        return self.free("PrincipalOrgID", excepting(ORGANIZATION, [ours] if ours else []))

    def make_principaltag(self, tag):
        tags, own = self.caller.tags, self.caller.kind == "user" or self.perimeter.own_tags_only
        return self.tag("PrincipalTag/" + tag, tag, tags if own else None)

    def tag(self, name, tag, tags):
        if tags is None:
            return self.free(name, ANYTHING)
        values = [value for key, value in tags.items() if key.lower() == tag]
        return self.constant(values[0]) if values else ABSENT

    def make_principalisawsservice(self):
        return Truth(YES, NO)

    def make_principalservicename(self):
        return ABSENT

    def make_sourcearn(self):
        return ABSENT

    def make_sourceaccount(self):
        return ABSENT

    def make_multifactorauthpresent(self):
        return Truth(z3.Bool("MFA is there"), z3.Bool("MFA"))

    # The request and its resource.

    def make_requestedregion(self):
        return self.constant(self.target.region)

    def make_resourceaccount(self):
        return self.constant(self.target.account)

    def make_resourceorgid(self):
        ours = self.perimeter.organization
        if ours and self.perimeter.watched(self.target.account):
            return self.constant(ours)
        return self.free("ResourceOrgID", excepting(ORGANIZATION, [ours] if ours else []))

    def make_resourcetag(self, tag):
        if self.target.kind not in (catalogue.TABLE, catalogue.INDEX, catalogue.STREAM):
            return ABSENT
        return self.tag("ResourceTag/" + tag, tag, self.target.tags)

    def make_securetransport(self):
        return Truth(YES, z3.Bool("SecureTransport"))

    def make_currenttime(self):
        now = z3.Int("now")
        self.axioms.append(now >= self.perimeter.now)
        return Time(now)

    def make_epochtime(self):
        return self.key("aws:currenttime")

    def make_tagkeys(self):
        return self.many("aws:tagkeys", at_least(1, characters("a-zA-Z0-9_.:/=+@-")), self.carries("aws:tagkeys"))

    def make_own(self, name):
        if name not in catalogue.KEYS:
            raise Unmodelled(f"key {name}")
        carried = self.carries(name)
        if name in catalogue.MULTIVALUED:
            return self.many(name, at_least(1, characters(" -~")), carried)
        present = z3.Bool(name + " is there")
        self.axioms.append(z3.Implies(present, carried))
        if name == "dynamodb:fulltablescan":
            return Truth(present, z3.Bool(name))
        return Text(present, self.strings.new(name, at_least(1, characters("a-zA-Z_"))))

    def carries(self, key):
        return self.acts(lambda action: action == catalogue.FUTURE or action in catalogue.KEYS[key])

    def many(self, name, language, possible):
        slots = [self.free(f"{name} {number}", language) for number in range(max(1, self.slots.get(name, 1)))]
        self.axioms += [z3.Implies(slot.present, possible) for slot in slots]
        return Many(slots)

"""An independent model, in Z3, of the question that `perimeter prove` answers: for differential testing.

`verdict(bundle)` is written from the specification of policies and bundles alone, knows nothing of the prover's code and
shares none of its methods: a request is a handful of Z3 strings, bit-vectors and integers, and each policy a formula over
them. Every formula is made twice, as AWS's documentation is silent in places: permissive (an Allow may match, a Deny
must) and strict (the opposite). What only the permissive reading lets through is `ambiguous`.

The verdicts are those of `perimeter prove`, and `ambiguous`; `unknown` is a document that IAM refuses, `undecided` that
Z3 gave up, and `unmodelled` a construct that is not written down here.
"""
import itertools
import z3

import catalogue, conditions
from perimeter import Perimeter
from policy import Malformed, Policies, RESOURCE, Unmodelled, listed
from logic import NO, YES, every, no, some, truth
from request import Caller, Request, Target
from solve import Clock, Languages, satisfiable
from strings import arn_glob, glob, matches, name_glob

COMMON_REGIONS = ["us-east-1", "eu-west-1", "ap-southeast-2", "us-gov-west-1"]


class Answer:
    def __init__(self, verdict, seconds=0.0, why=""):
        self.verdict, self.seconds, self.why = verdict, seconds, why


def verdict(bundle, principal=0, table=0, timeout_ms=5000):
    """Decides about one principal and one table of a bundle."""
    try:
        question = Question(bundle, bundle["principals"][principal], bundle["tables"][table], timeout_ms)
        before = Clock.seconds
        return Answer(question.verdict(), Clock.seconds - before)
    except Malformed as why:
        return Answer("unknown", why=str(why))
    except Unmodelled as why:
        return Answer("unmodelled", why=str(why))


def forget():
    """Forgets what other bundles have had worked out, so that one is timed as if it were the first."""
    Languages.known.clear()
    for remembered in (glob, arn_glob, name_glob):
        remembered.cache_clear()


class Question:
    def __init__(self, bundle, principal, table, timeout_ms):
        self.perimeter = Perimeter(bundle["perimeter"])
        self.policies = Policies(bundle, principal)
        self.statements = self.policies.all()
        self.bundle, self.principal, self.table, self.timeout_ms = bundle, principal, table, timeout_ms
        self.slots = set_literals(self.statements)
        self.families, self.classes = None, {}

    def verdict(self):
        """The questions in their order: anyone from outside, break-glass from outside, anything at all."""
        for asked, said in (("open", "open"), ("break_glass", "break_glass_only"), ("any", "enforced")):
            permissive = self.exists(asked, True)
            strict = self.exists(asked, False) if permissive is not False else False
            if strict:
                return said
            if permissive:
                return "undecided" if strict is None else "ambiguous"
            if permissive is None:
                return "undecided"
        return "no_access"

    def exists(self, asked, permissive):
        """Whether a request is allowed: yes, no, or `None` where Z3 gave up."""
        unsure = False
        for family in self.all_families():
            found = self.solve(family, asked, permissive)
            if found:
                return True
            unsure = unsure or found is None
        return None if unsure else False

    def solve(self, family, asked, permissive):
        formula = family.formula(asked, permissive)
        if z3.is_false(formula):
            return False
        other = (asked, not permissive)
        if other in family.found and formula.eq(family.formula(*other)):
            return family.found[other]
        request = family.request
        family.found[asked, permissive] = satisfiable(request.strings, request.axioms + [formula], self.timeout_ms)
        return family.found[asked, permissive]

    def all_families(self):
        if self.families is None:
            self.families = [
                Family(self, Request(self.perimeter, caller, target, way, self.slots))
                for caller in self.callers() for target in self.targets(caller) for way in self.perimeter.ways()
                if not (self.perimeter.one_region and way.region not in (None, target.region))]
        return self.families

    def callers(self):
        arn, tags = self.principal["arn"], self.principal.get("tags")
        if "session_arn" in self.principal:
            raise Unmodelled("session_arn")
        if arn == "*":
            return [Caller("*", account, kind, tags)
                    for account in self.perimeter.enforced for kind in ("role", "user")]
        account, resource = arn.split(":", 5)[4:]
        kind = resource.split("/")[0]
        if kind not in ("role", "user", "root"):
            raise Unmodelled("principal " + arn)
        return [Caller(arn, account, kind, tags, account not in self.perimeter.modes)]

    def targets(self, caller):
        if self.table["arn"] != "*":
            return self.targets_of_table(self.table)
        found = [target for table in self.bundle["tables"] if table["arn"] != "*"
                 for target in self.targets_of_table(table)]
        if caller.account not in self.perimeter.enforced:
            return found
        return list(self.other_targets(caller)) + found

    def targets_of_table(self, table):
        _, _, service, region, account, resource = table["arn"].split(":", 5)
        if service != "dynamodb" or not resource.startswith("table/") or resource.count("/") > 1:
            raise Unmodelled("table " + table["arn"])
        kinds = catalogue.OF_A_TABLE + ((catalogue.IMPORT,) if self.table["arn"] == "*" else ())
        return [Target(kind, region, account, table["arn"], tags=table.get("tags")) for kind in kinds]

    def other_targets(self, caller):
        """What no listed table stands for: other tables, global tables, and the account itself."""
        listed_tables = tuple(table["arn"] for table in self.bundle["tables"] if table["arn"] != "*")
        for region in self.regions():
            for kind in catalogue.KINDS[1:]:
                yield Target(kind, region, caller.account, others=listed_tables)
            for pseudo in ("*", f"arn:aws:dynamodb:{region}:{caller.account}:table/*"):
                yield Target(catalogue.WILD, region, caller.account, pseudo=pseudo)

    def regions(self):
        """One region for each set of regions that nothing in the bundle tells apart."""
        named = COMMON_REGIONS + sorted(regions_named(self.bundle))
        by_mark = {tuple(mark(self.statements, region)) + self.facts(region): region for region in reversed(named)}
        return sorted(by_mark.values())

    def facts(self, region):
        own_region = [vpc.region for vpc in self.perimeter.vpcs + list(self.perimeter.endpoints.values())]
        return (self.perimeter.one_region and region in own_region,)


def set_literals(statements):
    """How many conditions each key stands in: so many values of a set can matter."""
    count = {}
    for _, key, _ in itertools.chain.from_iterable(statement.conditions for statement in statements):
        count[key.lower()] = count.get(key.lower(), 0) + 1
    return count


def regions_named(bundle):
    perimeter = bundle["perimeter"]
    places = perimeter.get("vpc", []) + perimeter.get("endpoint", [])
    regions = {place["region"] for place in places}
    return regions | {table["arn"].split(":")[3] for table in bundle["tables"] if table["arn"] != "*"}


def mark(statements, region):
    """What the statements make of a region."""
    for statement in statements:
        for pattern in statement.patterns("Resource")[0]:
            segments = pattern.split(":")
            if len(segments) >= 6:
                yield matches(region, segments[3])
            elif pattern != "*":
                yield region
        for _, key, values in statement.conditions:
            for value in values:
                if key.lower() == "aws:requestedregion":
                    yield value == region, matches(region, value, any_case=True)
                if "requestedregion" in value.lower():
                    yield region


class Family:
    """A family of requests with the formulas of its questions."""

    def __init__(self, question, request):
        self.question, self.request, self.policies = question, request, question.policies
        self.made, self.found, self.allowing = {}, {}, {}
        request.classes(self.action_classes())

    def formula(self, asked, permissive):
        if (asked, permissive) not in self.made:
            self.made[asked, permissive] = z3.simplify(self.make(asked, permissive))
        return self.made[asked, permissive]

    def make(self, asked, permissive):
        if asked == "any":
            return self.allowed(permissive)
        outside, break_glass = z3.simplify(self.request.outside()), self.request.break_glass()
        if z3.is_false(outside):
            return NO
        return every(outside, break_glass if asked == "break_glass" else no(break_glass), self.allowed(permissive))

    def action_classes(self):
        """One action of each set of actions that no statement tells apart."""
        kind, known = self.request.target.kind, self.question.classes
        place = kind, self.request.target.table is None
        if place not in known:
            marks = {self.action_mark(action): action
                     for action, kinds in reversed(catalogue.ACTIONS.items()) if kind in kinds}
            known[place] = list(marks.values())
        return known[place]

    def action_mark(self, action):
        keys = [key for key, actions in catalogue.KEYS.items() if key in self.question.slots and action in actions]
        of_table = self.request.target.table is not None
        own = of_table and (action in catalogue.WITHOUT_RESOURCE_POLICY, action in catalogue.ACROSS_ACCOUNTS)
        matching = [covers(statement, action, may) for statement in self.question.statements for may in (True, False)]
        return tuple(keys), own, tuple(matching), action == catalogue.FUTURE

    # The decision.

    def allowed(self, may):
        """Whether the request is allowed: by what may allow it and nothing that must deny it, or the other way."""
        if may not in self.allowing:
            self.allowing[may] = every(self.granted(may), self.within_scps(may), self.through_endpoint(may),
                                       no(self.denied(not may)))
        return self.allowing[may]

    def granted(self, may):
        caller, policies = self.request.caller, self.policies
        if caller.foreign:
            return self.any_allow(self.table_policy(), may, self.across(may))
        bounds = every(self.allows_or_absent(policies.boundary, may), self.allows_or_absent(policies.session, may))
        identity = YES if caller.kind == "root" else self.allows_or_absent(policies.identity, may)
        if caller.account != self.request.target.account:
            return every(identity, bounds, self.any_allow(self.table_policy(), may, self.across(may)))
        direct = self.any_allow(self.table_policy(), may, YES, lambda named: self.direct(named, may))
        limited = self.any_allow(self.table_policy(), may, YES, self.limited)
        return some(direct, every(bounds, some(identity, limited)))

    def across(self, may):
        return self.request.acts(
            lambda action: may if action == catalogue.FUTURE else action in catalogue.ACROSS_ACCOUNTS)

    def direct(self, named, may):
        """A grant that nothing implicit limits; for the session of a role, `*` is one in the permissive reading."""
        user = self.request.caller.kind == "user"
        return some(every(named.itself, truth(user)), truth(named.anyone and (user or may)))

    def limited(self, named):
        return some(named.itself, truth(named.anyone))

    def any_allow(self, statements, may, condition, who=lambda named: named.anybody()):
        grants = [every(self.matches(statement, may), who(self.named(statement.raw["Principal"])))
                  for statement in statements if statement.allows]
        return every(condition, some(grants))

    def allows_or_absent(self, statements, may):
        if statements is None:
            return YES
        return some([self.matches(statement, may) for statement in statements if statement.allows])

    def within_scps(self, may):
        if not self.bound_by_scps():
            return YES
        return every([self.allows_or_absent(level, may) for level in self.policies.scps])

    def bound_by_scps(self):
        caller = self.request.caller
        return not (caller.foreign or self.service_linked() or caller.account == self.question.perimeter.management)

    def bound_by_rcps(self):
        return not self.service_linked() and self.request.target.account != self.question.perimeter.management

    def service_linked(self):
        return ":role/aws-service-role/" in self.request.caller.arn

    def through_endpoint(self, may):
        """An endpoint's own policy, for what comes through it; no policy allows everything."""
        if not self.policies.endpoints:
            return YES
        used, conjuncts = self.request.key("aws:sourcevpce"), []
        for endpoint, statements in self.policies.endpoints.items():
            through = every(used.present, self.request.equal(used.term, endpoint))
            allowed = self.any_allow(statements, may, YES)
            denied = self.any_deny(statements, not may)
            conjuncts.append(some(no(through), every(allowed, no(denied))))
        return every(conjuncts)

    def denied(self, may):
        caller, policies = self.request.caller, self.policies
        groups = [self.table_policy()]
        if not caller.foreign:
            groups += [policies.identity, policies.boundary, policies.session]
        if self.bound_by_scps():
            groups += policies.scps
        if self.bound_by_rcps():
            groups += policies.rcps
        return some([self.any_deny(group or [], may) for group in groups])

    def any_deny(self, statements, may):
        return some([every(self.matches(statement, may), self.hits(statement, may))
                      for statement in statements if not statement.allows])

    def hits(self, statement, may):
        """Whether a Deny is about this caller."""
        if "NotPrincipal" in statement.raw:
            named = self.named(statement.raw["NotPrincipal"])
            return no(every(named.itself, truth(named.account))) if may else no(named.itself)
        return self.named(statement.raw["Principal"]).anybody() if "Principal" in statement.raw else YES

    def table_policy(self):
        target = self.request.target
        if target.kind not in (catalogue.TABLE, catalogue.INDEX):
            return []
        return self.policies.tables.get(target.table, [])

    def named(self, principal):
        return Named(principal, self.request)

    # Whether a statement matches.

    def matches(self, statement, may):
        action = self.request.acts(lambda action: covers(statement, action, may))
        if action is NO:
            return NO
        return every(action, self.consulted(statement), self.covers_resource(statement, may),
                      conditions.holds(self.request, statement, may))

    def consulted(self, statement):
        if statement.kind != RESOURCE:
            return YES
        return self.request.acts(lambda action: action not in catalogue.WITHOUT_RESOURCE_POLICY)

    def covers_resource(self, statement, may):
        patterns, excepted = statement.patterns("Resource")
        if excepted:
            return no(self.on_any(statement, patterns, not may))
        return self.on_any(statement, patterns, may)

    def on_any(self, statement, patterns, may):
        return some([self.on(statement, pattern, may) for pattern in patterns])

    def on(self, statement, pattern, may):
        """A pattern read plainly and read by segments: the language does not say which."""
        if pattern == "*":
            return YES
        if statement.variables and "${" in pattern:
            raise Unmodelled("a variable in a resource")
        plain = self.request.strings.test(self.request.resource, glob(pattern))
        if alike(pattern):
            return plain
        segmented = self.request.strings.test(self.request.resource, arn_glob(pattern))
        return some(plain, segmented) if may else every(plain, segmented)


class Named:
    """How a principal element names the caller."""

    def __init__(self, principal, request):
        values = ["*"] if principal == "*" else listed(principal.get("AWS", []))
        account = request.caller.account
        if any(":sts:" in value for value in values):
            raise Unmodelled("a session as principal")
        self.anyone = "*" in values
        self.account = account in values or f"arn:aws:iam::{account}:root" in values
        self.itself = some([request.equal(request.arn, value) for value in values if ":iam:" in value])

    def anybody(self):
        return some(self.itself, truth(self.anyone or self.account))


def alike(pattern):
    """Whether the readings of a resource pattern are one: its first five segments are there, without wildcards."""
    segments = pattern.split(":", 5)
    return len(segments) == 6 and not any(set("*?") & set(segment) for segment in segments[:5])


def covers(statement, action, may):
    patterns, excepted = statement.patterns("Action")
    if excepted:
        return not any(covers_action(pattern, action, not may) for pattern in patterns)
    return any(covers_action(pattern, action, may) for pattern in patterns)


def covers_action(pattern, action, may):
    if pattern == "*":
        return True
    service, colon, name = pattern.partition(":")
    if not colon:
        raise Unmodelled("action " + pattern)
    if "*" in service or "?" in service:
        return may and matches("dynamodb:" + action, pattern, any_case=True)
    return service.lower() == "dynamodb" and matches(action, name, any_case=True)

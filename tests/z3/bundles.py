"""Random bundles near the edges of the language, for differential tests of `perimeter prove`: few names, that begin
alike, patterns that overlap, and conditions that miss the right one by a little. The same seed gives the same bundles.

    bundles.py [--count 10] [--seed 1]     prints them, one a line
"""
import argparse, json, random

ORGANIZATION = "o-exampleorgid"
OURS, ALSO_OURS, FOREIGN = "111122223333", "111122224444", "999988887777"
VPCS = ["vpc-0a", "vpc-0ab", "vpc-0b"]
ENDPOINTS = {"vpce-0a": "vpc-0a", "vpce-0ab": "vpc-0ab", "vpce-0b": "vpc-0b"}
REGIONS = ["eu-west-1", "us-east-1"]
ROLES = ["role/app", "role/app-ro", "role/ops/app", "role/your-emergency-role", "role/ops/your-emergency-role"]
BREAK_GLASS = ["arn:aws:iam::*:role/your-emergency-role", f"arn:aws:iam::{OURS}:role/your-emergency-role",
               "arn:aws:iam::*:role/ops/*", "arn:aws:iam::1111*:role/*emergency*", "arn:aws:iam::*:role/app-r?"]
PRINCIPALS = BREAK_GLASS + [
    f"arn:aws:iam::{OURS}:role/app", f"arn:aws:iam::{OURS}:role/*", f"arn:aws:iam::{OURS}:*", "arn:aws:iam::*:user/*",
    "arn:*:iam::*:role/your-*", "*:role/your-emergency-role", "arn:aws:iam::*:*/your-emergency-role"]
TABLES = ["orders", "orders2", "ord.eu"]
CIDRS = ["203.0.113.0/24", "203.0.113.128/25", "203.0.112.0/23", "0.0.0.0/0", "::/0", "2001:db8::/32", "2000::/3",
         "10.0.0.0/8", "10.0.0.0/16", "203.0.113.7"]
ACTIONS = ["dynamodb:Get*", "dynamodb:*Item", "dynamodb:?etItem", "DynamoDB:query", "dynamodb:Batch*", "dynamodb:List*",
           "dynamodb:PartiQL*", "dynamodb:CreateTable", "dynamodb:GetItem", "dynamodb:Describe*", "dynamodb:*Table*",
           "dynamodb:GetRecords", "dynamodb:Scan", "dynamodb:*GlobalTable*", "s3:*"]


class Bundle:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.approved = self.some(VPCS, 1, 2)
        self.trusted = self.some(CIDRS[:3], 1, 1) if self.chance(0.15) else []

    # Choices.

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, *weighted):
        """One of `value, weight, value, weight, …`."""
        return self.random.choices(weighted[::2], weighted[1::2])[0]

    def one(self, values):
        return self.random.choice(values)

    def some(self, values, least=1, most=2):
        chosen = self.random.sample(values, min(len(values), self.random.randint(least, most)))
        return sorted(chosen)

    def short(self, values):
        """A list of one is often written without brackets."""
        return values[0] if len(values) == 1 and self.chance(0.6) else values

    # The bundle.

    def make(self):
        bundle = {"perimeter": self.perimeter(), "principals": [self.principal()], "tables": self.tables(),
                  "scps": self.scps(), "rcps": self.rcps(), "endpoints": self.endpoints()}
        if bundle["principals"][0]["arn"] == "foreign":
            self.let_in(bundle)
        return bundle

    def perimeter(self):
        accounts = [OURS, ALSO_OURS] if self.chance(0.2) else [OURS]
        listed = [endpoint for endpoint, vpc in ENDPOINTS.items() if self.chance(0.6 if vpc in self.approved else 0.2)]
        perimeter = {
            "version": 1, "organization": ORGANIZATION,
            "environments": {"production": {"mode": "enforce", "accounts": accounts}},
            "vpc": [place(vpc) for vpc in self.approved],
            "endpoint": [{**place(endpoint), "vpc": ENDPOINTS[endpoint]} for endpoint in listed],
            "break_glass": [{"principal": pattern} for pattern in self.some(BREAK_GLASS)] if self.chance(0.6) else [],
            "prove": {"service_calls": self.pick("approved", 3, "outside", 2), "vpc_identity": "id",
                      "session_tags": self.pick("any", 2, "none", 1), "now": "2026-11-01T00:00:00Z"}}
        if self.trusted:
            perimeter["trusted_address"] = [{"cidrs": self.trusted, "reason": "office"}]
        return perimeter

    def principal(self):
        arn = self.pick("*", 4, "role", 6, "user", 1, "foreign", 1)
        principal = {"arn": arn}
        if arn == "role":
            principal["arn"] = f"arn:aws:iam::{OURS}:{self.one(ROLES)}"
            if self.chance(0.4):
                principal["tags"] = {"team": self.one(["a", "ab", "b"])}
        if arn == "user":
            principal["arn"] = f"arn:aws:iam::{OURS}:user/{self.one(['app', 'ops/app'])}"
        if arn != "foreign" and self.chance(0.9):
            allows = [self.allow() for _ in range(self.pick(1, 5, 2, 1, 0, 1))]
            principal["identity"] = [named("identity", self.document(allows))]
        if arn not in ("foreign", "*") and self.chance(0.15):
            principal["boundary"] = named("boundary", self.document([self.allow(), *self.denies(0.5)]))
        if principal["arn"].startswith("arn:") and "role/" in principal["arn"] and self.chance(0.1):
            principal["session"] = [named("session", self.document([self.allow()]))]
        return principal

    def tables(self):
        tables = [{"arn": "*"}]
        for name in self.some(TABLES) if self.chance(0.4) else []:
            table = {"arn": table_arn(name)}
            if self.chance(0.6):
                table["policy"] = named("policy-" + name, self.document(self.table_statements(table["arn"])))
            tables.append(table)
        if len(tables) > 1 and self.chance(0.4):
            tables.append(tables.pop(0))
        return tables

    def table_statements(self, arn):
        statements = []
        if self.chance(0.5):
            grant = {"Effect": "Allow", "Principal": self.grantee(), "Action": self.actions(),
                     "Resource": self.pick(arn, 3, "*", 2, arn + "/*", 1)}
            statements.append(self.conditioned(grant, 0.5))
        if self.chance(0.6) or not statements:
            statements.append({**self.deny(), "Principal": "*"})
        return statements

    def grantee(self):
        return self.pick("*", 2, {"AWS": f"arn:aws:iam::{OURS}:{self.one(ROLES)}"}, 3, {"AWS": OURS}, 1,
                         {"AWS": f"arn:aws:iam::{OURS}:user/app"}, 1)

    def let_in(self, bundle):
        """A stranger has nothing but what a table's policy grants."""
        principal = bundle["principals"][0]
        principal["arn"] = f"arn:aws:iam::{FOREIGN}:{self.one(ROLES)}"
        arn = table_arn("orders")
        grant = {"Effect": "Allow", "Principal": self.pick({"AWS": FOREIGN}, 2, {"AWS": principal["arn"]}, 2, "*", 1),
                 "Action": self.actions(), "Resource": self.pick("*", 2, arn, 2, arn + "*", 1)}
        statements = [self.conditioned(grant, 0.3)] + [{**deny, "Principal": "*"} for deny in self.denies(0.4)]
        others = [table for table in bundle["tables"] if table["arn"] != arn]
        bundle["tables"] = others + [{"arn": arn, "policy": named("policy-orders", self.document(statements))}]

    def scps(self):
        if self.chance(0.1):
            return []
        levels = [[full("root")], [full("account")]]
        if self.chance(0.08):
            levels[1] = [named("narrow", self.document([self.allow()]))]
        for number in range(self.pick(1, 5, 2, 2, 0, 1)):
            level = self.one(levels)
            level.append(named(f"scp-{number}", self.document(self.denies(1))))
        return levels

    def rcps(self):
        if self.chance(0.75):
            return []
        denies = [{**deny, "Principal": "*"} for deny in self.denies(1)]
        for deny in denies:
            # A resource control policy names its actions.
            if "NotAction" in deny:
                deny["Action"] = deny.pop("NotAction")
        return [[named("rcp", self.document(denies))]]

    def endpoints(self):
        endpoints = []
        for endpoint in ENDPOINTS:
            if self.chance(0.12):
                allow = {**self.allow(), "Principal": "*"}
                denies = [{**deny, "Principal": "*"} for deny in self.denies(0.4)]
                policy = named("policy-" + endpoint, self.document([allow, *denies]))
                endpoints.append({"id": endpoint, "policy": policy})
        return endpoints

    # Statements.

    def document(self, statements):
        return {"Version": "2012-10-17", "Statement": statements}

    def allow(self):
        allow = {"Effect": "Allow", **self.scope(0.75)}
        return self.conditioned(allow, 0.25)

    def denies(self, probability):
        return [self.deny() for _ in range(self.pick(1, 4, 2, 1))] if self.chance(probability) else []

    def deny(self):
        deny = {"Effect": "Deny", **self.scope(0.8)}
        condition = {}
        if self.chance(0.93):
            self.add(condition, *self.network())
        for _ in range(self.pick(0, 5, 1, 5, 2, 1)):
            self.add(condition, *self.carve_out())
        return {**deny, "Condition": condition} if condition else deny

    def scope(self, whole):
        scope = {"Action": self.pick("dynamodb:*", 4, "*", 1)} if self.chance(whole) else self.some_actions()
        if self.chance(whole):
            return {**scope, "Resource": "*"}
        return {**scope, self.pick("Resource", 4, "NotResource", 1): self.short(self.some(self.resources()))}

    def some_actions(self):
        return {self.pick("Action", 4, "NotAction", 1): self.short(self.some(ACTIONS, 1, 3))}

    def actions(self):
        return self.pick("dynamodb:*", 2, "*", 1, self.short(self.some(ACTIONS, 1, 3)), 2)

    def resources(self):
        region, start = self.one(REGIONS + ["*", "eu-*"]), "arn:aws:dynamodb:"
        wide = [f"{start}*:*:*"] if self.chance(0.2) else []
        return wide + [f"{start}{region}:{account}:{tail}" for account in (OURS, "*") for tail in (
            "table/orders", "table/orders*", "table/ord*", "table/orders/*", "table/*", "*", "table/*/stream/*",
            "table/order?", "table/*eu", "table/orders/index/*", "global-table/*")]

    # Conditions.

    def conditioned(self, statement, probability):
        if not self.chance(probability):
            return statement
        condition = {}
        for _ in range(self.pick(1, 3, 2, 1)):
            operator, key, values = self.one([self.network, self.network, self.carve_out])()
            self.add(condition, self.opposite(operator), key, values)
        return {**statement, "Condition": condition}

    def opposite(self, operator):
        """What a Deny says by `Not`, an Allow says without; the wrong one now and then."""
        return operator.replace("Not", "") if self.chance(0.9) else operator

    def add(self, condition, operator, key, values):
        condition.setdefault(operator, {})[key] = values

    def network(self):
        return self.one([self.by_vpc, self.by_vpc, self.by_vpc, self.by_endpoint, self.by_address, self.by_null])()

    def by_vpc(self):
        right = self.chance(0.7)
        values = self.approved if right else self.some(VPCS + ["vpc-0a*", "vpc-0?", "vpc-*", "VPC-0A", "*"], 1, 2)
        return self.text_operator(right), self.spelt("aws:SourceVpc"), self.short(values)

    def by_endpoint(self):
        right = [endpoint for endpoint, vpc in ENDPOINTS.items() if vpc in self.approved]
        is_right = self.chance(0.7)
        values = right if is_right else self.some([*ENDPOINTS, "vpce-0a*", "vpce-*"], 1, 2)
        return self.text_operator(is_right), self.spelt("aws:SourceVpce"), self.short(values)

    def by_address(self):
        operator = self.pick("NotIpAddress", 4, "IpAddress", 1, "NotIpAddressIfExists", 1)
        values = self.trusted if self.trusted and self.chance(0.6) else self.some(CIDRS)
        return operator, self.pick("aws:SourceIp", 3, "aws:VpcSourceIp", 1), self.short(values)

    def by_null(self):
        return "Null", self.one(["aws:SourceVpc", "aws:SourceVpce", "aws:SourceIp"]), self.pick("true", 3, "false", 1)

    def text_operator(self, right):
        plain = self.pick("StringNotEquals", 5, "StringNotLike", 3, "StringNotEqualsIgnoreCase", 1,
                          "StringLike", 0 if right else 1, "StringEquals", 0 if right else 1)
        quantifier = self.pick("", 8, "ForAllValues:", 1, "ForAnyValue:", 1)
        if quantifier == "ForAnyValue:":
            return quantifier + plain
        return quantifier + plain + self.pick("", 5, "IfExists", 1)

    def spelt(self, key):
        return self.pick(key, 9, key.lower(), 1)

    def carve_out(self):
        return self.one([self.by_principal, self.by_principal, self.by_principal, self.by_tag, self.by_service,
                         self.by_organization, self.by_region])()

    def by_principal(self):
        operator = self.pick("ArnNotLike", 4, "StringNotLike", 4, "ArnNotEquals", 1, "StringNotEquals", 1,
                             "ArnNotLikeIfExists", 1, "ArnLike", 0.5, "StringLike", 0.5)
        patterns = PRINCIPALS if operator.startswith("String") else [p for p in PRINCIPALS if p.count(":") >= 5]
        patterns = BREAK_GLASS if self.chance(0.5) else patterns
        return operator, "aws:PrincipalArn", self.short(self.some(patterns))

    def by_tag(self):
        operator = self.pick("StringNotEquals", 4, "StringNotLike", 2, "StringEquals", 1, "StringNotEqualsIfExists", 1)
        key = self.pick("aws:PrincipalTag/team", 4, "aws:ResourceTag/public", 1)
        return operator, key, self.short(self.some(["a", "b", "a*", "true"], 1, 2))

    def by_service(self):
        operator = self.pick("Bool", 3, "BoolIfExists", 1)
        key = self.pick("aws:ViaAWSService", 3, "aws:PrincipalIsAWSService", 1)
        return operator, key, self.pick("false", 4, "true", 1)

    def by_organization(self):
        operator = self.pick("StringNotEquals", 3, "StringNotEqualsIfExists", 1, "StringEquals", 1)
        return operator, "aws:PrincipalOrgID", self.pick(ORGANIZATION, 4, "o-anotherorgid", 1)

    def by_region(self):
        operator = self.pick("StringNotEquals", 3, "StringEquals", 2, "StringNotLike", 1, "StringLike", 1)
        return operator, "aws:RequestedRegion", self.short(self.some(REGIONS + ["eu-*"]))


def place(id):
    return {"id": id, "region": "eu-west-1", "account": OURS}


def table_arn(name):
    return f"arn:aws:dynamodb:eu-west-1:{OURS}:table/{name}"


def named(name, document):
    return {"name": name, "document": document}


def full(name):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return named("full-" + name, {"Version": "2012-10-17", "Statement": [statement]})


def bundles(seed):
    """Endlessly many."""
    number = 0
    while True:
        yield Bundle(f"{seed}/{number}").make()
        number += 1


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=10)
    arguments.add_argument("--seed", default="1")
    options = arguments.parse_args()
    for _, bundle in zip(range(options.count), bundles(options.seed)):
        print(json.dumps(bundle))


if __name__ == "__main__":
    main()

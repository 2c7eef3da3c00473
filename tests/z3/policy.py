"""Reads policies and bundles, and refuses what the grammar does. Part of the independent model (model.py)."""
import json

PLAIN, RESOURCE, ORGANIZATION, ENDPOINT = "plain", "resource", "organization", "endpoint"
ELEMENTS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


class Malformed(Exception):
    """IAM refuses the document, or the language leaves it open."""


class Unmodelled(Exception):
    """The model does not know this construct."""


def unique(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise Malformed("a key twice")
    return dict(pairs)


def loads(text):
    return json.loads(text, object_pairs_hook=unique)


def listed(value):
    return value if isinstance(value, list) else [value]


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value)


class Statement:
    def __init__(self, raw, kind, variables):
        check(raw, kind)
        self.raw, self.kind, self.variables = raw, kind, variables
        self.allows = raw["Effect"] == "Allow"
        self.conditions = [
            (operator, key, [text_of(value) for value in listed(values)])
            for operator, block in raw.get("Condition", {}).items() for key, values in block.items()]

    def patterns(self, element):
        """The values of `Action` or `Resource`, and whether they are those excepted."""
        excepted = "Not" + element in self.raw
        return listed(self.raw["Not" + element if excepted else element]), excepted


def check(raw, kind):
    if set(raw) - ELEMENTS or raw.get("Effect") not in ("Allow", "Deny"):
        raise Malformed("not a statement")
    if any((element in raw) == ("Not" + element in raw) for element in ("Action", "Resource")):
        raise Malformed("needs one of Action and NotAction, Resource and NotResource")
    named = "Principal" in raw or "NotPrincipal" in raw
    if named == (kind == PLAIN):
        raise Malformed("a principal where none may stand, or none where one must")
    if kind == ORGANIZATION and (raw.get("Principal") != "*" or raw["Effect"] != "Deny"):
        raise Malformed("not an RCP")
    if "NotPrincipal" in raw and raw["Effect"] == "Allow":
        raise Malformed("NotPrincipal with Allow")


def statements(policy, kind):
    document = policy["document"]
    if isinstance(document, str):
        document = loads(document)
    version = document.get("Version", "2008-10-17")
    if version not in ("2008-10-17", "2012-10-17"):
        raise Malformed("version")
    return [Statement(raw, kind, version == "2012-10-17") for raw in listed(document["Statement"])]


def of_all(policies, kind):
    return [statement for policy in policies for statement in statements(policy, kind)]


class Policies:
    """Every statement that may decide about one principal."""

    def __init__(self, bundle, principal):
        self.scps = [of_all(level, PLAIN) for level in bundle.get("scps") or []]
        self.rcps = [of_all(level, ORGANIZATION) for level in bundle.get("rcps") or []]
        self.identity = optional(principal, "identity")
        self.session = optional(principal, "session")
        boundary = principal.get("boundary")
        self.boundary = statements(boundary, PLAIN) if boundary else None
        self.tables = {table["arn"]: statements(table["policy"], RESOURCE)
                       for table in bundle["tables"] if table.get("policy")}
        self.endpoints = {endpoint["id"]: statements(endpoint["policy"], ENDPOINT)
                          for endpoint in bundle.get("endpoints") or [] if endpoint.get("policy")}

    def all(self):
        groups = self.scps + self.rcps + [self.identity or [], self.session or [], self.boundary or []]
        groups += list(self.tables.values()) + list(self.endpoints.values())
        return [statement for group in groups for statement in group]


def optional(principal, field):
    return of_all(principal[field], PLAIN) if field in principal else None

#!/usr/bin/env python3
"""Writes the worked cases of tests/fixtures/policies.json as seeds: fuzz/seeds.py TARGET FOLDER.

For `bundles` the bundles; for `decisions` each with a request; for `policies` each policy by itself.
"""

import json
import sys


def requests(bundle):
    """The first principal reads the first table: from the internet, and through an endpoint."""
    principal, table = bundle["principals"][0]["arn"], bundle["tables"][0]["arn"]
    asked = {
        "action": "dynamodb:GetItem",
        "principal": "arn:aws:iam::111122223333:role/app" if principal == "*" else principal,
        "resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders" if table == "*" else table,
    }
    vpc = bundle["perimeter"]["vpc"][0]["id"]
    public = {"aws:SourceIp": "203.0.113.10", "aws:ViaAWSService": "false"}
    private = {"aws:SourceVpc": vpc, "aws:SourceVpce": "vpce-0a1", "aws:VpcSourceIp": "10.0.0.10"}
    return [{**asked, "context": context} for context in (public, private)]


def documents(value):
    """Every policy's document in a bundle."""
    if isinstance(value, dict):
        if "document" in value:
            yield value["document"]
        for inner in value.values():
            yield from documents(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from documents(inner)


def seeds(target, bundle):
    if target == "policies":
        return list(documents(bundle))
    if target == "decisions":
        return [{**bundle, "request": request} for request in requests(bundle)]
    return [bundle]


target, folder = sys.argv[1:]
for case in json.load(open("tests/fixtures/policies.json"))["cases"]:
    for n, seed in enumerate(seeds(target, case["bundle"])):
        with open(f"{folder}/{case['id']}-{n}.json", "w") as file:
            json.dump(seed, file)

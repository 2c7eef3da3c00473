"""Condition blocks as formulas of Z3, under either reading. Part of the independent model (model.py).

`may` is the reading that holds wherever the language leaves it open whether a condition does; its opposite holds only
where it surely does.
"""
import ipaddress
import z3

from logic import YES, every, no, some, truth
from perimeter import instant
from policy import Unmodelled
from request import Address, Many, Text, Time, Truth
from strings import ANY, ONE, Variable, by_segment, expression, split, tokens

STRING_OPERATORS = {  # wildcards, case ignored
    "StringEquals": (False, False), "StringEqualsIgnoreCase": (False, True), "StringLike": (True, False)}
OPPOSITES = {
    "StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike", "ArnNotEquals": "ArnLike", "ArnNotLike": "ArnLike", "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals"}
ORDERS = {
    "Equals": lambda a, b: a == b, "LessThan": lambda a, b: a < b, "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b}
ARN_KEYS = {"aws:principalarn", "aws:sourcevpcarn"}


def holds(request, statement, may):
    """Whether the whole block holds."""
    return every([literal(request, statement, *condition, may) for condition in statement.conditions])


def literal(request, statement, operator, key, values, may):
    key = key.lower()
    value = request.key(key)
    quantifier, _, plain = operator.rpartition(":")
    if_exists = plain.endswith("IfExists")
    plain = plain.removesuffix("IfExists")
    if plain == "Null":
        return some([value.present if wanted.lower() == "false" else no(value.present) for wanted in values])
    test = Test(request, statement.variables, key, plain, values)
    if quantifier:
        return over_set(quantifier, value, test, if_exists, may)
    if isinstance(value, Many):
        return truth(may)
    if if_exists or test.negated:
        return every(some(no(value.present), test.of(value, may)), test.resolvable(may))
    return every(value.present, test.of(value, may), test.resolvable(may))


def over_set(quantifier, value, test, if_exists, may):
    slots = value.slots if isinstance(value, Many) else [value]
    if quantifier == "ForAllValues":
        return every([some(no(slot.present), test.of(slot, may)) for slot in slots] + [test.resolvable(may)])
    found = some([every(slot.present, test.of(slot, may)) for slot in slots])
    missing = every(no(value.present), truth(if_exists and may))
    return every(some(found, missing), test.resolvable(may))


class Test:
    """An operator with its policy values, to be tried on values of the request."""

    def __init__(self, request, variables, key, operator, values):
        self.request, self.variables, self.key, self.values = request, variables, key, values
        self.negated = operator in OPPOSITES
        self.operator = OPPOSITES.get(operator, operator)
        self.operator = "ArnLike" if self.operator == "ArnEquals" else self.operator

    def of(self, value, may):
        """Whether the operator holds for a value that is there."""
        if self.negated:
            return no(some([self.equal(value, operand, not may) for operand in self.values]))
        return some([self.equal(value, operand, may) for operand in self.values])

    def resolvable(self, may):
        """A variable without a value may spoil the statement, so that what must hold needs all of them."""
        if may or not self.variables:
            return YES
        return every([self.request.key(variable.key).present
                       for operand in self.values for variable in self.variables_of(operand)])

    def variables_of(self, operand):
        if not self.operator.startswith(("String", "Arn")):
            return []
        return [piece for piece in tokens(operand, True, self.variables)
                if isinstance(piece, Variable) and piece.default is None]

    def equal(self, value, operand, may):
        if isinstance(value, Truth):
            return self.equal_truth(value, operand)
        if isinstance(value, Address) and self.operator == "IpAddress":
            return self.within(value, operand, may)
        if isinstance(value, Time):
            return self.compared(value, operand)
        if isinstance(value, Text) and self.operator in STRING_OPERATORS:
            return self.equal_text(value, operand)
        if isinstance(value, Text) and self.operator == "ArnLike" and self.key in ARN_KEYS:
            return self.like_arn(value, operand, may)
        raise Unmodelled(f"{self.operator} on {self.key}")

    def equal_truth(self, value, operand):
        if self.operator != "Bool" or operand.lower() not in ("true", "false"):
            raise Unmodelled(f"{self.operator} on {self.key}")
        return value.term if operand.lower() == "true" else no(value.term)

    def within(self, value, operand, may):
        try:
            ipaddress.ip_network(operand, strict=False)
        except ValueError:
            return truth(may and self.negated)
        return value.within(operand)

    def compared(self, value, operand):
        kind = next((kind for kind in ("Date", "Numeric") if self.operator.startswith(kind)), None)
        order = ORDERS.get(self.operator.removeprefix(kind or "-"))
        if order is None or (kind == "Numeric") != (self.key == "aws:epochtime"):
            raise Unmodelled(f"{self.operator} on {self.key}")
        return order(value.term, int(operand) if operand.isdigit() else instant(operand))

    def equal_text(self, value, operand):
        wild, any_case = STRING_OPERATORS[self.operator]
        pieces = tokens(operand, wild, self.variables)
        if any(isinstance(piece, Variable) for piece in pieces):
            return self.equal_variable(value, pieces, any_case)
        if any_case or ANY in pieces or ONE in pieces:
            return self.request.strings.test(value.term, expression(pieces, any_case=any_case))
        return self.request.strings.test(value.term, z3.Re("".join(pieces)))

    def equal_variable(self, value, pieces, any_case):
        if any_case or ANY in pieces or ONE in pieces:
            raise Unmodelled("a variable among wildcards")
        terms, present = [], []
        for piece in pieces:
            term, there = self.substitute(piece)
            terms.append(term)
            present.append(there)
        whole = z3.simplify(z3.Concat(*terms)) if len(terms) > 1 else terms[0]
        return every(present + [self.request.strings.equal(value.term, whole)])

    def substitute(self, piece):
        if not isinstance(piece, Variable):
            return z3.StringVal(piece), YES
        value = self.request.key(piece.key)
        if not isinstance(value, Text):
            raise Unmodelled(f"variable {piece.key}")
        if piece.default is None:
            return value.term, value.present
        return z3.If(value.present, value.term, z3.StringVal(piece.default)), YES

    def like_arn(self, value, operand, may):
        pieces = tokens(operand, True, self.variables)
        if any(isinstance(piece, Variable) for piece in pieces):
            raise Unmodelled("a variable in an ARN")
        if len(split(pieces, 6)) < 6:
            return truth(may)
        return self.request.strings.test(value.term, by_segment(split(pieces, 6)))

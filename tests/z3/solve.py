"""Satisfiability of formulas over strings that are only ever tested against regular expressions.

Part of the independent model (model.py). Z3 decides at once whether one string can be in one regular language, and
hardly ever a conjunction of several tests among other constraints. So a formula has a Boolean for each test, and what Z3
finds for it is looked at string by string: is there one that is in these languages and not in those? If not, that choice
is forbidden and Z3 asked again. Strings that are compared with each other, for policy variables, are left to Z3 whole.
"""
import time
import z3

from logic import truth
from strings import intersection


class Clock:
    """Seconds that Z3 has taken."""
    seconds = 0.0

    @classmethod
    def check(cls, solver):
        began = time.perf_counter()
        answer = solver.check()
        cls.seconds += time.perf_counter() - began
        return None if answer == z3.unknown else answer == z3.sat


class Languages:
    """Which intersections of languages are empty; remembered, as bundles ask the same again and again."""
    known = {}

    @classmethod
    def inhabited(cls, language, tests, timeout_ms):
        """Whether a string of the language answers the tests so: `None` where Z3 gave up."""
        key = language.get_id(), frozenset((regex.get_id(), wanted) for regex, wanted in tests)
        if key not in cls.known:
            solver = solver_with(timeout_ms)
            parts = [language] + [regex if wanted else z3.Complement(regex) for regex, wanted in tests]
            solver.add(z3.InRe(z3.String("some"), intersection(parts)))
            # The terms are kept with the answer: else Z3 would give their numbers to others.
            cls.known[key] = Clock.check(solver), language, tests
        return cls.known[key][0]


class Strings:
    """The strings of one request: their languages, and what is asked of them."""

    def __init__(self):
        self.languages, self.tests, self.linked = {}, {}, set()

    def new(self, name, language):
        self.languages[name] = language
        self.tests[name] = []
        return z3.String(name)

    def test(self, term, regex):
        """Whether a string is in a language."""
        if z3.is_string_value(term):
            return settled(z3.simplify(z3.InRe(term, regex)))
        name = term.decl().name()
        if name not in self.languages:
            self.link(term)
            return z3.InRe(term, regex)
        for known, atom in self.tests[name]:
            if known.eq(regex):
                return atom
        atom = z3.Bool(f"{name} test {len(self.tests[name])}")
        self.tests[name].append((regex, atom))
        return atom

    def equal(self, left, right):
        """Whether two strings are the same, of which neither need be known."""
        for one, other in ((left, right), (right, left)):
            if z3.is_string_value(one):
                return self.test(other, z3.Re(one))
        self.link(left)
        self.link(right)
        return left == right

    def link(self, term):
        if term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            self.linked.add(term.decl().name())
        for child in term.children():
            self.link(child)

    def axioms(self):
        """What Z3 must know of strings that are compared with each other."""
        for name in sorted(self.linked & set(self.languages)):
            term = z3.String(name)
            yield z3.InRe(term, self.languages[name])
            for regex, atom in self.tests[name]:
                yield atom == z3.InRe(term, regex)

    def conflict(self, model, timeout_ms):
        """The first choice of tests that no string answers: its clause, and whether that is certain."""
        for name, tests in self.tests.items():
            if name in self.linked:
                continue
            chosen = [(regex, z3.is_true(model[atom]), atom) for regex, atom in tests if model[atom] is not None]
            found = self.inhabited(name, chosen, timeout_ms)
            if not found:
                least = self.least(name, chosen, timeout_ms) if found is False else chosen
                return z3.Or([z3.Not(atom) if wanted else atom for _, wanted, atom in least]), found is False
        return None

    def inhabited(self, name, chosen, timeout_ms):
        return Languages.inhabited(self.languages[name], [(regex, wanted) for regex, wanted, _ in chosen], timeout_ms)

    def least(self, name, chosen, timeout_ms):
        """As few of the tests as are still without an answer."""
        for test in list(chosen):
            fewer = [other for other in chosen if other is not test]
            if self.inhabited(name, fewer, timeout_ms) is False:
                chosen = fewer
        return chosen


def settled(formula):
    return truth(z3.is_true(formula)) if z3.is_true(formula) or z3.is_false(formula) else formula


def solver_with(timeout_ms):
    solver = z3.Solver()
    solver.set("timeout", timeout_ms)
    return solver


def satisfiable(strings, formulas, timeout_ms):
    """Whether the formulas hold of some request: yes, no, or `None` where Z3 gave up."""
    solver, certain = solver_with(timeout_ms), True
    solver.add(*strings.axioms(), *formulas)
    while True:
        found = Clock.check(solver)
        if not found:
            return False if found is False and certain else None
        conflict = strings.conflict(solver.model(), timeout_ms)
        if conflict is None:
            return True
        solver.add(conflict[0])
        certain = certain and conflict[1]

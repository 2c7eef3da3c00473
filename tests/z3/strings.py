"""Patterns of policies as regular expressions of Z3. Part of the independent model (model.py)."""
import functools, re
import z3

STRING = z3.StringSort()
CHARACTER = z3.AllChar(z3.ReSort(STRING))
ANYTHING = z3.Star(CHARACTER)
NO_COLON = z3.Intersect(CHARACTER, z3.Complement(z3.Re(":")))
ANY, ONE = object(), object()
TOKENS = re.compile(r"\$\{([*?$])\}|\$\{([^}]*)\}|([*?])|(.)", re.DOTALL)


class Variable:
    """`${key}` or `${key, 'default'}`."""

    def __init__(self, text):
        key, _, default = text.partition(",")
        self.key = key.strip().lower()
        self.default = default.strip().strip("'") if default else None


def tokens(text, wild, variables):
    """The characters of a pattern, its wildcards and its variables."""
    found = []
    for literal, variable, wildcard, character in (m.groups(default="") for m in TOKENS.finditer(text)):
        if (literal or variable) and not variables:
            return tokens_without_variables(text, wild)
        if literal:
            found.append(literal)
        elif variable:
            found.append(Variable(variable))
        elif wildcard and wild:
            found.append(ANY if wildcard == "*" else ONE)
        else:
            found.append(wildcard or character)
    return found


def tokens_without_variables(text, wild):
    wildcards = {"*": ANY, "?": ONE} if wild else {}
    return [wildcards.get(character, character) for character in text]


def concat(parts):
    parts = list(parts)
    if not parts:
        return z3.Re("")
    return parts[0] if len(parts) == 1 else z3.Concat(*parts)


def union(parts):
    parts = list(parts)
    return parts[0] if len(parts) == 1 else z3.Union(*parts)


def excepting(language, texts):
    """The language without some texts."""
    texts = list(texts)
    return z3.Intersect(language, z3.Complement(union(z3.Re(text) for text in texts))) if texts else language


def intersection(parts):
    parts = list(parts)
    return parts[0] if len(parts) == 1 else z3.Intersect(*parts)


def characters(ranges):
    """One character of `a-z`, `_` and so on, listed without separators: `a-zA-Z_`."""
    return union(z3.Range(low, high or low) for low, high in re.findall(r"(.)(?:-(.))?", ranges, re.DOTALL))


def at_least(count, one):
    return concat([one] * (count - 1) + [z3.Plus(one)]) if count else z3.Star(one)


def expression(pieces, character=CHARACTER, any_case=False):
    """The regular expression of tokens without variables, where a wildcard stands for `character`."""
    parts, literal = [], ""
    for piece in list(pieces) + [None]:
        if isinstance(piece, str) and not any_case:
            literal += piece
            continue
        if literal:
            parts.append(z3.Re(literal))
            literal = ""
        if piece is not None:
            parts.append(one_piece(piece, character))
    return concat(parts)


def one_piece(piece, character):
    if piece is ANY:
        return z3.Star(character)
    if piece is ONE:
        return character
    return union(z3.Re(case) for case in sorted({piece, piece.lower(), piece.upper()}))


def split(pieces, most):
    """Tokens cut at colons, into `most` parts at most."""
    parts = [[]]
    for piece in pieces:
        if piece == ":" and len(parts) < most:
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts


def by_segment(segments):
    """The regular expression of six segments, where only the last may hold colons."""
    parts = []
    for index, segment in enumerate(segments):
        parts += [z3.Re(":")] if index else []
        parts.append(expression(segment, NO_COLON if index < 5 else CHARACTER))
    return concat(parts)


@functools.lru_cache(maxsize=None)
def glob(text):
    """A glob whose `*` crosses everything."""
    return expression(tokens_without_variables(text, True))


@functools.lru_cache(maxsize=None)
def arn_glob(text):
    """A glob of six segments, each matched alone; too short a one is filled up with `*`."""
    segments = split(tokens_without_variables(text, True), 6)
    return by_segment(segments + [[ANY]] * (6 - len(segments)))


@functools.lru_cache(maxsize=None)
def name_glob(text):
    """A glob whose wildcards never cross a colon, as the perimeter's are read."""
    return expression(tokens_without_variables(text, True), NO_COLON)


def matches(text, pattern, any_case=False):
    """Whether a glob without variables matches, told without Z3."""
    wanted = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(wanted, text, re.DOTALL | (re.IGNORECASE if any_case else 0)) is not None

"""And, or and not that see at once what is settled. Part of the independent model (model.py)."""
import z3

YES, NO = z3.BoolVal(True), z3.BoolVal(False)


def truth(flag):
    return YES if flag else NO


def every(*parts):
    return combined(z3.And, parts, YES, NO)


def some(*parts):
    return combined(z3.Or, parts, NO, YES)


def no(part):
    return NO if part is YES else YES if part is NO else z3.Not(part)


def combined(make, parts, neutral, settling):
    """Of arguments, or of one list."""
    parts = parts[0] if len(parts) == 1 and isinstance(parts[0], list) else parts
    kept = [part for part in parts if part is not neutral]
    if any(part is settling for part in kept):
        return settling
    if len(kept) < 2:
        return kept[0] if kept else neutral
    return make(kept)

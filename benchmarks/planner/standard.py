"""The standard set: instances of the project's own, written as files and run like any other, several seeds of each."""


def standard_set(*, budget_seconds: float) -> int:
    return 0

"""Whitespace-separated numbers of an instance file, taken one after the other; complaints name file, line and number."""

import re
import warnings
from pathlib import Path

import numpy as np

from controlplane.planning.reassign.problem import Integers

_NUMBER = re.compile(r"[+-]?\d+")
_MOST = 2**63 - 1


class InstanceError(Exception):
    """A file is not an instance of its format: where, what was wanted and what was found."""


class Tokens:
    """The numbers of a file. Whole, as these formats hold nothing else and up to tens of millions of them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._next = 0
        try:
            self._text = file.read_text(encoding="ascii")
        except OSError as error:
            raise InstanceError(f"{file}: {error.strerror or error}; name a file that can be read") from None
        except UnicodeDecodeError as error:
            raise InstanceError(f"{file}: wanted numbers, found byte {error.object[error.start]:#x} at {error.start}") from None
        self._values = self._numbers()

    def _numbers(self) -> Integers:
        if not self._text.strip():
            return np.zeros(0, dtype=np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return np.fromstring(self._text, dtype=np.int64, sep=" ")
            except (ValueError, DeprecationWarning):
                raise InstanceError(self._complaint(self._text.split())) from None

    def take(self, what: str, *, least: int = 0, most: int = _MOST) -> int:
        """The next number."""
        return int(self.take_many(1, what, least=least, most=most)[0])

    def take_many(self, count: int, what: str, *, least: int = 0, most: int = _MOST) -> Integers:
        """The next numbers, each within the limits."""
        if count > len(self._values) - self._next:
            left = len(self._values) - self._next
            raise InstanceError(f"{self.file}: wanted {count} numbers ({what}), the file ends after {left} of them")
        values = self._values[self._next : self._next + count]
        wrong = np.flatnonzero((values < least) | (values > most))
        if len(wrong):
            at = self._next + int(wrong[0])
            limits = f"at least {least}" if most == _MOST else f"from {least} to {most}"
            raise InstanceError(f"{self.file}:{self._line(at)}: {what}: wanted {limits}, found {self._values[at]}")
        self._next += count
        return values

    def end(self) -> None:
        """Nothing may be left."""
        left = len(self._values) - self._next
        if left:
            line = self._line(self._next)
            raise InstanceError(
                f"{self.file}:{line}: wanted the end of the file, found {left} more numbers, first {self._values[self._next]}"
            )

    def _line(self, number: int) -> int:
        """The line of a number, counted only when something is wrong."""
        for at, match in enumerate(re.finditer(r"\S+", self._text)):
            if at == number:
                return self._text.count("\n", 0, match.start()) + 1
        return self._text.count("\n") + 1

    def _complaint(self, words: list[str]) -> str:
        at = next(n for n, word in enumerate(words) if not _NUMBER.fullmatch(word) or abs(int(word)) > _MOST)
        return f"{self.file}:{self._line(at)}: wanted whole numbers of 64 bits, found {words[at][:40]!r}"

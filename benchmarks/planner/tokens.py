"""Whitespace-separated numbers of an instance file, taken one after the other; complaints name file, line and number."""

import re
import warnings
from itertools import islice
from pathlib import Path

import numpy as np

from controlplane.planning.reassign.problem import Integers

_NUMBER = re.compile(r"[+-]?[0-9]+")
_WORD = re.compile(r"[^ \t\n\r\v\f]+")
"""What stands between blanks as the reader of numbers knows them."""
_DIGITS_OF_MOST = 19
_MOST = 2**63 - 1
_SHOWN = 40


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
            line = error.object.count(b"\n", 0, error.start) + 1
            raise InstanceError(f"{file}:{line}: {_not_ascii(error.object, error.start)}") from None
        self._values = self._numbers()

    def _numbers(self) -> Integers:
        if not self._text.strip():
            return np.zeros(0, dtype=np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return np.fromstring(self._text, dtype=np.int64, sep=" ")
            except (ValueError, DeprecationWarning):
                raise InstanceError(self._complaint()) from None

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
            raise InstanceError(f"{self.file}:{self._line(at)}: {what}: wanted {limits}, found {self._word(at)}")
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
        match = self._match(number)
        return self._text.count("\n", 0, match.start() if match is not None else None) + 1

    def _word(self, number: int) -> str:
        """A number as it is written: the largest there is stands for all that are larger."""
        match = self._match(number)
        return _shortened(match.group()) if match is not None else ""

    def _match(self, number: int) -> re.Match[str] | None:
        return next(islice(_WORD.finditer(self._text), number, None), None)

    def _complaint(self) -> str:
        for number, match in enumerate(_WORD.finditer(self._text)):
            word = match.group()
            if not _NUMBER.fullmatch(word) or len(word.lstrip("+-0")) > _DIGITS_OF_MOST or abs(int(word)) > _MOST:
                return f"{self.file}:{self._line(number)}: wanted whole numbers of 64 bits, found {_shortened(word)!r}"
        return f"{self.file}: wanted whole numbers of 64 bits"


def _shortened(word: str) -> str:
    return word if len(word) <= _SHOWN else f"{word[:_SHOWN]}…"


def _not_ascii(content: bytes, at: int) -> str:
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "wanted numbers, found a byte order mark; save it as plain text without one"
    return f"wanted numbers, found byte {content[at]:#x}"

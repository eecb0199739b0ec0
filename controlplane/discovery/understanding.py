"""From what a server said to facts: each frame to its probe's parser, and to how that probe went. Pure, and never raises.

A probe that answered nothing its parser understands is garbled; one that had to do without root is refused and its facts, which
tell less, still count.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.discovery.frames import Frame
from controlplane.discovery.probe import Family, Probe, Reading
from controlplane.discovery.reading import number, text
from controlplane.discovery.script import CLOCK, OTHER, SHARE_BYTES
from controlplane.model.facts import CATALOGUE, Answer, Fact, ProbeAnswer, Source

_KILLED, _NOT_THERE = (137, 124), 127
_SUDO_SAYS = re.compile(
    r"(?m)^.*(?:a password is required|a terminal is required|must have a tty|no tty present|not allowed to (?:execute|run)"
    r"|not in the sudoers|may not run sudo|incorrect password|sudo: (?:command )?not found|no password was provided).*$"
)
_EXACT_SECONDS, _WHOLE_SECONDS = 0.001, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What one server's frames say."""

    facts: tuple[Fact, ...]
    probes: tuple[ProbeAnswer, ...]
    answer: Answer
    message: str = ""


def understand(
    found: Sequence[Frame],
    probes: Sequence[Probe],
    *,
    observed_at: datetime,
    between: tuple[float, float],
    arrivals: Sequence[tuple[int, float]] = (),
    problem: str = "",
) -> Understood:
    """Facts and answers of these frames; `between`: the controller's clock when it asked and when the first answer came.

    `arrivals`: how many bytes had come after how many seconds. `problem` says why the end is missing, if it is.
    """
    # Of a probe that was asked again, the frame that has an end counts.
    by_name = {frame.name: frame for frame in sorted(found, key=lambda frame: frame.status is not None)}
    family = _family(found)
    facts: list[Fact] = []
    answers: list[ProbeAnswer] = []
    for probe in probes:
        if family is not None and family not in probe.families:
            continue
        frame = by_name.get(probe.name)
        reading = _read(probe, frame.output) if frame is not None else {}
        answer, message = _went(probe, frame, reading, problem)
        if frame is not None or family is not None:
            answers.append(ProbeAnswer(probe=probe.name, answer=answer, seconds=_seconds(frame, arrivals), message=message))
        if answer in {Answer.ANSWERED, Answer.REFUSED}:
            facts += [
                Fact(
                    field=name,
                    value=value,
                    source=Source.SSH,
                    observed_at=observed_at,
                    confidence=probe.confidence,
                    by=probe.name,
                )
                for name, value in reading.items()
                if name in CATALOGUE
            ]
    clock = by_name.get(CLOCK)
    if clock is not None:
        facts += _offset(clock.output, between, observed_at)
    answer, message = _altogether(family, answers, problem)
    if family is None and OTHER in by_name and by_name[OTHER].output.strip():
        answer = Answer.UNSUPPORTED
        message = f"{text(by_name[OTHER].output)[:40]}: no probe speaks to it; known from ledgers and Prometheus only"
    return Understood(facts=_settled(facts), probes=tuple(answers), answer=answer, message=message)


def _seconds(frame: Frame | None, arrivals: Sequence[tuple[int, float]]) -> float:
    """From the arrival of its first byte to that of its last."""
    if frame is None or not arrivals:
        return 0.0
    first, last = (min(bisect_left(arrivals, (place, 0.0)), len(arrivals) - 1) for place in (frame.begins + 1, frame.ends))
    return round(max(0.0, arrivals[last][1] - arrivals[first][1]), 3)


def _read(probe: Probe, output: str) -> Reading:
    try:
        return probe.parse(output)
    except Exception:  # a parser that meets the unforeseen must not cost the other facts
        return {}


def _family(found: Sequence[Frame]) -> Family | None:
    """The system, as the first probe tells it."""
    named = (line.strip() for frame in found if frame.name == "os" for line in frame.output.splitlines())
    return next((Family(line) for line in named if line in set(Family)), None)


def _went(probe: Probe, frame: Frame | None, reading: Reading, problem: str) -> tuple[Answer, str]:
    if frame is None or frame.status is None:
        return (Answer.TIMED_OUT if "deadline" in problem else Answer.FAILED), problem or "no answer came"
    last = frame.complaint.splitlines()[-1][:300] if frame.complaint else ""
    if frame.cut:
        return Answer.GARBLED, f"said more than {SHARE_BYTES // 2**20} MiB"
    if frame.status in _KILLED:
        return Answer.TIMED_OUT, f"did not finish within {probe.seconds} s"
    refused = _SUDO_SAYS.search(frame.complaint) if probe.as_root else None
    if refused:
        return Answer.REFUSED, refused[0].strip()[:300]
    if frame.status == _NOT_THERE and not reading:
        return Answer.ABSENT, ""
    if reading:
        return Answer.ANSWERED, ""
    if frame.status != 0:
        return Answer.FAILED, last or f"ended with {frame.status}"
    return (Answer.GARBLED, "its output is not understood") if frame.output.strip() else (Answer.ABSENT, last)


def _offset(output: str, between: tuple[float, float], observed_at: datetime) -> list[Fact]:
    """This clock minus ours; half of the round trip is what it may be wrong by, a whole second where `date` knows no parts."""
    word = output.strip().split("\n")[0].strip()
    theirs = number(word.rstrip("N.%"), least=1.0, most=1e11)
    asked, heard = between
    if theirs is None or heard < asked:
        return []
    exact = "." in word and word[-1:].isdigit()
    doubt = (heard - asked) / 2 + (_EXACT_SECONDS if exact else _WHOLE_SECONDS / 2)
    value = theirs + (0.0 if exact else _WHOLE_SECONDS / 2) - (asked + heard) / 2
    confidence = 0.95 if doubt < 0.5 else 0.7 if doubt < 2 else 0.4
    return [
        Fact(
            field="ntp.offset_seconds",
            value=round(value, 3),
            source=Source.SSH,
            observed_at=observed_at,
            confidence=confidence,
            by=CLOCK,
        )
    ]


def _settled(facts: list[Fact]) -> tuple[Fact, ...]:
    """One fact for each field: the surer one, of equals the later."""
    best: dict[str, Fact] = {}
    for fact in facts:
        if fact.field not in best or fact.confidence >= best[fact.field].confidence:
            best[fact.field] = fact
    return tuple(best[name] for name in CATALOGUE if name in best)


def _altogether(family: Family | None, answers: Sequence[ProbeAnswer], problem: str) -> tuple[Answer, str]:
    good = [one for one in answers if one.answer in {Answer.ANSWERED, Answer.ABSENT}]
    if family is None and not any(one.answer is Answer.ANSWERED for one in answers):
        return Answer.GARBLED, problem or "what it sent is not what was asked for"
    if len(good) == len(answers) and not problem:
        return Answer.ANSWERED, ""
    bad = [one.probe for one in answers if one not in good]
    told = f"{len(bad)} of {len(answers)} probes: {', '.join(bad[:6])}{', …' if len(bad) > 6 else ''}"
    return Answer.PARTLY, f"{problem}; {told}" if problem else told

"""Takes what a server sent apart into what each probe said. Pure; anything may come in, also half of it."""

import re
from dataclasses import dataclass, replace

from controlplane.discovery.script import COMPLAINT_BYTES, COMPLAINTS, SHARE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What one probe said. `status` None: it never ended before the connection did. `cut`: it said more than its share."""

    name: str
    output: str
    status: int | None
    complaint: str = ""
    cut: bool = False
    begins: int = 0
    ends: int = 0
    """Where in all that was received it lies, in bytes: with the times of arrival that tells how long it took."""


def frames(received: bytes, *, mark: str) -> tuple[Frame, ...]:
    """The frames in order; noise before the first (greetings of a login shell) is left out."""
    begin = f"\n{mark}>".encode()
    found = []
    noise, *pieces = (b"\n" + received).split(begin)
    place = len(noise) - 1
    for piece in pieces:
        begins, place = place, place + len(begin) + len(piece)
        head, _, rest = piece.partition(b"\n")
        body, closed, complaint = rest.partition(f"\n{mark}!".encode())
        if not closed and rest.startswith(f"{mark}!".encode()):
            body, complaint = b"", rest[len(mark) + 1 :]
        status = re.search(rf"{mark}=([0-9]{{1,3}});".encode(), body)
        output = body[: status.start()] + body[status.end() :] if status else body
        found.append(
            Frame(
                name=head.decode("ascii", errors="replace")[:40],
                output=output.decode("utf-8", errors="replace"),
                status=int(status[1]) if status else None,
                complaint=complaint.decode("utf-8", errors="replace").strip(),
                cut=len(output) >= SHARE_BYTES,
                begins=max(begins, 0),
                ends=place,
            )
        )
    return _complained(found, mark)


def _complained(found: list[Frame], mark: str) -> tuple[Frame, ...]:
    """Each with what it complained about, where that came in the frame of those that were asked together."""
    said = "".join(frame.output for frame in found if frame.name == COMPLAINTS)
    pieces = re.split(rf"\n{mark}~(\w{{1,40}});", said)
    by_name = dict(zip(pieces[1::2], pieces[::2], strict=False))  # what stands after the last mark is nobody's
    return tuple(
        replace(frame, complaint=by_name.get(frame.name, "").strip()[-COMPLAINT_BYTES:]) if not frame.complaint else frame
        for frame in found
        if frame.name != COMPLAINTS
    )

"""The parts of `kasumi discover` that bring utilisation over time: sampling over ssh, and an existing Prometheus."""

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from controlplane.cli.output import Format, emit, say
from controlplane.cli.session import Session
from controlplane.connectors.prometheus import Prometheus
from controlplane.connectors.secret_files import read_secret
from controlplane.connectors.server_ssh import Door
from controlplane.discovery.collecting import Means
from controlplane.discovery.sampling import Sampling, sample_all
from controlplane.discovery.utilisation import utilisation
from controlplane.errors import ExitCode
from controlplane.model.estate import Server
from controlplane.model.series import Series

SAMPLED_COLUMNS = ("server", "got", "wanted", "problem")
SERIES_COLUMNS = ("server", "dimension", "samples", "missing", "from", "to")


def sample(session: Session, doors: Mapping[str, Door], means: Means, sampling: Sampling, output: Format) -> ExitCode:
    """Sample servers until the time is over or somebody interrupts; what was got by then is kept."""
    estate, store = session.estate.id, session.store
    say(
        f"sampling {len(doors)} servers every {sampling.every_seconds} s for {sampling.seconds:.0f} s; Ctrl-C ends it and keeps all"
    )
    stop = threading.Event()
    with _interruptible(stop):
        found = sample_all(doors, means, sampling, keep=lambda series: store.series.append(estate, series), stop=stop)
    rows = [{"server": one.server, "got": one.got, "wanted": one.wanted, "problem": one.problem} for one in found]
    emit("samples", rows, SAMPLED_COLUMNS, output)
    got, wanted = sum(one.got for one in found), sum(one.wanted for one in found)
    say(f"discover: {got} of {wanted} samples of {len(found)} servers kept")
    if stop.is_set():
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if got == wanted else ExitCode.PARTLY_FAILED


def from_prometheus(
    session: Session, servers: Sequence[Server], url: str, *, token_file: Path | None, days: float, every: int, output: Format
) -> ExitCode:
    """Take what a Prometheus has kept of these servers."""
    token = read_secret(token_file) if token_file is not None else ""
    end = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) // every * every, UTC)
    # All servers are needed to tell whose a series is, also where only some are asked for.
    asked = utilisation(
        Prometheus(url, token=token), tuple(session.estate.servers.values()), end=end, days=days, step_seconds=every
    )
    wanted = {server.id for server in servers}
    found = tuple(one for one in asked.series if one.server in wanted)
    doubts = [f"{server}: {why}" for server, why in asked.doubts if server in wanted]
    session.store.series.append(session.estate.id, found)
    emit("series", [_shown(one) for one in found], SERIES_COLUMNS, output)
    for doubt in doubts:
        say(f"warning: {doubt}")
    known = {one.server for one in found}
    absent = [server.id for server in servers if server.id not in known]
    told = f"; nothing of {', '.join(absent[:8])}{', …' if len(absent) > 8 else ''}" if absent else ""
    say(f"discover: {len(found)} series of {len(known)} servers from {url}{told}")
    return ExitCode.FAILED if not known else ExitCode.PARTLY_FAILED if doubts else ExitCode.DONE


def _shown(one: Series) -> dict[str, object]:
    missing = sum(1 for value in one.values if value != value)  # noqa: PLR0124 (NaN alone differs from itself)
    last = datetime.fromtimestamp(one.started_at.timestamp() + (len(one.values) - 1) * one.step_seconds, UTC)
    return {
        "server": one.server, "dimension": one.dimension.value, "samples": len(one.values) - missing, "missing": missing,
        "from": one.started_at.isoformat(), "to": last.isoformat(),
    }  # fmt: skip


@contextmanager
def _interruptible(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the sampling in good order."""

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

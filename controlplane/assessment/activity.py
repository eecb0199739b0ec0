"""Whether anybody uses a server: idle by its load, a ghost by what others say of it.

Both are suspicions with their ground, never a verdict: what to do about them is `disposition`'s.
"""

from collections.abc import Iterable

from controlplane.assessment.functions import outside_listeners
from controlplane.assessment.truth import ServerTruth
from controlplane.model.assessment import Dependency, Measured
from controlplane.model.facts import Answer
from controlplane.model.series import Dimension

IDLE_TYPICAL_SHARE = 0.05
IDLE_PEAK_SHARE = 0.25
"""Of its cores: housekeeping, backup and monitoring stay below."""
IDLE_NETWORK_BYTES_PER_SECOND = 2_048
_LOGIN_PORT = 22
"""The controller itself comes this way."""
_NOT_FOUND = frozenset({Answer.UNREACHABLE, Answer.TIMED_OUT})


def is_idle(truth: ServerTruth, measurements: Iterable[Measured], dependencies: Iterable[Dependency]) -> bool | None:
    """True when its load is that of an empty server and nobody is connected; None when load or connections are not known."""
    by_name = {one.dimension: one for one in measurements if one.samples}
    cpu, cores = by_name.get(Dimension.CPU_CORES), truth.value("cpu.count")
    if cpu is None or not isinstance(cores, int) or cores <= 0 or "connections" not in truth.fields:
        return None
    busy = max(cpu.typical, cpu.typical_outside) > IDLE_TYPICAL_SHARE * cores or cpu.peak > IDLE_PEAK_SHARE * cores
    network = by_name.get(Dimension.NETWORK_BYTES_PER_SECOND)
    talks = network is not None and max(network.typical, network.typical_outside) > IDLE_NETWORK_BYTES_PER_SECOND
    return not busy and not talks and not used_by(truth.server, dependencies)


def used_by(server: str, dependencies: Iterable[Dependency]) -> tuple[str, ...]:
    """Who was seen using a server, or is declared to, login aside."""
    return tuple(sorted({one.client for one in dependencies if one.server == server and one.port != _LOGIN_PORT}))


def ghost_reason(truth: ServerTruth, dependencies: Iterable[Dependency]) -> str:
    """Why a server is a ghost, or empty: declared and not found, or found and nobody talks with it."""
    mine = [one for one in dependencies if truth.server in {one.client, one.server} and one.port != _LOGIN_PORT]
    if truth.answer in _NOT_FOUND:
        if any(one.evidence != "declared" for one in mine):
            return ""
        said = f" ({truth.message})" if truth.message else ""
        return f"declared, but it does not answer{said} and nobody was seen talking to it"
    if truth.was_seen and "connections" in truth.fields and not mine:
        serves = any(item.get("port") != _LOGIN_PORT for item in outside_listeners(truth))
        what = (
            "nobody talks to it"
            if serves or "listeners" not in truth.fields
            else "it serves nothing but login, nobody talks to it"
        )
        return f"it answers, but {what} and it talks to nobody"
    return ""

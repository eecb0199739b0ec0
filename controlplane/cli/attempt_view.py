"""How an attempt to converge reads: what was left or failed, then one sentence."""

from controlplane.cli.output import print_table, say
from controlplane.execution.apply import Attempt
from controlplane.execution.converge import Convergence
from controlplane.model.drift import Drift, Outcome, Result

DRIFT_COLUMNS = ("host", "subject", "what", "wanted", "found", "action")


def drift_record(drift: Drift) -> dict[str, object]:
    """One difference as a record for every output format."""
    return {
        "host": drift.host,
        "subject": drift.subject,
        "what": drift.what,
        "wanted": drift.wanted,
        "found": drift.found,
        "action": drift.action.value,
    }


def outcome_record(outcome: Outcome) -> dict[str, object]:
    """One outcome as a record: its difference, how it ended, and why."""
    return drift_record(outcome.drift) | {
        "result": outcome.result.value,
        "message": outcome.message,
        "seconds": round(outcome.duration_seconds, 2),
    }


def show_attempt(attempt: Attempt, *, verb: str, machines: int, seconds: float) -> None:
    """Print what was done and left as a table, unreachable hosts, and the sentence that sums it up."""
    done = attempt.convergence
    if done.outcomes:
        print_table(
            (*DRIFT_COLUMNS, "result"),
            [[str(outcome_record(outcome)[column]) for column in (*DRIFT_COLUMNS, "result")] for outcome in done.outcomes],
        )
    for line in dict.fromkeys(
        _why(outcome) for outcome in done.outcomes if outcome.message and outcome.result is not Result.DONE
    ):
        say(line)
    for host, why in sorted(done.unreachable.items()):
        say(f"host {host} not reached: {why}")
    say(sentence(attempt, verb=verb, machines=machines, seconds=seconds))


def _why(outcome: Outcome) -> str:
    """Differences of one machine often fail of one cause, and its text may name the machine already."""
    said = outcome.message
    return (
        said
        if said.startswith(f"machine {outcome.drift.subject}")
        else f"{outcome.drift.subject} on {outcome.drift.host}: {said}"
    )


def sentence(attempt: Attempt, *, verb: str, machines: int, seconds: float) -> str:
    """What one attempt did, in one line."""
    done = attempt.convergence
    counts = {result: sum(1 for outcome in done.outcomes if outcome.result is result) for result in Result}
    hosts = len(done.observation.hosts)
    parts = [_done_text(done)]
    parts += [f"{counts[result]} {result.value}" for result in (Result.FAILED, Result.UNREACHABLE, Result.LEFT) if counts[result]]
    reached = hosts - len(done.unreachable)
    foreign = f"{attempt.foreign} foreign machines left alone"
    return (
        f"{verb}: {', '.join(parts)}; {machines} machines planned, {reached} of {hosts} hosts reached, {foreign}; {seconds:.1f} s"
    )


def _done_text(done: Convergence) -> str:
    if done.changed:
        return f"{done.changed} done"
    return "no host to look at" if len(done.unreachable) == len(done.observation.hosts) else "nothing to do"

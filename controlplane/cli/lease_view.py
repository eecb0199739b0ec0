"""How leases that ended or end soon are told."""

from collections.abc import Mapping
from datetime import UTC, datetime

from controlplane.cli.output import say
from controlplane.model.finding import Severity
from controlplane.model.lease import Lease
from controlplane.planning.leases import standings, told


def say_leases(leases: Mapping[str, Lease]) -> None:
    """A warning for each lease that a person should hear of."""
    for standing in told(leases, datetime.now(UTC).date()):
        say(f"{Severity.WARNING.value}: {standing}")


def lease_records(leases: Mapping[str, Lease]) -> list[dict[str, object]]:
    """Every lease as a record for every output format."""
    return [
        {
            "machine": each.machine,
            "until": each.lease.until.isoformat(),
            "at_end": each.lease.at_end.value,
            "state": each.state.value,
            "days": each.days,
        }
        for each in standings(leases, datetime.now(UTC).date())
    ]

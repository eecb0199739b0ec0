"""Observing 1,000 domains, and a whole no-op look for drift, against libvirt's bulk calls, without and with definitions.

No bulk call tells ownership marks, network cards and persistent settings; they are in the definitions, one call for each.
"""

import libvirt

from benchmarks.thousand import socket_uri, thousand_domains
from benchmarks.timing import least_seconds, report
from controlplane.execution.drift import Memory, differences
from controlplane.model.observed import Observation
from controlplane.providers.opening import open_provider


def main() -> None:
    """Print both ratios."""
    with thousand_domains() as (connection, plan):
        provider = open_provider("hv1", socket_uri(), plan.hosts[0].pool, estate=plan.estate)

        def raw() -> None:
            connection.getAllDomainStats(0, 0)

        def raw_bulk() -> None:
            connection.listAllDomains()
            connection.getAllDomainStats(0, 0)
            connection.listAllNetworks()

        def raw_definitions() -> None:
            raw_bulk()
            for domain in connection.listAllDomains():
                domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

        def look() -> None:
            seen = provider.observe()
            drift = differences(plan, Observation(hosts={"hv1": seen}), Memory())
            if {item.what for item in drift} != {"state"}:
                raise AssertionError(f"wanted stopped machines only, found {drift[:3]}")

        provider.observe()
        observing, looking, one_call, bulk, whole = least_seconds(
            provider.observe, look, raw, raw_bulk, raw_definitions, rounds=5
        )
        report("observe 1,000 stopped domains", observing, "one getAllDomainStats", one_call, "none")
        report("observe and compare with the plan", looking, "the raw bulk calls", bulk, "at most 1.5")
        report("observe and compare with the plan", looking, "the raw bulk calls and 1,000 definitions", whole, "at most 1.5")
        provider.close()


if __name__ == "__main__":
    main()

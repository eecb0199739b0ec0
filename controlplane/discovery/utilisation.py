"""Utilisation that a Prometheus has kept already: one table of PromQL, by exporter and dimension, and series from its answers.

A server is recognised by its `instance` label: the address or id before the port. libvirt exporters name a guest in `domain`.
What may be one of several servers, or one of several series of a server, is told and not taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import numpy as np

from controlplane.connectors.prometheus import Prometheus, Ranged
from controlplane.model.estate import Server
from controlplane.model.facts import Source
from controlplane.model.series import Dimension, Series

_NODE_DISK = '{device=~"[shv]d[a-z]+|xvd[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+"}'
_NODE_NET = '{device!~"lo|docker.*|veth.*|br-.*|virbr.*|vnet.*|tap.*"}'
_NODE_FS = '{fstype!~"tmpfs|devtmpfs|squashfs|iso9660|nfs.*|cifs|overlay|fuse.*|ramfs"}'
_MIB = "/ 1048576"
_MOST = 1e15
"""Of anything here; what is beyond is no measurement, and would not fit the numbers that series hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression; `window` in it becomes the time a rate is taken over. `label` names the server in its answer."""

    exporter: str
    dimension: Dimension
    expression: str
    label: str = "instance"

    def text(self, step_seconds: int) -> str:
        """The expression for a step: a rate looks at four scrapes at least."""
        return self.expression.replace("WINDOW", f"{max(step_seconds, 240)}s")


_CPU, _MEMORY, _DISK_USED = Dimension.CPU_CORES, Dimension.MEMORY_USED_MIB, Dimension.DISK_USED_MIB
_OPERATIONS, _DISK_BYTES = Dimension.DISK_OPERATIONS_PER_SECOND, Dimension.DISK_BYTES_PER_SECOND
_NETWORK = Dimension.NETWORK_BYTES_PER_SECOND

QUERIES = tuple(
    Query(exporter=exporter, dimension=dimension, expression=expression, label=label)
    for exporter, label, rows in (
        (
            "node_exporter",
            "instance",
            (
                (_CPU, 'sum by (instance, job) (rate(node_cpu_seconds_total{mode!~"idle|iowait"}[WINDOW]))'),
                (
                    _MEMORY,
                    (
                        "sum by (instance, job) (node_memory_MemTotal_bytes - node_memory_MemFree_bytes - node_memory_Buffers_bytes "
                        f"- node_memory_Cached_bytes - node_memory_SReclaimable_bytes + node_memory_Shmem_bytes) {_MIB}"
                    ),
                ),
                (
                    _DISK_USED,
                    (
                        "sum by (instance, job) (max by (instance, job, device) "
                        f"(node_filesystem_size_bytes{_NODE_FS} - node_filesystem_free_bytes{_NODE_FS})) {_MIB}"
                    ),
                ),
                (
                    _OPERATIONS,
                    (
                        f"sum by (instance, job) (rate(node_disk_reads_completed_total{_NODE_DISK}[WINDOW]) "
                        f"+ rate(node_disk_writes_completed_total{_NODE_DISK}[WINDOW]))"
                    ),
                ),
                (
                    _DISK_BYTES,
                    (
                        f"sum by (instance, job) (rate(node_disk_read_bytes_total{_NODE_DISK}[WINDOW]) "
                        f"+ rate(node_disk_written_bytes_total{_NODE_DISK}[WINDOW]))"
                    ),
                ),
                (
                    _NETWORK,
                    (
                        f"sum by (instance, job) (rate(node_network_receive_bytes_total{_NODE_NET}[WINDOW]) "
                        f"+ rate(node_network_transmit_bytes_total{_NODE_NET}[WINDOW]))"
                    ),
                ),
            ),
        ),
        (
            "windows_exporter",
            "instance",
            (
                (_CPU, 'sum by (instance, job) (rate(windows_cpu_time_total{mode!="idle"}[WINDOW]))'),
                (
                    _MEMORY,
                    (
                        "sum by (instance, job) (windows_cs_physical_memory_bytes - windows_memory_available_bytes "
                        f"or windows_memory_physical_total_bytes - windows_memory_available_bytes) {_MIB}"
                    ),
                ),
                (
                    _DISK_USED,
                    (
                        'sum by (instance, job) (windows_logical_disk_size_bytes{volume=~"[A-Z]:"} '
                        f'- windows_logical_disk_free_bytes{{volume=~"[A-Z]:"}}) {_MIB}'
                    ),
                ),
                (
                    _OPERATIONS,
                    (
                        'sum by (instance, job) (rate(windows_logical_disk_reads_total{volume=~"[A-Z]:"}[WINDOW]) '
                        '+ rate(windows_logical_disk_writes_total{volume=~"[A-Z]:"}[WINDOW]))'
                    ),
                ),
                (
                    _DISK_BYTES,
                    (
                        'sum by (instance, job) (rate(windows_logical_disk_read_bytes_total{volume=~"[A-Z]:"}[WINDOW]) '
                        '+ rate(windows_logical_disk_write_bytes_total{volume=~"[A-Z]:"}[WINDOW]))'
                    ),
                ),
                (_NETWORK, "sum by (instance, job) (rate(windows_net_bytes_total[WINDOW]))"),
            ),
        ),
        (
            "libvirt",
            "domain",
            (
                (_CPU, "sum by (instance, job, domain) (rate(libvirt_domain_info_cpu_time_seconds_total[WINDOW]))"),
                (
                    _MEMORY,
                    (
                        "sum by (instance, job, domain) (libvirt_domain_memory_stats_available_bytes - libvirt_domain_memory_stats_usable_bytes) "
                        f"{_MIB}"
                    ),
                ),
                (
                    _OPERATIONS,
                    (
                        "sum by (instance, job, domain) (rate(libvirt_domain_block_stats_read_requests_total[WINDOW]) "
                        "+ rate(libvirt_domain_block_stats_write_requests_total[WINDOW]))"
                    ),
                ),
                (
                    _DISK_BYTES,
                    (
                        "sum by (instance, job, domain) (rate(libvirt_domain_block_stats_read_bytes_total[WINDOW]) "
                        "+ rate(libvirt_domain_block_stats_write_bytes_total[WINDOW]))"
                    ),
                ),
                (
                    _NETWORK,
                    (
                        "sum by (instance, job, domain) (rate(libvirt_domain_interface_stats_receive_bytes_total[WINDOW]) "
                        "+ rate(libvirt_domain_interface_stats_transmit_bytes_total[WINDOW]))"
                    ),
                ),
            ),
        ),
    )
    for dimension, expression in rows
)
"""What an operating system says of itself comes before what its hypervisor sees: the first that knows a server counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """The series found; `doubts` name servers for which it is not clear which series is theirs, and why."""

    series: tuple[Series, ...]
    doubts: tuple[tuple[str, str], ...]


def utilisation(
    prometheus: Prometheus, servers: Sequence[Server], *, end: datetime, days: float, step_seconds: int
) -> Utilisation:
    """Series of these servers over the days before `end`. Raises UnreachableError, KasumiError."""
    start = end - timedelta(days=days)
    found: dict[tuple[str, Dimension], Series] = {}
    doubts: dict[tuple[str, str], None] = {}
    for query in QUERIES:
        answers = prometheus.ranged(query.text(step_seconds), start=start, end=end, step_seconds=step_seconds)
        for server, (rank, theirs) in _by_server(query, [one for one in answers if one.values], servers).items():
            if (server, query.dimension) in found:
                continue
            names = sorted({_named(query, one) for one in theirs})
            if not names or (rank and len(names) > 1):
                what = f"may be any of {', '.join(names[:3])}" if names else "shares its name with another server"
                doubts[server, f"{what}, not read; make the exporter's `instance` its address or id"] = None
            else:
                found[server, query.dimension] = _series(server, query.dimension, _joined(theirs), step_seconds)
    series = tuple(found[key] for key in sorted(found, key=lambda key: (key[0], key[1].value)))
    return Utilisation(series=series, doubts=tuple(doubts))


def _joined(series: Sequence[Ranged]) -> Mapping[int, float]:
    """Values of one exporter that several jobs scraped, at once or one after the other: the fullest counts where both speak."""
    values: dict[int, float] = {}
    for one in sorted(series, key=lambda one: len(one.values)):
        values |= one.values
    return values


def _by_server(query: Query, answers: Sequence[Ranged], servers: Sequence[Server]) -> dict[str, tuple[int, list[Ranged]]]:
    """Server to the series that name it best, and how well; no series where they name another server just as well."""
    meant = _Meant(servers)
    best: dict[str, tuple[int, list[Ranged]]] = {}
    for one in answers:
        ranks = meant.by_domain(one) if query.label == "domain" else meant.by_instance(one)
        nearest = min(ranks.values(), default=0)
        named = [server for server, rank in ranks.items() if rank == nearest]
        for server in named:
            rank, listed = best.get(server, (nearest, []))
            if nearest <= rank:
                best[server] = nearest, [*(listed if nearest == rank else ()), *([one] if len(named) == 1 else ())]
    return best


class _Meant:
    """Which servers a series may be of, by id: 0 where its labels name the server itself, 1 where they only name one like it."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._ids = {server.id for server in servers}
        self._exact = {server.id: server.id for server in servers} | {
            server.address: server.id for server in servers if server.address
        }
        self._domains: dict[str, list[Server]] = {}
        for server in servers:
            if server.source is not None:
                self._domains.setdefault(server.source.domain, []).append(server)

    def by_instance(self, one: Ranged) -> dict[str, int]:
        """An address or an id; of a full host name the first part."""
        host = _host(one.labels.get("instance", ""))
        if host in self._exact:
            return {self._exact[host]: 0}
        first = host.partition(".")[0]
        return {first: 1} if first in self._ids and not host.replace(".", "").isdecimal() else {}

    def by_domain(self, one: Ranged) -> dict[str, int]:
        """A guest's name is its host's own: the same name on another host is another guest."""
        host = _host(one.labels.get("instance", ""))
        return {
            server.id: int(server.source is None or urlsplit(server.source.uri).hostname != host)
            for server in self._domains.get(one.labels.get("domain", ""), ())
        }


def _host(instance: str) -> str:
    """What stands before the port."""
    host = instance.rpartition(":")[0] if instance.rpartition(":")[2].isdecimal() else instance
    return host.strip("[]").lower()


def _named(query: Query, one: Ranged) -> str:
    """A series by the labels that name it."""
    instance = one.labels.get("instance", "")
    return instance if query.label == "instance" else f"{one.labels.get(query.label, '')} of {instance}"


def _series(server: str, dimension: Dimension, told: Mapping[int, float], step_seconds: int) -> Series:
    first, last = min(told), max(told)
    values = np.full((last - first) // step_seconds + 1, np.nan, dtype=np.float32)
    for at, value in told.items():
        if 0 <= value <= _MOST:
            values[(at - first) // step_seconds] = value
    return Series(
        server=server, dimension=dimension, source=Source.PROMETHEUS, started_at=datetime.fromtimestamp(first, UTC),
        step_seconds=step_seconds, values=values,
    )  # fmt: skip

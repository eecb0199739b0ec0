"""Utilisation that a Prometheus has kept already: one table of PromQL, by exporter and dimension, and series from its answers.

A server is recognised by its `instance` label: the address or id before the port. libvirt exporters name a guest in `domain`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from controlplane.connectors.prometheus import Prometheus, Ranged
from controlplane.model.estate import Server
from controlplane.model.facts import Source
from controlplane.model.series import Dimension, Series

_NODE_DISK = '{device=~"[shv]d[a-z]+|xvd[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+"}'
_NODE_NET = '{device!~"lo|docker.*|veth.*|br-.*|virbr.*|vnet.*|tap.*"}'
_NODE_FS = '{fstype!~"tmpfs|devtmpfs|squashfs|iso9660|nfs.*|cifs|overlay|fuse.*|ramfs"}'
_MIB = "/ 1048576"


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
                (_CPU, 'sum by (instance) (rate(node_cpu_seconds_total{mode!~"idle|iowait"}[WINDOW]))'),
                (
                    _MEMORY,
                    (
                        "sum by (instance) (node_memory_MemTotal_bytes - node_memory_MemFree_bytes - node_memory_Buffers_bytes "
                        f"- node_memory_Cached_bytes - node_memory_SReclaimable_bytes + node_memory_Shmem_bytes) {_MIB}"
                    ),
                ),
                (
                    _DISK_USED,
                    (
                        "sum by (instance) (max by (instance, device) "
                        f"(node_filesystem_size_bytes{_NODE_FS} - node_filesystem_free_bytes{_NODE_FS})) {_MIB}"
                    ),
                ),
                (
                    _OPERATIONS,
                    (
                        f"sum by (instance) (rate(node_disk_reads_completed_total{_NODE_DISK}[WINDOW]) "
                        f"+ rate(node_disk_writes_completed_total{_NODE_DISK}[WINDOW]))"
                    ),
                ),
                (
                    _DISK_BYTES,
                    (
                        f"sum by (instance) (rate(node_disk_read_bytes_total{_NODE_DISK}[WINDOW]) "
                        f"+ rate(node_disk_written_bytes_total{_NODE_DISK}[WINDOW]))"
                    ),
                ),
                (
                    _NETWORK,
                    (
                        f"sum by (instance) (rate(node_network_receive_bytes_total{_NODE_NET}[WINDOW]) "
                        f"+ rate(node_network_transmit_bytes_total{_NODE_NET}[WINDOW]))"
                    ),
                ),
            ),
        ),
        (
            "windows_exporter",
            "instance",
            (
                (_CPU, 'sum by (instance) (rate(windows_cpu_time_total{mode!="idle"}[WINDOW]))'),
                (
                    _MEMORY,
                    (
                        "sum by (instance) (windows_cs_physical_memory_bytes - windows_memory_available_bytes "
                        f"or windows_memory_physical_total_bytes - windows_memory_available_bytes) {_MIB}"
                    ),
                ),
                (
                    _DISK_USED,
                    (
                        'sum by (instance) (windows_logical_disk_size_bytes{volume=~"[A-Z]:"} '
                        f'- windows_logical_disk_free_bytes{{volume=~"[A-Z]:"}}) {_MIB}'
                    ),
                ),
                (
                    _OPERATIONS,
                    (
                        'sum by (instance) (rate(windows_logical_disk_reads_total{volume=~"[A-Z]:"}[WINDOW]) '
                        '+ rate(windows_logical_disk_writes_total{volume=~"[A-Z]:"}[WINDOW]))'
                    ),
                ),
                (
                    _DISK_BYTES,
                    (
                        'sum by (instance) (rate(windows_logical_disk_read_bytes_total{volume=~"[A-Z]:"}[WINDOW]) '
                        '+ rate(windows_logical_disk_write_bytes_total{volume=~"[A-Z]:"}[WINDOW]))'
                    ),
                ),
                (_NETWORK, "sum by (instance) (rate(windows_net_bytes_total[WINDOW]))"),
            ),
        ),
        (
            "libvirt",
            "domain",
            (
                (_CPU, "sum by (domain) (rate(libvirt_domain_info_cpu_time_seconds_total[WINDOW]))"),
                (
                    _MEMORY,
                    (
                        "sum by (domain) (libvirt_domain_memory_stats_available_bytes - libvirt_domain_memory_stats_usable_bytes) "
                        f"{_MIB}"
                    ),
                ),
                (
                    _OPERATIONS,
                    (
                        "sum by (domain) (rate(libvirt_domain_block_stats_read_requests_total[WINDOW]) "
                        "+ rate(libvirt_domain_block_stats_write_requests_total[WINDOW]))"
                    ),
                ),
                (
                    _DISK_BYTES,
                    (
                        "sum by (domain) (rate(libvirt_domain_block_stats_read_bytes_total[WINDOW]) "
                        "+ rate(libvirt_domain_block_stats_write_bytes_total[WINDOW]))"
                    ),
                ),
                (
                    _NETWORK,
                    (
                        "sum by (domain) (rate(libvirt_domain_interface_stats_receive_bytes_total[WINDOW]) "
                        "+ rate(libvirt_domain_interface_stats_transmit_bytes_total[WINDOW]))"
                    ),
                ),
            ),
        ),
    )
    for dimension, expression in rows
)
"""What an operating system says of itself comes before what its hypervisor sees: the first that knows a server counts."""


def utilisation(
    prometheus: Prometheus, servers: Sequence[Server], *, end: datetime, days: float, step_seconds: int
) -> tuple[Series, ...]:
    """Series of these servers over the days before `end`. Raises UnreachableError, KasumiError."""
    by_name = _names(servers)
    start = end - timedelta(days=days)
    found: dict[tuple[str, Dimension], Series] = {}
    for query in QUERIES:
        for one in prometheus.ranged(query.text(step_seconds), start=start, end=end, step_seconds=step_seconds):
            server = by_name.get(_server_name(one.labels.get(query.label, "")))
            if server is None or not one.values or (server, query.dimension) in found:
                continue
            found[server, query.dimension] = _series(server, query.dimension, one, step_seconds)
    return tuple(found[key] for key in sorted(found, key=lambda key: (key[0], key[1].value)))


def _names(servers: Sequence[Server]) -> Mapping[str, str]:
    names = {server.id: server.id for server in servers}
    names |= {server.address: server.id for server in servers if server.address}
    return names | {server.source.domain: server.id for server in servers if server.source is not None}


def _server_name(label: str) -> str:
    """Before the port, and of a full host name its first part; an address stays whole."""
    host = label.rpartition(":")[0] if label.rpartition(":")[2].isdecimal() else label
    host = host.strip("[]").lower()
    return host if not host.partition(".")[2] or host.replace(".", "").isdecimal() else host.partition(".")[0]


def _series(server: str, dimension: Dimension, one: Ranged, step_seconds: int) -> Series:
    first, last = min(one.values), max(one.values)
    values = np.full((last - first) // step_seconds + 1, np.nan, dtype=np.float32)
    for at, value in one.values.items():
        if value >= 0:
            values[(at - first) // step_seconds] = value
    return Series(
        server=server, dimension=dimension, source=Source.PROMETHEUS, started_at=datetime.fromtimestamp(first, UTC),
        step_seconds=step_seconds, values=values,
    )  # fmt: skip

"""Which provider serves a host, by the scheme of its URI."""

from controlplane.model.estate import StoragePool
from controlplane.providers.libvirt import LibvirtProvider
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_source import LibvirtSourceHost
from controlplane.providers.protocol import CopyHost, Provider
from controlplane.providers.source import SourceHost


def open_provider(host: str, uri: str, pool: StoragePool, *, estate: str, ssh_config: str = "") -> Provider:
    """The provider of a host; connects at first use. Raises KasumiError for a URI that is not served or not safe."""
    return open_copy_host(host, uri, pool, estate=estate, ssh_config=ssh_config)


def open_copy_host(host: str, uri: str, pool: StoragePool, *, estate: str, ssh_config: str = "") -> CopyHost:
    """The same, for a host that takes in a migrated disk."""
    return LibvirtProvider(host, Connection(uri, ssh_config=ssh_config), pool, estate=estate)


def open_source_host(uri: str, *, ssh_config: str = "") -> SourceHost:
    """The old host of a migration."""
    return LibvirtSourceHost(Connection(uri, ssh_config=ssh_config))

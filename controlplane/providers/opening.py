"""Which provider serves a host, by the scheme of its URI."""

from pathlib import Path
from typing import TYPE_CHECKING

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.cloud import CloudPool, CloudUriError, cloud_pool, is_cloud
from controlplane.model.estate import StoragePool
from controlplane.model.tenancy import CloudPolicy
from controlplane.providers.libvirt import LibvirtProvider
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_source import LibvirtSourceHost
from controlplane.providers.protocol import CopyHost, DrainHost, Provider
from controlplane.providers.source import SourceHost
from controlplane.providers.tenancy import TenancyHost

if TYPE_CHECKING:
    from controlplane.providers.openstack_cloud import Cloud


def open_provider(host: str, uri: str, pool: StoragePool, *, estate: str, ssh_config: str = "") -> Provider:
    """The provider of a host; connects at first use. Raises KasumiError for a URI that is not served or not safe."""
    if is_cloud(uri):
        # Loaded for those who have a cloud alone: it takes a third of a second, on every command.
        from controlplane.providers.openstack import OpenStackProvider  # noqa: PLC0415

        return OpenStackProvider(host, _cloud(host, uri), estate=estate)
    return LibvirtProvider(host, Connection(uri, ssh_config=ssh_config), pool, estate=estate)


def open_drain_host(host: str, uri: str, *, estate: str) -> DrainHost:
    """The same, for a host of several hypervisors that places by itself."""
    if not is_cloud(uri):
        raise RefusedError(f"host {host} on {uri}: it is a hypervisor itself; leave --hypervisor out")
    from controlplane.providers.openstack import OpenStackProvider  # noqa: PLC0415

    return OpenStackProvider(host, _cloud(host, uri), estate=estate)


def open_copy_host(host: str, uri: str, pool: StoragePool, *, estate: str, ssh_config: str, copies: Path) -> CopyHost:
    """The same, for a host that takes in a migrated disk; `copies`: where disks for a cloud are gathered on this controller."""
    if is_cloud(uri):
        from controlplane.providers.openstack_copy_host import OpenStackCopyHost  # noqa: PLC0415

        return OpenStackCopyHost(host, _cloud(host, uri), estate=estate, copies=copies)
    return LibvirtProvider(host, Connection(uri, ssh_config=ssh_config), pool, estate=estate)


def open_tenancy(policy: CloudPolicy, *, estate: str) -> TenancyHost:
    """Who makes ministries' projects in a cloud, as its administrator."""
    from controlplane.providers.openstack_tenancy import OpenStackTenancy  # noqa: PLC0415

    return OpenStackTenancy(_entry(policy.administrator), policy, estate=estate)


def project_of_login(entry: str) -> str:
    """The id of the project that an entry of clouds.yaml leads to. Raises KasumiError where there is none or it lets nobody in."""
    from controlplane.providers.openstack_tenancy import project_of  # noqa: PLC0415

    cloud = _entry(entry)
    try:
        return project_of(cloud, f"entry {entry} of clouds.yaml")
    finally:
        cloud.close()


def _entry(name: str) -> "Cloud":
    from controlplane.providers.openstack_cloud import Cloud  # noqa: PLC0415

    return Cloud(CloudPool(uri=f"openstack://{name}", cloud=name))


def _cloud(host: str, uri: str) -> "Cloud":
    from controlplane.providers.openstack_cloud import Cloud  # noqa: PLC0415

    try:
        return Cloud(cloud_pool(uri))
    except CloudUriError as error:
        raise KasumiError(f"uri of host {host} {error}; {error.remedy}") from None  # without it: it may hold a password


def open_source_host(uri: str, *, ssh_config: str = "") -> SourceHost:
    """The old host of a migration."""
    return LibvirtSourceHost(Connection(uri, ssh_config=ssh_config))

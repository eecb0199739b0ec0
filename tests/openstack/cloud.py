"""The lab's OpenStack as tests see it."""

from dataclasses import dataclass
from pathlib import Path

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from lab.openstack import layout


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCloud:
    """A cloud that is up: `admin` and `member` are names of clouds in `clouds_yaml`."""

    clouds_yaml: Path
    admin: str
    member: str

    def connect(self, cloud: str) -> Connection:
        """A new connection; the caller closes it (`with running_cloud.connect(running_cloud.member) as cloud:`)."""
        found = OpenStackConfig(config_files=[str(self.clouds_yaml)], secure_files=[], load_envvars=False)
        return Connection(config=found.get_one(cloud))


def running() -> RunningCloud:
    """The lab's cloud, taken to be up."""
    return RunningCloud(clouds_yaml=layout.clouds_yaml(), admin=layout.ADMIN_CLOUD, member=layout.MEMBER_CLOUD)

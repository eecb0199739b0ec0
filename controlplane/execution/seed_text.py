"""First-boot data of a machine from the shipped templates; values are quoted as JSON, so no name can break out of its place."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controlplane.model.plan import PlannedAccess, PlannedMachine
from controlplane.providers.protocol import Seed
from controlplane.settings import resource


def render_seed(machine: PlannedMachine, access: PlannedAccess) -> Seed:
    """User data, meta data and network config (version 2) for cloud-init; the same for the same machine."""
    values = {"machine": machine, "access": access}

    def text(name: str) -> str:
        return _templates().get_template(f"{name}.j2").render(values)

    return Seed(user_data=text("user-data"), meta_data=text("meta-data"), network_config=text("network-config"))


@cache
def _templates() -> Environment:
    # Autoescape is for HTML; here every value passes through `tojson`, which is YAML's own quoting.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(resource("templates") / "cloud-init"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

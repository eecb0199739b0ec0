"""Neutron's mechanism driver for a cloud without network agents: every port is bound on every host at once, and active."""

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class LabMechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """Binds ports the way an agent that is always well would."""

    @property
    def connectivity(self) -> str:
        """What a bound port connects."""
        return str(portbindings.CONNECTIVITY_L2)

    def initialize(self) -> None:
        """Nothing to connect to."""

    def bind_port(self, context: Any) -> None:
        """Bind to the first segment there is."""
        details = {portbindings.CAP_PORT_FILTER: True, portbindings.VIF_DETAILS_CONNECTIVITY: self.connectivity}
        for segment in context.segments_to_bind[:1]:
            # Where servers are real guests Nova makes the tap itself.
            kind = portbindings.VIF_TYPE_TAP if str(context.host).startswith("qemu") else portbindings.VIF_TYPE_OVS
            context.set_binding(segment[api.ID], kind, details, status=constants.PORT_STATUS_ACTIVE)

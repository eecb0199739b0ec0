"""What a guest's agent tells over the hypervisor's own channel, which nobody on the network can forge.

Every question has a short deadline, and a guest without an agent is no error: it is not ready yet.
"""

import base64
import json

import libvirt
import libvirt_qemu

_SECONDS = 3
_HOST_KEYS = ("ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub", "ssh_host_rsa_key.pub")
_NOT_READY = frozenset(
    {
        libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
        libvirt.VIR_ERR_AGENT_UNSYNCED,
        libvirt.VIR_ERR_OPERATION_TIMEOUT,
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,  # a machine of others' making may have no channel for an agent
    }
)


def ssh_host_keys(domain: libvirt.virDomain) -> tuple[str, ...]:
    """Public ssh host keys without their comments; empty while the agent does not answer. Raises libvirt.libvirtError."""
    try:
        keys = [_small_file(domain, f"/etc/ssh/{name}") for name in _HOST_KEYS]
    except libvirt.libvirtError as error:
        if error.get_error_code() in _NOT_READY:
            return ()
        raise
    return tuple(" ".join(key.split()[:2]) for key in keys if key)


def _small_file(domain: libvirt.virDomain, path: str) -> str:
    """The text of a file in the guest, or empty when there is none."""
    try:
        handle = _ask(domain, "guest-file-open", path=path, mode="r")
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR:  # what libvirt makes of the agent's "no such file"
            return ""
        raise
    try:
        answer = _ask(domain, "guest-file-read", handle=handle, count=4096)
    finally:
        _ask(domain, "guest-file-close", handle=handle)
    return base64.b64decode(answer["buf-b64"]).decode().strip() if isinstance(answer, dict) else ""


def _ask(domain: libvirt.virDomain, execute: str, **arguments: object) -> object:
    command = json.dumps({"execute": execute, "arguments": arguments})
    answer: dict[str, object] = json.loads(libvirt_qemu.qemuAgentCommand(domain, command, _SECONDS, 0))
    return answer["return"]

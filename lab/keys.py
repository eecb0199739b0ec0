"""The lab's keys and how to come in with them: one client key, a host key for every server, known_hosts and an ssh_config.

Host keys are made here, before their servers run, so that nobody ever has to trust a key on first use.
"""

from collections.abc import Sequence
from pathlib import Path

from lab import layout
from lab.command import run
from lab.layout import LEGACY_SERVERS, MOJ_ARCHIVE, MOJ_WEB, PENSION, Host

CONFIG = """\
{aliases}
Host 10.77.*.*
    IdentityFile {home}/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile {home}/known_hosts
    GlobalKnownHostsFile /dev/null
    ConnectTimeout 10
"""

ALIAS = """\
Host {name} {address}
    HostName {address}
    User root
    IdentityFile {home}/id_ed25519
    UserKnownHostsFile {home}/known_hosts
    StrictHostKeyChecking yes
    BatchMode yes
"""

BEHIND = """\
Host {name} {address}
    ProxyCommand ssh -F {home}/config -W %h:%p {jump}
"""


def ensure(hosts: Sequence[Host]) -> bool:
    """Keys, known_hosts and config for these hosts and the legacy servers; says whether anything was made. May be repeated."""
    home = layout.ssh_home()
    (home / "host-keys").mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    servers = [(host.name, host.address) for host in hosts]
    servers += [(server.name, server.address) for server in (*LEGACY_SERVERS, PENSION)]
    made = _generate(home / "id_ed25519", "kasumi-lab")
    for name, _ in servers:
        made = _generate(host_key(name), name) or made
    known = "".join(f"{name},{address} {_public(name)}\n" for name, address in servers)
    made = write(home / "known_hosts", known) or made
    aliases = "".join(ALIAS.format(name=name, address=address, home=home) for name, address in servers)
    aliases += BEHIND.format(name=MOJ_ARCHIVE.name, address=MOJ_ARCHIVE.address, home=home, jump=MOJ_WEB.address)
    management = (
        ALIAS.format(name="", address="10.77.0.*", home=home).replace("    HostName 10.77.0.*\n", "").replace("Host  ", "Host ")
    )
    made = write(home / "config", CONFIG.format(aliases=aliases + management, home=home)) or made
    return write(home / "ssh", f'#!/bin/sh\nexec ssh -F {home}/config "$@"\n', mode=0o755) or made


def host_key(name: str) -> Path:
    """The private host key of a host or legacy server; `.pub` lies beside it."""
    return layout.ssh_home() / "host-keys" / name


def libvirt_uri(host: Host) -> str:
    """The host's libvirt over ssh, with the lab's keys and nobody else's."""
    return f"qemu+ssh://root@{host.address}/system?command={layout.ssh_home() / 'ssh'}"


def write(path: Path, text: str, *, mode: int = 0o644) -> bool:
    """Make the file hold this text, whole or not at all; says whether it was changed. May be repeated.

    A file that is bind-mounted somewhere must keep its inode, so an existing one is written in place.
    """
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    if path.exists():
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return True
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(mode)
    fresh.rename(path)
    return True


def _generate(path: Path, comment: str) -> bool:
    public = path.with_name(f"{path.name}.pub")
    if path.exists() and public.exists():
        return False
    # What an interrupted run left half made.
    path.unlink(missing_ok=True)
    public.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return True


def _public(name: str) -> str:
    return " ".join(host_key(name).with_name(f"{name}.pub").read_text(encoding="utf-8").split()[:2])

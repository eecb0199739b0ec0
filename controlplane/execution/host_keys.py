"""The ssh host keys of our machines: learned through the hypervisor, kept in the controller's home, never taken from the network."""

from collections.abc import Mapping
from pathlib import Path

from controlplane.errors import RefusedError


def known_hosts_file(home: Path) -> Path:
    """Where the keys of our machines are kept, in OpenSSH's own form."""
    return home / "known_hosts"


def remember_keys(home: Path, keys: Mapping[str, tuple[str, ...]], *, accept_changed: bool) -> None:
    """Write the keys of these addresses. Raises RefusedError when one on record changed and that was not accepted."""
    file = known_hosts_file(home)
    known = _read(file)
    for address, found in keys.items():
        before = known.get(address, ())
        if before and not set(before) & set(found) and not accept_changed:
            raise RefusedError(
                f"machine at {address}: wanted the ssh host key on record ({_short(before)}), its hypervisor now shows {_short(found)}; if it "
                "was made anew, `kasumi configure --accept-new-host-keys` records that"
            )
        known[address] = found
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "".join(f"{address} {key}\n" for address, found in sorted(known.items()) for key in found)
    part = file.with_name(f".{file.name}.part")
    part.write_text(text, encoding="ascii")
    part.chmod(0o600)
    part.replace(file)


def _read(file: Path) -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for line in file.read_text(encoding="ascii").splitlines() if file.is_file() else ():
        address, _, key = line.partition(" ")
        known[address] = (*known.get(address, ()), key)
    return known


def _short(keys: tuple[str, ...]) -> str:
    return ", ".join(f"{key.split()[0]} …{key[-12:]}" for key in keys)

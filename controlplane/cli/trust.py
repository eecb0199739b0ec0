"""`kasumi trust`: look at the host keys that servers show, and put them on record once a person has compared them."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.passwords import password_of
from controlplane.cli.session import Session
from controlplane.connectors.host_keys import HostKey, KnownHosts
from controlplane.connectors.server_ssh import Door, Keyring, NotIn, offered_keys
from controlplane.discovery.access import door_of
from controlplane.discovery.record import server_keys
from controlplane.discovery.selection import selected
from controlplane.errors import ExitCode
from controlplane.model.facts import Answer

COLUMNS = ("server", "address", "type", "fingerprint", "state")
_SECONDS = 15.0


def trust(
    hosts: list[str] = typer.Argument(..., metavar="HOST...", help="Ids of servers, systems or ministries of the inventory."),
    fingerprint: list[str] = typer.Option(
        [], "--fingerprint", metavar="SHA256:…", help="Record without asking a key of this fingerprint, and no other."
    ),
    yes: bool = typer.Option(
        False, "--yes", help="Record what is shown without asking; the fingerprints were compared elsewhere."
    ),
    replace: bool = typer.Option(False, "--replace", help="A key changed, and you know why: record the new one for the old."),
    show: bool = typer.Option(False, "--show", help="Only show; record nothing."),
    ask_password: bool = typer.Option(False, "--ask-password", help="Ask for the ssh password of jump hosts."),
    password_file: Path | None = typer.Option(None, "--password-file", dir_okay=False, help="Holds that password."),
    vault_password_file: Path | None = typer.Option(
        None, "--vault-password-file", envvar="ANSIBLE_VAULT_PASSWORD_FILE", dir_okay=False, help="Opens an encrypted one."
    ),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show the fingerprints of the host keys that servers offer, and record them once you say they are right.

    Compare them with what the server's own console prints (`ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub`): the network
    proves nothing. Jump hosts are trusted first. Exit codes: 0 on record, 4 not reached, or named without having an address, 5
    refused: a changed key without --replace, or fingerprints that are not the given ones.
    """
    session = Session(home=home, inventory=inventory)
    known = server_keys(session.settings.home)
    keyring = Keyring(password=password_of("ssh password: ", ask=ask_password, file=password_file, vault=vault_password_file))
    rows: list[dict[str, object]] = []
    worst = ExitCode.DONE
    doors: list[Door] = []
    for server in selected(session.estate, hosts):
        if server.address:
            doors.append(door_of(session.estate, server))
            continue
        say(f"kasumi: server {server.id}: has no address; add `address: …` to its kasumi_server in the inventory")
        if server.id in hosts:  # of a whole system those that ssh does not know (Windows) are no failure
            worst = ExitCode.UNREACHABLE
    for door in sorted(doors, key=_jumps):
        try:
            offered = offered_keys(door, known, keyring, seconds=_SECONDS)
        except NotIn as error:
            say(f"kasumi: {error}")
            worst = max(worst, ExitCode.REFUSED if error.answer in {Answer.HOST_KEY, Answer.REFUSED} else ExitCode.UNREACHABLE)
            continue
        state, refusal = _settle(door, known, offered, fingerprint, yes=yes, replace=replace, show=show)
        if refusal:
            say(f"kasumi: {refusal}")
            worst = ExitCode.REFUSED
        if state in {"recorded", "replaced"}:
            session.store.append_evidence(
                session.estate.id, actor=session.actor, action=f"trust:{state}", subject=door.owner.rsplit("/", 1)[-1],
                detail={"address": door.shown, "keys": [f"{key.kind} {key.fingerprint}" for key in offered]}, at=datetime.now(UTC),
            )  # fmt: skip
        rows += [
            {
                "server": door.owner.rsplit("/", 1)[-1], "address": door.shown, "type": key.kind,
                "fingerprint": key.fingerprint, "state": state,
            }
            for key in offered
        ]  # fmt: skip
    emit("keys", rows, COLUMNS, output)
    return int(worst)


def _jumps(door: Door) -> int:
    return 0 if door.jump is None else 1 + _jumps(door.jump)


def _settle(
    door: Door,
    known: KnownHosts,
    offered: tuple[HostKey, ...],
    fingerprints: list[str],
    *,
    yes: bool,
    replace: bool,
    show: bool,
) -> tuple[str, str]:
    """What becomes of the offered keys: its name, and why not when they are refused."""
    name = door.owner.rsplit("/", 1)[-1]
    before = {line.kind: line.key for line in known.at(door.recorded_address, door.port)}
    changed = [key for key in offered if before.get(key.kind, key.key) != key.key]
    same = bool(before) and not changed and all(key.kind in before for key in offered)
    if same:
        return "on record", ""
    if changed and not replace:
        wanted = ", ".join(line.fingerprint for line in known.at(door.recorded_address, door.port))
        found = ", ".join(f"{key.kind} {key.fingerprint}" for key in changed)
        return "CHANGED", (
            f"{door.shown}: ITS HOST KEY CHANGED: wanted {wanted}, found {found}; somebody may be in between: find out why, "
            f"and only then `kasumi trust {name} --replace`"
        )
    if show:
        return "new", ""
    if fingerprints:
        if not any(key.fingerprint in fingerprints for key in offered):
            found = ", ".join(key.fingerprint for key in offered)
            return (
                "refused",
                f"{door.shown}: wanted {', '.join(fingerprints)}, found {found}; it is another server, or was made anew",
            )
        offered = tuple(key for key in offered if key.fingerprint in fingerprints)
    elif not yes and not _confirmed(door, offered):
        return "not recorded", f"{door.shown}: not recorded: nobody confirmed its fingerprints"
    keys = tuple(f"{key.kind} {key.key}" for key in offered)
    known.learn(door.owner, keys, address=door.recorded_address, port=door.port, accept=replace)
    return "replaced" if changed else "recorded", ""


def _confirmed(door: Door, offered: tuple[HostKey, ...]) -> bool:
    for key in offered:
        say(f"{door.shown}: {key.kind} {key.fingerprint}")
    if not sys.stdin.isatty():
        say("no terminal to ask at; give --fingerprint, or --yes when they were compared elsewhere")
        return False
    return typer.confirm("Are these the server's own fingerprints?", default=False, err=True)

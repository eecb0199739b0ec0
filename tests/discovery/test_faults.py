"""What servers and networks do wrong, on a real sshd: each is a result with words, within its deadline, and costs nobody else."""

import contextlib
import secrets
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from controlplane.connectors.host_keys import KnownHosts
from controlplane.connectors.server_ssh import Door, Keyring, offered_keys
from controlplane.discovery import script
from controlplane.discovery.collecting import Means, collect, collect_all
from controlplane.discovery.probe import Probe
from controlplane.discovery.probes.hardware import CPU
from controlplane.discovery.probes.memory import MEMORY
from controlplane.discovery.probes.system import OS
from controlplane.model.facts import Answer
from tests.connectors.sshd import Sshd, free_port, running_sshd

NEXT = MEMORY
"""Asked after the probe that misbehaves."""


def probe(command: str, *, seconds: int = 0, as_root: tuple[str, ...] = (), name: str = "bad") -> Probe:
    return Probe(
        name=name,
        command=command,
        parse=lambda output: {"os.name": output.strip()} if output.strip().isprintable() and output.strip() else {},
        seconds=seconds,
        as_root=as_root,
    )


def means(known: KnownHosts, *probes: Probe, seconds: float = 120.0, connect_seconds: float = 60.0) -> Means:
    return Means(
        known=known,
        keyring=Keyring(use_agent=False),
        connect_seconds=connect_seconds,
        collect_seconds=seconds,
        probes=probes or (OS, CPU, NEXT),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("faulty")) as running:
        yield running


@pytest.fixture
def door(server: Sshd) -> Door:
    key = (server.folder / "user_key.pub").read_text()
    (server.folder / "authorized_keys").write_text(key)
    return Door(
        owner="test/one", address="127.0.0.1", port=server.port, user="root", identity_file=str(server.folder / "user_key")
    )


@pytest.fixture
def known(door, tmp_path) -> KnownHosts:
    book = KnownHosts(tmp_path / "known")
    keys = offered_keys(door, book, Keyring(use_agent=False), seconds=60)
    book.learn("test/one", tuple(f"{key.kind} {key.key}" for key in keys), address="127.0.0.1", port=door.port)
    return book


def forced(server: Sshd, command: str) -> None:
    """Whatever is asked for, this runs instead."""
    file = server.folder / f"forced-{secrets.token_hex(4)}"
    file.write_text(f"#!/bin/sh\n{command}\n")
    file.chmod(0o755)
    (server.folder / "authorized_keys").write_text(f'command="{file}" {(server.folder / "user_key.pub").read_text()}')


def went(result, name: str) -> tuple[Answer, str]:
    return next((one.answer, one.message) for one in result.probes if one.probe == name)


def fields(result) -> set[str]:
    return {fact.field for fact in result.facts}


def test_a_wrong_key_is_refused_by_name(door, known, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = Door(owner=door.owner, address=door.address, port=door.port, user="root", identity_file=str(tmp_path / "other"))
    result = collect("one", other, means(known))
    assert (result.answer, result.facts) == (Answer.REFUSED, ())
    assert "login refused with 1 key" in result.message
    assert "is our key in its authorized_keys?" in result.message


def test_a_key_that_cannot_be_read_is_named(door, known, tmp_path):
    missing = Door(owner=door.owner, address=door.address, port=door.port, identity_file=str(tmp_path / "none"))
    assert "no such file; correct `identity_file`" in collect("one", missing, means(known)).message
    (tmp_path / "text").write_text("this is no key")
    broken = Door(owner=door.owner, address=door.address, port=door.port, identity_file=str(tmp_path / "text"))
    result = collect("one", broken, means(known))
    assert result.answer is Answer.FAILED
    assert "not a private key" in result.message


def test_a_hanging_probe_is_ended_and_leaves_nothing(door, known):
    result = collect("one", door, means(known, OS, probe("sleep 4711.25; echo never", seconds=1), NEXT))
    assert went(result, "bad") == (Answer.TIMED_OUT, "did not finish within 1 s")
    assert result.answer is Answer.PARTLY
    assert {"os.family", "memory.total_mib"} <= fields(result)
    assert subprocess.run(["pgrep", "-f", "sleep 4711.25"], check=False, capture_output=True).stdout == b""


def test_a_server_that_never_answers_is_over_at_its_deadline(server, door, known):
    forced(server, "exec sleep 60")
    began = time.monotonic()
    result = collect("one", door, means(known, seconds=2))
    assert time.monotonic() - began < 45
    assert result.answer is Answer.TIMED_OUT
    assert "did not finish within its deadline" in result.message


def test_a_hundred_megabytes_of_one_probe_are_cut_there(door, known):
    result = collect("one", door, means(known, OS, probe("head -c 104857600 /dev/zero | tr '\\0' x", seconds=120), NEXT))
    assert went(result, "bad") == (Answer.GARBLED, "said more than 4 MiB")
    assert {"os.family", "memory.total_mib"} <= fields(result)


def test_probes_are_asked_together_and_each_only_once(door, known, tmp_path):
    asked = [probe(f"echo {name} >> {tmp_path}/asked; echo is {name} >&2; exit {status}", seconds=60, name=name)
             for name, status in (("first", 0), ("second", 127), ("third", 9))]  # fmt: skip
    result = collect("one", door, means(known, OS, *asked, NEXT))
    assert (tmp_path / "asked").read_text().split() == ["first", "second", "third"]
    assert went(result, "first") == (Answer.ABSENT, "is first")
    assert went(result, "second") == (Answer.ABSENT, "")
    assert went(result, "third") == (Answer.FAILED, "is third")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("sleep 4711.75", Answer.TIMED_OUT),
        ("head -c 104857600 /dev/zero | tr '\\0' x", Answer.GARBLED),
        ("head -c 104857600 /dev/zero | tr '\\0' x >&2; exit 9", Answer.FAILED),
        ("kill -9 $$; kill -9 0", Answer.TIMED_OUT),
    ],
)
def test_one_that_spoils_asking_together_costs_no_other(door, known, monkeypatch, command, answer):
    monkeypatch.setattr(script, "TOGETHER_SECONDS", 2)
    before, after = (probe(f"echo {name}; echo {name} >&2", seconds=60, name=name) for name in ("before", "after"))
    result = collect("one", door, means(known, OS, before, probe(command, seconds=2), after))
    assert went(result, "before") == went(result, "after") == (Answer.ANSWERED, "")
    assert went(result, "bad")[0] is answer
    assert result.answer is Answer.PARTLY


def test_a_hundred_megabytes_of_complaints_hurt_nobody(door, known):
    result = collect(
        "one", door, means(known, OS, probe("head -c 104857600 /dev/zero | tr '\\0' x >&2; exit 9", seconds=120), NEXT)
    )
    assert went(result, "bad")[0] is Answer.FAILED
    assert len(went(result, "bad")[1]) <= 300
    assert {"os.family", "memory.total_mib"} <= fields(result)


def test_a_liar_that_floods_is_cut_off(server, door, known):
    forced(server, "exec yes 'I am a server'")
    result = collect("one", door, means(known))
    assert (result.answer, result.facts) == (Answer.GARBLED, ())
    assert "sent more than 48 MiB" in result.message


@pytest.mark.parametrize("garbage", ["head -c 300000 /dev/urandom", "echo hello", "cat", "true"])
def test_garbage_is_garbled_or_failed_and_never_a_fact(server, door, known, garbage):
    forced(server, garbage)
    result = collect("one", door, means(known))
    assert result.answer in {Answer.GARBLED, Answer.FAILED}
    assert result.facts == ()
    assert "the connection was cut" in result.message


def test_binary_output_of_one_probe_is_garbled(door, known):
    result = collect("one", door, means(known, OS, probe("head -c 100000 /dev/urandom"), NEXT))
    assert went(result, "bad") == (Answer.GARBLED, "its output is not understood")
    assert {"os.family", "memory.total_mib"} <= fields(result)


def test_a_connection_cut_in_the_middle_keeps_what_came_before(door, known):
    cut = probe("sleep 1; kill -9 $(awk '{print $4}' /proc/$$/stat); sleep 5", seconds=0)
    result = collect("one", door, means(known, OS, CPU, cut, NEXT))
    assert result.answer is Answer.PARTLY
    assert "cut" in result.message
    assert {"os.family", "cpu.count"} <= fields(result)
    assert "memory.total_mib" not in fields(result)
    assert went(result, NEXT.name)[0] is Answer.FAILED


def test_full_disks_hide_nothing(server, door, known):
    before = fields(collect("one", door, means(known)))
    fill = "; ".join(
        f"mount -t tmpfs -o size=4k full {place} && cat /dev/zero > {place}/fill 2>/dev/null"
        for place in ("/tmp", "/var/tmp", "/dev/shm")
    )
    forced(server, f"exec unshare --user --map-root-user --mount /bin/sh -c '{fill}; exec /bin/sh -s'")
    result = collect("one", door, means(known, OS, CPU, NEXT, probe("echo x > /tmp/y && echo written || echo full")))
    assert (
        next(fact.value for fact in result.facts if fact.field == "os.name") in {"full"}
        or went(result, "bad")[0] is Answer.ANSWERED
    )
    assert before <= fields(result)
    assert result.answer is Answer.ANSWERED


def test_refused_sudo_is_that_probes_result_and_its_facts_still_count(server, door, known):
    forced(server, "exec setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -s")
    command = "root cat /etc/shadow || echo without"
    result = collect("one", door, means(known, OS, probe(command, seconds=60, as_root=("cat /etc/shadow",)), NEXT))
    answer, message = went(result, "bad")
    assert answer is Answer.REFUSED
    assert "sudo" in message
    assert result.answer is Answer.PARTLY
    assert {"os.family", "memory.total_mib"} <= fields(result)


def test_a_complaining_login_shell_is_not_in_the_way(server, door, known):
    forced(server, "echo welcome; echo 'stty: not a tty' >&2; exec /bin/sh -s")
    assert collect("one", door, means(known)).answer is Answer.ANSWERED


@contextlib.contextmanager
def listening(say: bytes):
    """Something that listens and is no ssh server."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            held = []
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    held.append(trap.accept()[0])
                    held[-1].sendall(say)
            for one in held:
                one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield trap.getsockname()[1]
        over.set()
        thread.join()


def elsewhere(known: KnownHosts, port: int, door: Door) -> Door:
    keys = tuple(f"{line.kind} {line.key}" for line in known.at("127.0.0.1", door.port))
    known.learn(f"test/{port}", keys, address="127.0.0.1", port=port)
    return Door(owner=f"test/{port}", address="127.0.0.1", port=port, identity_file=door.identity_file)


def test_the_others_are_not_affected(door, known):
    with listening(b"") as silent, listening(b"\x00\xff\r\n" * 300) as babbling:
        doors = {"good": door}
        doors |= {"silent": elsewhere(known, silent, door), "babbling": elsewhere(known, babbling, door)}
        doors |= {"nobody": elsewhere(known, free_port(), door)}
        began = time.monotonic()
        results = {result.server: result for result in collect_all(doors, means(known, connect_seconds=10), parallel=4)}
    assert time.monotonic() - began < 90
    assert {name: result.answer for name, result in results.items()} == {
        "good": Answer.ANSWERED,
        "silent": Answer.TIMED_OUT,
        "babbling": Answer.UNREACHABLE,
        "nobody": Answer.UNREACHABLE,
    }
    assert "does not speak ssh" in results["babbling"].message
    assert "does its ssh listen at port" in results["nobody"].message


def test_the_whole_table_leaves_no_file_and_no_process(door, known, tmp_path):
    places = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
    before = {path for place in places for path in place.iterdir()}
    result = collect("one", door, Means(known=known, keyring=Keyring(use_agent=False)))
    assert result.answer in {Answer.ANSWERED, Answer.PARTLY}
    left = {path for place in places for path in place.iterdir()} - before
    assert not [path for path in left if "kasumi" in path.name or "sh-thd" in path.name]

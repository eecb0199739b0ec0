"""An ssh server that offers what RHEL 5 and 6 offer: refused with the next move, and reached where the inventory says so."""

import subprocess
import time
from pathlib import Path

import pytest

from controlplane.connectors.host_keys import KnownHosts
from controlplane.connectors.server_ssh import Connection, Door, Keyring, NotIn, offered_keys
from controlplane.model.facts import Answer
from tests.connectors.sshd import free_port

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_rsa
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
KexAlgorithms diffie-hellman-group14-sha1
HostKeyAlgorithms ssh-rsa
PubkeyAcceptedAlgorithms ssh-rsa
Ciphers aes128-cbc,aes128-ctr
MACs hmac-sha1
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("old")
    folder.chmod(0o755)
    for name in ("host_rsa", "user_rsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_text((folder / "user_rsa.pub").read_text())
    port = free_port()
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL) as server:
        yield folder, port
        server.terminate()


def door(old, *, old_algorithms: bool) -> Door:
    folder, port = old
    return Door(
        owner="t/old", address="127.0.0.1", port=port, user="root", identity_file=str(folder / "user_rsa"), old_algorithms=old_algorithms
    )  # fmt: skip


def offered(one: Door, book: KnownHosts):
    deadline = time.monotonic() + 120
    while True:
        try:
            return offered_keys(one, book, Keyring(use_agent=False), seconds=60)
        except NotIn as error:
            if error.answer is not Answer.UNREACHABLE or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_it_is_refused_with_the_next_move(old, tmp_path):
    with pytest.raises(NotIn, match=r"no agreement .*say `ssh: \{old_algorithms: true\}` in the inventory") as caught:
        offered(door(old, old_algorithms=False), KnownHosts(tmp_path / "known"))
    assert caught.value.answer is Answer.FAILED


def test_it_is_reached_where_the_inventory_says_so(old, tmp_path):
    book, one = KnownHosts(tmp_path / "known"), door(old, old_algorithms=True)
    keys = offered(one, book)
    assert [key.kind for key in keys] == ["ssh-rsa"]
    book.learn("t/old", tuple(f"{key.kind} {key.key}" for key in keys), address="127.0.0.1", port=one.port)
    deadline = time.monotonic() + 120
    with Connection(one, book, Keyring(use_agent=False), deadline=deadline) as connection:
        said = connection.run("exec /bin/sh -s", "echo in\n", end=b"in\n", deadline=deadline)
    assert said.output == b"in\n"

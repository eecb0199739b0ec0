"""The file of host keys: what is learned, what is refused, and that ssh itself reads it."""

import subprocess
from pathlib import Path

import pytest

from controlplane.connectors.host_keys import KnownHosts, Learned
from controlplane.errors import RefusedError


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Public keys by name, with their fingerprints as ssh-keygen prints them."""
    folder, made = tmp_path_factory.mktemp("keys"), {}
    for name, kind in (("first", "ed25519"), ("second", "ed25519"), ("ecdsa", "ecdsa")):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / name)], check=True)
        shown = subprocess.run(["ssh-keygen", "-lf", str(folder / name)], capture_output=True, text=True, check=True).stdout
        made[name] = (" ".join((folder / f"{name}.pub").read_text().split()[:2]), shown.split()[1])
    return made


@pytest.fixture
def known(tmp_path):
    return KnownHosts(tmp_path / "home" / "known_hosts")


def test_a_key_is_learned_once_and_ssh_finds_it(known, keys):
    key, fingerprint = keys["first"]
    assert known.learn("lab/web", (key,), address="10.0.0.1") is Learned.NEW
    before = known.file.read_bytes()
    assert known.learn("lab/web", (key,), address="10.0.0.1") is Learned.KNOWN
    assert known.file.read_bytes() == before
    assert known.file.stat().st_mode & 0o777 == 0o600
    found = subprocess.run(
        ["ssh-keygen", "-l", "-F", "10.0.0.1", "-f", str(known.file)], capture_output=True, text=True, check=True
    )
    assert fingerprint in found.stdout


def test_another_port_is_written_as_ssh_writes_it(known, keys):
    known.learn("lab/web", (keys["first"][0],), address="10.0.0.1", port=2222)
    subprocess.run(["ssh-keygen", "-F", "[10.0.0.1]:2222", "-f", str(known.file)], capture_output=True, check=True)
    assert known.knows("lab/web", address="10.0.0.1", port=2222)
    assert not known.knows("lab/web", address="10.0.0.1")


def test_a_changed_key_is_refused_with_both_fingerprints_and_the_way_to_accept_it(known, keys):
    known.learn("lab/web", (keys["first"][0],), address="10.0.0.1")
    before = known.file.read_bytes()
    with pytest.raises(RefusedError) as refused:
        known.learn("lab/web", (keys["second"][0],), address="10.0.0.1")
    for words in (keys["first"][1], keys["second"][1], "machine web at 10.0.0.1", "`kasumi configure web --accept-host-key web`"):
        assert words in str(refused.value)
    assert known.file.read_bytes() == before
    assert known.learn("lab/web", (keys["second"][0],), address="10.0.0.1", accept=True) is Learned.REPLACED
    assert keys["first"][0] not in known.file.read_text()


def test_a_key_of_another_type_may_join_but_not_replace(known, keys):
    first, ecdsa = keys["first"][0], keys["ecdsa"][0]
    known.learn("lab/web", (first,), address="10.0.0.1")
    assert known.learn("lab/web", (first, ecdsa), address="10.0.0.1") is Learned.KNOWN
    assert ecdsa in known.file.read_text()
    with pytest.raises(RefusedError):
        known.learn("lab/web", (keys["second"][0], ecdsa), address="10.0.0.1")
    known.learn("lab/web", (first,), address="10.0.0.1")
    with pytest.raises(RefusedError):
        known.learn("lab/web", (ecdsa,), address="10.0.0.1")


def test_a_machine_may_move_and_an_address_may_get_another_machine(known, keys):
    known.learn("lab/web", (keys["first"][0],), address="10.0.0.1")
    assert known.learn("lab/web", (keys["first"][0],), address="10.0.0.2") is Learned.KNOWN
    assert not known.knows("lab/web", address="10.0.0.1")
    assert known.learn("lab/database", (keys["second"][0],), address="10.0.0.2") is Learned.NEW
    assert [line.split()[-1] for line in known.file.read_text().splitlines()] == ["lab/database"]


def test_lines_of_others_are_no_machine(tmp_path, keys):
    file = Path(tmp_path / "known_hosts")
    file.write_text(f"10.0.0.1 {keys['first'][0]}\nodd\n")
    assert not KnownHosts(file).knows("lab/web", address="10.0.0.1")

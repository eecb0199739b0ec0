"""A disk pulled over a real qemu-nbd with a one-time key: whole, sparse, resumable, and proven equal."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from controlplane.connectors import disks
from controlplane.connectors.disks import DiskExport, free_bytes, missing_tools, raw_sha256, source_sha256
from controlplane.connectors.shell import LocalShell, checked
from controlplane.errors import KasumiError
from controlplane.model.migration import SourceDisk

MIB = 1024 * 1024
SIZE = 96 * MIB
NAME = str(uuid4())
"""Another one in each run, since a folder and a port follow from it and two runs may be at work on one machine."""


@pytest.fixture
def disk(tmp_path: Path) -> SourceDisk:
    path = tmp_path / "old,disk.qcow2"
    shell = LocalShell()
    checked(shell, ["qemu-img", "create", "-q", "-f", "qcow2", str(path), str(SIZE)])
    for pattern, start in ((7, 0), (9, 40 * MIB), (3, 90 * MIB)):
        checked(shell, ["qemu-io", "-c", f"write -q -P {pattern} {start} 4M", str(path)])
    return SourceDisk(path=str(path), format="qcow2", size_bytes=SIZE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "new,copy.raw"
    with path.open("wb") as file:
        os.truncate(file.fileno(), SIZE)
    return path


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    assert not Path(f"/run/kasumi-{NAME}").exists()
    assert subprocess.run(["pgrep", "-f", f"/run/kasumi-{NAME}/"], check=False, capture_output=True).stdout == b""


def export(disk: SourceDisk, name: str = NAME) -> DiskExport:
    return DiskExport(LocalShell(), LocalShell(), disk, name=name, address="127.0.0.1")


def test_ranges_in_any_order_and_twice_make_an_equal_sparse_copy(disk, copy):
    with export(disk) as source:
        for start in (64, 0, 32, 64):
            source.copy_range(str(copy), offset=start * MIB, length=32 * MIB)
    assert raw_sha256(LocalShell(), str(copy), size_bytes=SIZE) == source_sha256(LocalShell(), disk)
    assert copy.stat().st_blocks * 512 < SIZE / 2


def test_a_wrong_byte_shows_in_the_digest(disk, copy):
    with export(disk) as source:
        source.copy_range(str(copy), offset=0, length=SIZE)
    with copy.open("r+b") as file:
        file.seek(SIZE - 1)
        file.write(b"!")
    assert raw_sha256(LocalShell(), str(copy), size_bytes=SIZE) != source_sha256(LocalShell(), disk)


def test_an_old_pattern_in_the_range_is_overwritten_with_zeros(disk, copy):
    copy.write_bytes(b"x" * SIZE)
    with export(disk) as source:
        source.copy_range(str(copy), offset=0, length=SIZE)
    assert raw_sha256(LocalShell(), str(copy), size_bytes=SIZE) == source_sha256(LocalShell(), disk)


def test_the_export_of_a_killed_controller_is_replaced_and_nothing_is_left(disk, copy):
    killed = export(disk)
    killed.__enter__()
    with export(disk) as source:
        source.copy_range(str(copy), offset=0, length=SIZE)


def test_a_port_that_another_has_is_passed_over(disk, copy, monkeypatch):
    with ExitStack() as taken:
        first = export(disk)._port
        with suppress(OSError):  # or it is taken already, which is as good
            taken.enter_context(socket.create_server(("127.0.0.1", first)))
        with export(disk) as source:
            assert source._port != first
            source.copy_range(str(copy), offset=0, length=SIZE)
        monkeypatch.setattr(disks, "_FIRST_PORT", first)
        monkeypatch.setattr(disks, "_PORTS", 1)
        with pytest.raises(KasumiError, match=rf"wanted a free port among {first} to {first} .*all of them taken"), export(disk):
            pass
    assert raw_sha256(LocalShell(), str(copy), size_bytes=SIZE) == source_sha256(LocalShell(), disk)


def test_the_key_is_neither_in_arguments_nor_readable_by_others(disk):
    with export(disk):
        folder = Path(f"/run/kasumi-{NAME}")
        key = (folder / "keys.psk").read_text().split(":")[1].strip()
        assert (folder / "keys.psk").stat().st_mode & 0o077 == 0
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert key.encode() not in process.read_bytes()
            except OSError:
                continue


def test_a_reader_without_the_key_gets_nothing(disk):
    with export(disk) as source:
        url = f"nbd://127.0.0.1:{source._port}/disk"
        assert subprocess.run(["qemu-img", "info", url], check=False, capture_output=True).returncode != 0


def test_a_missing_disk_says_where_and_what():
    gone = SourceDisk(path="/nowhere/disk.qcow2", format="qcow2", size_bytes=SIZE)
    with pytest.raises(KasumiError, match=r"this machine: `qemu-nbd .*No such file"), export(gone):
        pass


def test_tools_and_space_are_looked_for_before():
    assert missing_tools(LocalShell(), ("sh", "no-such-tool")) == ("no-such-tool",)
    assert free_bytes(LocalShell(), "/tmp/not/yet/there") > 0

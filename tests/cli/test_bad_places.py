"""Where a command reads and writes may be odd, full, forbidden or gone: it says so in a line, and destroys nothing."""

import os
import pwd
import stat
import sys
import threading
from pathlib import Path

import pytest

from controlplane.cli.app import main
from controlplane.cli.plan import write_whole
from controlplane.cli.scheduling import cohorts_in
from controlplane.cli.session import Session
from controlplane.errors import KasumiError
from controlplane.settings import load


@pytest.fixture
def kasumi(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KASUMI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KASUMI_DATABASE_URL", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["kasumi", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


def test_what_is_no_file_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_whole(pipe, "計画\n")
    reader.join(timeout=120)
    assert read == ["計画\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_to_an_open_pipe_is_written_to():
    outgoing, incoming = os.pipe()
    write_whole(Path(f"/dev/fd/{incoming}"), "計画\n")
    os.close(incoming)
    assert os.read(outgoing, 100).decode() == "計画\n"
    os.close(outgoing)


def test_a_link_stays_a_link(tmp_path):
    file, link = tmp_path / "plan.json", tmp_path / "latest.json"
    link.symlink_to(file.name)
    for text in ("first\n", "second\n"):
        write_whole(link, text)
        assert (link.is_symlink(), file.read_text(encoding="utf-8")) == (True, text)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_mode_of_the_umask_and_a_replaced_one_keeps_its_own(tmp_path, umask, mode):
    file, before = tmp_path / "plan.json", os.umask(umask)
    try:
        write_whole(file, "first\n")
        assert stat.S_IMODE(file.stat().st_mode) == mode
        file.chmod(0o640)
        write_whole(file, "second\n")
    finally:
        os.umask(before)
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text(encoding="utf-8")) == (0o640, "second\n")
    assert list(tmp_path.iterdir()) == [file]


def test_links_in_a_ring_are_told(tmp_path):
    ring = tmp_path / "ring"
    ring.symlink_to(ring)
    with pytest.raises(KasumiError, match=r"ring: .*; choose another file with -o"):
        write_whole(ring, "x")


def test_a_directory_is_not_written_over(tmp_path):
    with pytest.raises(KasumiError, match="Is a directory; choose another file with -o"):
        write_whole(tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("controlplane.cli.plan.os.fsync", full)
    with pytest.raises(KasumiError, match="No space left on device; choose another file"):
        write_whole(tmp_path / "plan.json", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("list", "sites"), ("list", "sites", "-o", "json"), ("show", "mic")])
def test_a_full_disk_behind_stdout_is_told_in_a_line(kasumi, monkeypatch, arguments):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code, said = kasumi("inventory", *arguments)
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.close()
    assert (code, said) == (1, "kasumi: No space left on device; correct that and run again\n")


def test_a_terminal_without_our_letters_still_gets_the_table(kasumi, monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="ascii") as narrow:
        monkeypatch.setattr(sys, "stdout", narrow)
        assert kasumi("inventory", "list", "sites") == (0, "")
        monkeypatch.undo()
    assert "\\u" in (tmp_path / "out").read_text(encoding="ascii")


def test_a_home_that_cannot_be_is_told(kasumi):
    code, said = kasumi("status", "--home", "/proc/nowhere")
    assert code == 1
    assert said == (
        "kasumi: database /proc/nowhere/kasumi.db: No such file or directory; "
        "name a folder of yours with --home or $KASUMI_HOME, or correct KASUMI_DATABASE_URL\n"
    )


def test_a_file_that_is_no_database_is_told(kasumi, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "kasumi.db").write_bytes(b"this is a letter, not a database, and long enough " * 20)
    code, said = kasumi("status")
    assert code == 1
    assert "kasumi.db: file is not a database; see that" in said
    assert "Traceback" not in said


def test_who_has_no_name_and_no_home(monkeypatch):
    def nobody(*_: object) -> None:
        raise KeyError("uid not found")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER", "HOME", "KASUMI_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(KasumiError, match="no home directory; name a folder with --home"):
        load()
    assert Session(home=Path("/x"), inventory=None).actor.startswith(f"uid-{os.getuid()}@")


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"[" * 100_000, b"{", b'{"cohorts": 3}'])
def test_cohorts_that_are_none_are_told(tmp_path, raw):
    file = tmp_path / "cohorts.json"
    file.write_bytes(raw)
    with pytest.raises(KasumiError, match=rf"^{file}: .*; write \{{\"cohorts\""):
        cohorts_in(file)

"""Pushing a playbook over a real sshd: what is told, what fails how, and that nothing is left."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.connectors import mitogen
from controlplane.connectors.ansible import Engine, push
from controlplane.connectors.push_events import Difference, Notice, TaskEnded, TaskFailed, TaskStarted
from controlplane.errors import KasumiError
from tests.configure.conftest import command_lines

ENGINES = pytest.mark.parametrize("engine", list(Engine))
COPY = """\
    - name: Write a file
      ansible.builtin.copy: {content: "hello\\n", dest: "{{ made }}/{{ inventory_hostname }}", mode: "0600"}
"""
FAIL_ON_BAD = """\
    - name: Break on one
      ansible.builtin.command: sh -c 'echo no such dragon >&2; exit 7'
      when: inventory_hostname == "bad"
"""
AFTER = """\
    - name: Go on
      ansible.builtin.command: "true"
      changed_when: false
"""


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


@ENGINES
def test_tasks_are_told_and_counted(wanted, target, engine, leftovers):
    events = []
    done = push(wanted(COPY + AFTER, target("one"), target("two"), engine=engine), watch=events.append)
    assert [event.task for event in of(TaskStarted, events)] == ["Write a file", "Go on"]
    assert [(e.task, e.ok, e.changed, e.failed) for e in of(TaskEnded, events)] == [("Write a file", 2, 2, 0), ("Go on", 2, 0, 0)]
    assert {name: (tally.ok, tally.changed) for name, tally in done.tallies.items()} == {"one": (2, 1), "two": (2, 1)}
    assert done.failures == () and done.engine is engine
    assert not of(Notice, events)
    assert leftovers() == []


@ENGINES
def test_a_failure_names_machine_task_and_message_and_stops_nobody_else(wanted, target, engine):
    events = []
    done = push(wanted(FAIL_ON_BAD + AFTER, target("good"), target("bad"), engine=engine), watch=events.append)
    (failure,) = done.failures
    assert (failure.machine, failure.task, failure.unreachable) == ("bad", "Break on one", False)
    assert "no such dragon" in failure.message
    assert failure in events
    assert done.tallies["good"].ok == 1 and done.tallies["bad"].ok == 0


@ENGINES
def test_a_machine_that_is_not_there_is_unreachable(wanted, target, engine, leftovers):
    events = []
    done = push(wanted(COPY, target("there"), target("gone", port=1), engine=engine), watch=events.append)
    (failure,) = done.failures
    assert failure.machine == "gone" and failure.unreachable
    assert "Connection refused" in failure.message
    assert done.tallies["there"].ok == 1
    assert [notice.text for notice in of(Notice, events)] == (
        ["Mitogen did not reach gone: trying plain ssh"] if engine is Engine.MITOGEN else []
    )
    assert leftovers() == []


@ENGINES
def test_a_machine_with_another_host_key_gets_nothing(wanted, target, login, engine, tmp_path, sshd):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    kind, key, *_ = (tmp_path / "other.pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    whole = replace(wanted(COPY, target("one"), engine=engine), login=replace(login, known_hosts=known))
    done = push(whole, watch=lambda event: None)
    (failure,) = done.failures
    assert failure.unreachable
    assert "host key verification failed" in failure.message.lower()
    assert not (tmp_path / "one").exists()


@ENGINES
def test_checking_shows_the_difference_and_changes_nothing(wanted, target, engine, tmp_path):
    events = []
    done = push(wanted(COPY, target("one"), engine=engine, check=True, diff=True), watch=events.append)
    (difference,) = of(Difference, events)
    assert difference.machine == "one" and difference.text.endswith("+hello")
    assert done.tallies["one"].changed == 1
    assert not (tmp_path / "one").exists()


def test_without_mitogen_it_says_so_once_and_works(wanted, target, monkeypatch):
    monkeypatch.setattr(mitogen, "find_spec", lambda name: None)
    events = []
    done = push(wanted(COPY, target("one"), engine=Engine.MITOGEN), watch=events.append)
    assert done.engine is Engine.PLAIN and done.tallies["one"].ok == 1
    (notice,) = of(Notice, events)
    assert notice.text == "without Mitogen (no module mitogen): plain ssh with pipelining, which is several times slower"


def test_a_mitogen_that_breaks_is_left_for_plain_ssh(wanted, target, monkeypatch, tmp_path):
    broken = tmp_path / "strategy"
    broken.mkdir()
    (broken / "mitogen_linear.py").write_text("raise ImportError('not for this Ansible')\n")
    monkeypatch.setattr(
        mitogen, "environment", lambda: {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(broken)}
    )
    events = []
    done = push(wanted(COPY, target("one"), engine=Engine.MITOGEN), watch=events.append)
    assert done.engine is Engine.PLAIN and done.tallies["one"].ok == 1
    assert [notice.text.splitlines()[0] for notice in of(Notice, events)] == [
        "Mitogen stopped before its end, going on with plain ssh:"
    ]


def test_a_playbook_ansible_cannot_read_is_an_error_with_its_words(wanted, target):
    with pytest.raises(KasumiError, match=r"(?s)play\.yml stopped before its end:.*no_such_module"):
        push(wanted("    - name: Odd\n      no_such_module:\n", target("one")), watch=lambda event: None)


def test_the_callers_own_ansible_settings_do_not_count(wanted, target, monkeypatch, tmp_path):
    config = tmp_path / "ansible.cfg"
    config.write_text("[defaults]\nstrategy = no_such_strategy\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(config))
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "nobody")
    monkeypatch.setenv("ANSIBLE_TAGS", "none")
    assert push(wanted(COPY, target("one")), watch=lambda event: None).tallies["one"].ok == 1


SECRET_TASKS = """\
    - name: Use a secret
      ansible.builtin.shell: {cmd: "cat > {{ made }}/{{ inventory_hostname }}; sleep 2", stdin: "{{ password }}"}
      no_log: true
    - name: Fail with a secret
      ansible.builtin.fail: {msg: "{{ password }}"}
      no_log: true
"""


@ENGINES
def test_a_vaulted_secret_reaches_the_machine_and_nothing_else(wanted, target, engine, tmp_path, leftovers):
    canary, key = "canary-4f1d7be2", "vault-key-93b0c4"
    (tmp_path / "key").write_text(key + "\n")
    tool = str(Path(sys.executable).with_name("ansible-vault"))
    vaulted = subprocess.run(
        [tool, "encrypt_string", "--vault-password-file", str(tmp_path / "key"), "--stdin-name", "x"],
        input=canary, capture_output=True, text=True, check=True,
    ).stdout.split("|", 1)[1]  # fmt: skip
    text = "\n".join(line.strip() for line in vaulted.splitlines() if line.strip()) + "\n"
    secret = target("one", variables={"made": str(tmp_path), "password": text})
    spy, events = Spy((canary, key)), []
    with spy:
        done = push(wanted(SECRET_TASKS, secret, engine=engine, vault_password_file=tmp_path / "key"), watch=events.append)
    assert (tmp_path / "one").read_text().strip() == canary, "the secret did not arrive, so the rest proves nothing"
    assert [failure.task for failure in done.failures] == ["Fail with a secret"]
    assert spy.looks > 5 and spy.folders, "the spy saw nothing of the run"
    assert spy.seen == set()
    assert canary not in str(events) + str(done)
    assert leftovers() == []


class Spy(threading.Thread):
    """Looks for words in the arguments and environment of every process and in every file of a push, while it runs."""

    def __init__(self, words):
        super().__init__()
        self.words, self.seen, self.folders, self.looks, self._ended = words, set(), set(), 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self.join()

    def run(self):
        while not self._ended.wait(0.05):
            self.looks += 1
            for word in self.words:
                self.seen |= {line for line in command_lines() if word in line}
            for file in files_of_pushes():
                self.folders.add(file.parent)
                try:
                    content = file.read_text(errors="replace") if file.is_file() else ""
                except OSError:
                    continue
                self.seen |= {str(file) for word in self.words if word in content}


def files_of_pushes():
    """All that lies in this process's push folders; unlike a glob, walking passes over a folder that goes meanwhile."""
    for made in Path("/dev/shm").glob(f"kasumi-push-{os.getpid()}-*"):
        for folder, _, names in os.walk(made):
            yield from (Path(folder) / name for name in names)


@ENGINES
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_stops_ansible_and_leaves_nothing(wanted, target, engine, number, tmp_path, leftovers):
    whole = wanted(
        f"    - name: Wait\n      ansible.builtin.shell: touch {tmp_path}/begun; sleep 60\n", target("one"), engine=engine
    )
    (tmp_path / "push.pickle").write_bytes(pickle.dumps(whole))
    program = (
        "import pickle, sys\nfrom pathlib import Path\nfrom controlplane.connectors.ansible import push\n"
        "try:\n    push(pickle.loads(Path(sys.argv[1]).read_bytes()), watch=print)\nexcept KeyboardInterrupt:\n    sys.exit(130)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "push.pickle")], stdout=subprocess.DEVNULL) as process:
        _until((tmp_path / "begun").exists)
        process.send_signal(number)
        assert process.wait(timeout=120) == 130
    _until(lambda: leftovers(process.pid) == [])


def test_what_a_killed_push_left_is_swept_by_the_next(wanted, target, tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = Path("/dev/shm") / f"kasumi-push-{dead.pid}-x"
    (left / "c").mkdir(parents=True)
    try:
        push(wanted(AFTER, target("one")), watch=lambda event: None)
        assert not left.exists()
    finally:
        shutil.rmtree(left, ignore_errors=True)


def _until(true):
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_failed_items_of_a_loop_are_told_one_by_one(wanted, target):
    tasks = "    - name: Each\n      ansible.builtin.fail: {msg: 'broke {{ item }}'}\n      loop: [a, b]\n"
    (failure,) = push(wanted(tasks, target("one")), watch=lambda event: None).failures
    assert isinstance(failure, TaskFailed) and failure.message == "broke a; broke b"

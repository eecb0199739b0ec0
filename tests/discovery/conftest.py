import pytest

from tests.connectors.sshd import running_sshd
from tests.discovery.servers import Controller, at


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def controller(sshd, tmp_path, monkeypatch):
    monkeypatch.delenv("KASUMI_DATABASE_URL", raising=False)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made = Controller(folder=tmp_path, identity_file=sshd.folder / "user_key")
    made.declare({"one": at(sshd)})
    return made


@pytest.fixture
def trusted(controller):
    done = controller.kasumi("trust", "one", "--yes")
    assert done.returncode == 0, done.stderr
    return controller

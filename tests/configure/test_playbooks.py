"""The shipped roles: lint, descriptions that agree with defaults, documented controls, and their own guards."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from controlplane.settings import resource

PLAYBOOKS = resource("playbooks")
ROLES = sorted(path.name for path in (PLAYBOOKS / "roles").iterdir())
DOCUMENT = Path(__file__).parents[2] / "docs" / "configure.md"


def read(*parts):
    return yaml.safe_load(PLAYBOOKS.joinpath("roles", *parts).read_text())


@pytest.mark.slow
def test_the_production_profile_passes():
    tool = str(Path(sys.executable).with_name("ansible-lint"))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "NO_COLOR": "1",
        "HOME": "/nonexistent",
    }
    done = subprocess.run([tool], cwd=PLAYBOOKS, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Profile 'production' was required, and it passed" in done.stderr + done.stdout


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_described_with_its_real_default(role):
    described = read(role, "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = read(role, "defaults", "main.yml")
    assert {name: option["default"] for name, option in described.items() if name.startswith(f"{role}_")} == defaults


def test_every_control_is_documented_and_every_documented_one_exists():
    used = {tag for task in read("baseline", "tasks", "main.yml") for tag in task.get("tags", ()) if tag.startswith("KSP-")}
    assert used == set(re.findall(r"^\| (KSP-\S+) \|", DOCUMENT.read_text(), flags=re.MULTILINE))
    assert all(task.get("tags") for task in read("baseline", "tasks", "main.yml"))


def test_only_builtin_modules_are_used():
    known = {
        "name",
        "when",
        "vars",
        "register",
        "tags",
        "loop",
        "loop_control",
        "notify",
        "become",
        "changed_when",
        "failed_when",
        "check_mode",
    }
    for role in ROLES:
        for file in ("tasks", "handlers"):
            for task in read(role, file, "main.yml"):
                (module,) = set(task) - known
                assert module.startswith("ansible.builtin."), f"{role}: {task['name']}"


@pytest.mark.parametrize(
    ("address", "networks", "within"),
    [
        ("10.1.2.3", ["10.1.0.0/16"], True),
        ("10.2.2.3", ["10.1.0.0/16", "10.2.2.3"], True),
        ("10.2.2.4", ["10.1.0.0/16", "10.2.2.3"], False),
        ("2001:db8::1", ["10.1.0.0/16", "2001:db8::/32"], True),
    ],
)
def test_the_guard_against_locking_the_controller_out_knows_networks(address, networks, within):
    source = (PLAYBOOKS / "roles" / "baseline" / "test_plugins" / "kasumi_within.py").read_text()
    module = {}
    exec(source, module)  # noqa: S102 - Ansible loads it in the same way, by its file
    assert module["TestModule"]().tests()["kasumi_within"](address, networks) is within

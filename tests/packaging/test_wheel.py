"""The built wheel works outside the checkout: its command runs and finds what is shipped inside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(copy)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = (folder / "dist").glob("kasumi-*.whl")
    place = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    return place


def run(installed: Path, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(installed), "KASUMI_HOME": str(installed / "home")}
    done = subprocess.run([sys.executable, *command], cwd=installed, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["inventories", "monitoring", "playbooks", "templates"])
def test_what_is_shipped_lies_inside_the_package(installed, name):
    script = f"from controlplane.settings import resource; print(resource({name!r}))"
    found = Path(run(installed, "-c", script).strip())
    assert found == installed / "controlplane" / "resources" / name
    assert any(found.iterdir())


def test_the_command_reads_the_shipped_estate(installed):
    estate = installed / "controlplane" / "resources" / "inventories" / "kasumigaseki"
    assert "no mistakes" in run(installed, "-m", "controlplane", "inventory", "check", "-i", str(estate))


def test_the_store_and_the_templates_work_from_the_wheel(installed):
    script = (
        "from controlplane.settings import load; from controlplane.store import open_store; open_store(load()).close()\n"
        "from controlplane.execution import seed_text; import lab.lifecycle; from pathlib import Path; import lab\n"
        "assert (Path(lab.__file__).parent / 'recipe' / 'guest.sh').is_file(); print('fine')"
    )
    assert run(installed, "-c", script).strip().endswith("fine")

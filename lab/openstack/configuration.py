"""Writes the configuration of all services and what they load of ours, from templates and the cloud's passwords."""

import json
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.keys import write
from lab.openstack import hypervisor, layout, packages

TEMPLATES = Path(__file__).parent / "etc"
INSIDE = Path(__file__).parent / "inside"
ENTRY_POINTS = "[neutron.ml2.mechanism_drivers]\nkasumi_lab = kasumi_lab.binding:LabMechanismDriver\n"
COMPUTE_ID = "6b61735d-6c61-4062-8d6f-0000000000c1"
STATE_FOLDERS = (
    "mariadb",
    "rabbitmq",
    "keystone/fernet",
    "keystone/credential",
    "glance/images",
    "neutron/lock",
    "cinder/conversion",
    "cinder/lock",
    "nova/lock",
    "nova-guests/instances",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secrets:
    """Passwords of one cloud, made at random when its databases are; `service` is that of all service users."""

    database: str
    messages: str
    service: str
    admin: str
    member: str


def new_secrets() -> Secrets:
    """Fresh ones, kept in the state beside the databases that hold them."""
    made = Secrets(**{name: secrets.token_urlsafe(24) for name in Secrets.__dataclass_fields__})
    write(_secrets_file(), json.dumps(asdict(made)), mode=0o600)
    return made


def read_secrets() -> Secrets:
    """Those of the cloud whose state is in the home."""
    return Secrets(**json.loads(_secrets_file().read_text(encoding="utf-8")))


def write_all(found: Secrets) -> None:
    """Bring every configuration file to what it should be. May be repeated."""
    guests = {hypervisor.state(host): host.uuid for host in layout.GUEST_HOSTS}
    folders = (layout.etc(), layout.log(), layout.home() / "run", *(layout.state() / name for name in STATE_FOLDERS), *guests)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    layout.etc().chmod(0o700)
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
    )
    values = {
        "secrets": found,
        "url": {name: layout.url(name) for name in layout.PORTS},
        "address": layout.ADDRESS,
        "region": layout.REGION,
        "etc": layout.etc(),
        "state": layout.state(),
        "log": layout.log(),
        "run": layout.home() / "run",
        "venv": packages.place(),
        "guest_homes": layout.guest_homes(),
    }
    for template in sorted(TEMPLATES.iterdir()):
        if template.suffix != ".jinja":
            write(layout.etc() / template.name, templates.get_template(template.name).render(values), mode=0o600)
    write(layout.etc() / "rabbitmq.plugins", "[].\n")
    # Nova looks for it in its configuration folder only.
    shutil.copy(packages.place() / "etc" / "nova" / "api-paste.ini", layout.etc() / "api-paste.ini")
    # Nova refuses to start a compute that has been here before and lost its identity. Each fake host tells its own in truth.
    for folder, identity in {layout.state() / "nova": COMPUTE_ID, **guests}.items():
        write(folder / "compute_id", f"{identity}\n")
    _write_modules()


def _write_modules() -> None:
    # A copy under a name of its own: the services must see this folder and nothing else of ours.
    place = layout.home() / "python"
    if place.exists():
        shutil.rmtree(place)
    shutil.copytree(INSIDE, place / "kasumi_lab", ignore=shutil.ignore_patterns("__pycache__"))
    described = place / "kasumi_lab-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: kasumi-lab\nVersion: 1\n", encoding="utf-8")
    (described / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")


def _secrets_file() -> Path:
    return layout.state() / "secrets.json"

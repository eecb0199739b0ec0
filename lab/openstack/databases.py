"""Makes the databases of an empty cloud and Keystone's first administrator. Everything after that goes through the APIs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.command import attempt, run
from lab.openstack import layout, packages, services
from lab.openstack.configuration import Secrets

NAMES = ("keystone", "glance", "placement", "neutron", "cinder", "nova_api", "nova_cell0", "nova")
_SYNC_SECONDS = 600


def install() -> None:
    """A new data folder for MariaDB, whose root is the machine's root."""
    run(
        [
            "mariadb-install-db",
            f"--defaults-file={layout.etc() / 'mariadb.cnf'}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
        ]
    )


def fill(secrets: Secrets) -> None:
    """Create all databases, bring every schema to its newest version and bootstrap Keystone; MariaDB must run.

    Raises KasumiError with the complaint of the tool that failed.
    """
    statements = [f"CREATE DATABASE {name};" for name in NAMES]
    statements.append(f"CREATE USER lab@'127.0.0.1' IDENTIFIED BY '{secrets.database}';")
    statements.append("GRANT ALL PRIVILEGES ON *.* TO lab@'127.0.0.1';")
    run(["mariadb", f"--socket={layout.home() / 'run' / 'mariadb.sock'}"], feed="\n".join(statements))
    with ThreadPoolExecutor(max_workers=5) as pool:
        for done in [pool.submit(_keystone, secrets), pool.submit(_nova), pool.submit(_others)]:
            done.result()


def discover_hosts() -> None:
    """Tell Nova's API database of the compute hosts that have reported; later ones are found by its scheduler.

    Raises KasumiError with the complaint of the tool.
    """
    discover = _command("nova-manage", "nova.conf", ["cell_v2", "discover_hosts"])
    # Nova's scheduler looks too, every ten seconds. Where both write down the same host, the second fails, and is content when it looks again.
    if not attempt(discover, timeout_seconds=_SYNC_SECONDS)[0]:
        run(discover, timeout_seconds=_SYNC_SECONDS)


def _keystone(secrets: Secrets) -> None:
    keys = ["--keystone-user", "root", "--keystone-group", "root"]
    _tool("keystone-manage", "keystone.conf", ["db_sync"])
    _tool("keystone-manage", "keystone.conf", ["fernet_setup", *keys])
    _tool("keystone-manage", "keystone.conf", ["credential_setup", *keys])
    where = [word for kind in ("admin", "internal", "public") for word in (f"--bootstrap-{kind}-url", layout.url("keystone"))]
    bootstrap = _command("keystone-manage", "keystone.conf", ["bootstrap", "--bootstrap-region-id", layout.REGION, *where])
    # The password must not be on a command line, which everybody may read.
    script = 'IFS= read -r OS_BOOTSTRAP_PASSWORD && export OS_BOOTSTRAP_PASSWORD && exec "$@"'
    run(["sh", "-ec", script, "sh", *bootstrap], feed=f"{secrets.admin}\n", timeout_seconds=_SYNC_SECONDS)


def _nova() -> None:
    for arguments in (
        ["api_db", "sync"],
        ["cell_v2", "map_cell0"],
        ["db", "sync"],
        ["cell_v2", "create_cell", "--name", "cell1"],
    ):
        _tool("nova-manage", "nova.conf", arguments)


def _others() -> None:
    _tool("neutron-db-manage", "neutron.conf", ["upgrade", "heads"])
    _tool("glance-manage", "glance-api.conf", ["db_sync"])
    _tool("placement-manage", "placement.conf", ["db", "sync"])
    _tool("cinder-manage", "cinder.conf", ["db", "sync"])


def _tool(name: str, configuration: str, arguments: Sequence[str]) -> None:
    run(_command(name, configuration, arguments), timeout_seconds=_SYNC_SECONDS)


def _command(name: str, configuration: str, arguments: Sequence[str]) -> list[str]:
    options = ["--config-file", str(layout.etc() / configuration)]
    return services.enter([str(packages.place() / "bin" / name), *options, *arguments], {})

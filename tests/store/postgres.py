"""A real PostgreSQL of the tests' own: temporary data, a unix socket only, ended by pid."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "install it with `apt-get install postgresql`"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, f"no PostgreSQL server programs under /usr/lib/postgresql; {INSTALL}"
    return found[-1].parent


@contextmanager
def running_postgres() -> Iterator[str]:
    """Yields a function-free URL prefix: a database URL of a fresh cluster."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="kasumi-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    try:
        subprocess.run(
            [*as_user, programs / "initdb", "-D", folder / "data", "-U", "kasumi", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        control = [*as_user, programs / "pg_ctl", "-t", "300", "-D", folder / "data", "-w", "-l", folder / "log"]
        subprocess.run(
            [*control, "-o", f"-c listen_addresses='' -k {folder} -F", "start"], check=True, stdout=subprocess.DEVNULL, cwd="/"
        )
        try:
            yield f"postgresql://kasumi@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    finally:
        shutil.rmtree(folder)

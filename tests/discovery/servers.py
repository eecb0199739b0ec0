"""Servers to discover: real sshds on loopback, an inventory that names them, and the verbs as a person types them."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.cli import app
from tests.connectors.sshd import Sshd

ESTATE = """\
kasumi_estate: {id: test, name: test, access: {user: root, identity_file: %s}}
kasumi_tiers: {standard: {host_failures: 0}}
kasumi_sites: {east: {name: east}}
kasumi_networks: {lan: {cidr: 10.9.0.0/24, confidentiality: 1}}
kasumi_images: {}
"""
SYSTEM = """\
ministry_moj:
  vars: {kasumi_ministry: {name: 法務省, name_en: Justice}}
  children:
    system_registry:
      vars: {kasumi_system: {name: 登記, name_en: Registry, study_class: 4, confidentiality: 1}}
      hosts:
"""
SERVER = """\
        %s:
          kasumi_server:
            {kind: physical, size: {vcpus: 1, memory: 1GiB, disk: 10GiB}, disposition: retain%s}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a verb ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A home and an inventory of its own."""

    folder: Path
    identity_file: Path

    def declare(self, servers: dict[str, str]) -> None:
        """Servers by id, with what stands in their entry beside size and disposition."""
        inventory = self.folder / "inventory"
        (inventory / "group_vars" / "all").mkdir(parents=True, exist_ok=True)
        (inventory / "group_vars" / "all" / "estate.yml").write_text(ESTATE % self.identity_file)
        hosts = "".join(SERVER % (name, f", {more}" if more else "") for name, more in servers.items())
        (inventory / "20-moj.yml").write_text(SYSTEM + hosts)

    def kasumi(self, *words: str) -> Done:
        """Run a verb to its end, in this process: a new one costs a second."""
        verb, *rest = words
        where = ["--home", str(self.folder / "home"), "-i", str(self.folder / "inventory")]
        out, err, argv, stdin = io.StringIO(), io.StringIO(), sys.argv, sys.stdin
        sys.argv, sys.stdin = ["kasumi", verb, *where, *rest], io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = app._run()
        finally:
            sys.argv, sys.stdin = argv, stdin
        return Done(returncode=int(code), stdout=out.getvalue(), stderr=err.getvalue())

    def discovered(self, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Exit code of `kasumi discover` and its results by server."""
        done = self.kasumi("discover", *words, "-o", "json")
        assert done.stdout, done.stderr
        return done.returncode, {row["server"]: row for row in json.loads(done.stdout)["servers"]}


def at(sshd: Sshd, more: str = "", *, address: str = "127.0.0.1") -> str:
    """The entry of a server that is this sshd; `more` goes into its `ssh`."""
    return f"address: {address}, ssh: {{port: {sshd.port}{', ' + more if more else ''}}}"

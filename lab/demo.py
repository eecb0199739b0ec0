"""The main job on the lab, end to end, by the very commands a person would type; each step says in one line what it does.

Run it again after any interruption: every step looks before it acts, so it goes on where it stood.
"""

import json
import os
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.errors import KasumiError
from lab.layout import home

HOME = home() / "controller"
PLAN = HOME / "plan.json"
METRICS = "127.0.0.1:9178"
MIGRATED = "mhlw-pension"
DESTROYED = "portal-1"
PAGE = "the page of the portal, which shows rows of the migrated database"
_ANSWER_SECONDS = 300.0


@dataclass(slots=True)
class Story:
    """What was done so far, for the summary: (what, seconds, result)."""

    lines: list[tuple[str, float, str]] = field(default_factory=list)


def main() -> int:
    """Run the demonstration; 0 when every step did what it says."""
    os.environ["KASUMI_HOME"] = str(HOME)
    began = time.monotonic()
    story = Story()
    try:
        _tell(story, "Real libvirt hosts and two legacy servers come up on this machine", lambda: kasumi("lab", "up"))
        HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
        _tell(story, "The inventory is read and every mistake in it would be named", lambda: kasumi("inventory", "check"))
        _tell(story, "The planner decides size, host and address of every machine, with reasons", _plan)
        _tell(story, "The plan becomes machines on two hypervisors", lambda: kasumi("apply", str(PLAN)))
        _tell(story, "A second apply finds nothing to do", lambda: kasumi("apply", str(PLAN)))
        _tell(
            story, "Ansible configures the new machines over ssh: security policy, PostgreSQL, nginx", lambda: kasumi("configure")
        )
        _tell(story, "The old pension server is moved with its data, and its rows are counted on both sides", _migrate)
        _tell(story, "A page of the new portal reads the moved database", _page)
        _tell(story, "Metrics of hosts, ministries and savings are served", _metrics)
        _tell(story, "A machine is destroyed by hand and reconcile brings it back", _destroy_and_reconcile)
        _tell(story, "The evidence of all this is a chain nobody can change unseen", lambda: kasumi("evidence", "--verify"))
    except KasumiError as error:
        print(
            f"\ndemo stopped: {error}\nrun `make demo` again to go on from here, `make demo-down` to take it away",
            file=sys.stderr,
        )
        return 1
    _summary(story, time.monotonic() - began)
    return 0


def kasumi(*arguments: str) -> str:
    """Run one command as a person would and return what it printed. Raises KasumiError when it fails."""
    print(f"$ kasumi {shlex.join(arguments)}", flush=True)
    return run([str(Path(sys.executable).with_name("kasumi")), *arguments])


def run(command: Sequence[str], *, quiet: bool = False) -> str:
    """Standard output of a command, shown as well unless quiet; its talk goes to our standard error."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if not quiet:
                print("  " + line, end="", flush=True)
    if process.returncode != 0:
        raise KasumiError(f"`{shlex.join(command)}` ended with {process.returncode}")
    return "".join(lines)


def _tell(story: Story, what: str, act: Callable[[], str]) -> None:
    print(f"\n== {what}", flush=True)
    began = time.monotonic()
    last = act().strip().splitlines()
    story.lines.append((what, time.monotonic() - began, last[-1] if last else ""))
    print(f"   {story.lines[-1][1]:.0f} s", flush=True)


def _plan() -> str:
    """Plan once; on a later run the saved plan is the accepted one and goes on."""
    if PLAN.exists():
        return kasumi("show", str(PLAN))
    return kasumi("plan", "-o", str(PLAN))


def _migrate() -> str:
    phase = _phase()
    if phase in {"not started", "prepared"}:
        (HOME / "rows-before").write_text(_rows())
    before = (HOME / "rows-before").read_text()
    if phase not in {"ready", "cut-over", "finalized"}:
        kasumi("migrate", "start", MIGRATED, "--yes")
    if phase not in {"cut-over", "finalized"}:
        kasumi("migrate", "cutover", MIGRATED)
    after = _rows()
    print(f"  rows before: {before}\n  rows after:  {after}")
    if before != after:
        raise KasumiError(f"{MIGRATED}: rows before {before!r}, after {after!r}; `kasumi migrate rollback {MIGRATED}` goes back")
    kasumi("migrate", "finalize", MIGRATED, "--yes")
    kasumi("migrate", "status")
    return f"rows before {before}, after {after}"


def _phase() -> str:
    document = json.loads(
        run([str(Path(sys.executable).with_name("kasumi")), "migrate", "status", MIGRATED, "-o", "json"], quiet=True)
    )
    return str(document["migrations"][0]["phase"])


def _rows() -> str:
    """Count and digest of all rows, by SQL over ssh on the server itself."""
    query = "SELECT count(*) || ' rows, md5 ' || md5(string_agg(r::text, '|' ORDER BY r::text)) FROM records r"
    command = f"cd / && sudo -u postgres psql -d pension -Atc {shlex.quote(query)}"
    return run([str(Path(sys.executable).with_name("kasumi")), "lab", "ssh", MIGRATED, "--", command], quiet=True).strip()


def _page() -> str:
    address = _address(DESTROYED)
    print(f"$ curl http://{address}/    # {PAGE}")
    body = _get(f"http://{address}/", expect=["records="])
    print("  " + "\n  ".join(body.strip().splitlines()[:5]))
    return body.strip().splitlines()[0]


def _metrics() -> str:
    print(f"$ kasumi serve --listen {METRICS} &\n$ curl http://{METRICS}/metrics")
    command = [str(Path(sys.executable).with_name("kasumi")), "serve", "--listen", METRICS]
    with subprocess.Popen(command) as server:
        try:
            answered = [f'consolidation_host_up{{host="{host["id"]}"}} 1.0' for host in _planned("hosts")]
            body = _get(f"http://{METRICS}/metrics", expect=answered)
        finally:
            server.terminate()
    shown = [line for line in body.splitlines() if any(name in line for name in ("host_up{", "consolidation_ratio", "_vms{"))]
    print("  " + "\n  ".join(shown[:12]))
    return f"{sum(1 for line in body.splitlines() if line and not line.startswith('#'))} samples"


def _destroy_and_reconcile() -> str:
    host = _machine(DESTROYED)["host"]
    print(f"$ kasumi lab ssh {host} -- virsh destroy {DESTROYED}")
    run([str(Path(sys.executable).with_name("kasumi")), "lab", "ssh", str(host), "--", f"virsh destroy {DESTROYED} || true"])
    kasumi("reconcile", "--once")
    return kasumi("reconcile", "--check")


def _machine(machine_id: str) -> dict[str, object]:
    return next(dict(machine) for machine in _planned("machines") if machine["id"] == machine_id)


def _planned(what: str) -> list[dict[str, object]]:
    return list(json.loads(PLAN.read_text(encoding="utf-8"))[what])


def _address(machine_id: str) -> str:
    nics = _machine(machine_id)["nics"]
    if not isinstance(nics, list):
        raise KasumiError(f"{PLAN}: machine {machine_id} has no network cards; plan again")
    return str(nics[0]["address"])


def _get(url: str, *, expect: Sequence[str]) -> str:
    """The body once it holds all that is expected; asked again until then."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (an http URL made here)
                body = answer.read().decode()
                missing = [text for text in expect if text not in body]
                if not missing:
                    return str(body)
                problem = f"answers without {missing[0]!r}"
        except OSError as error:
            problem = str(error)
        if time.monotonic() > deadline:
            raise KasumiError(f"{url}: {problem} after {_ANSWER_SECONDS:.0f} s")
        time.sleep(1.0)


def _summary(story: Story, seconds: float) -> None:
    print("\n== Done")
    for what, took, _ in story.lines:
        print(f"  {took:6.0f} s  {what}")
    print(f"  {seconds:6.0f} s  in all")
    print(f"""
Where to look:
  export KASUMI_HOME={HOME}
  kasumi status                        hosts and machines now
  kasumi show {PLAN}    every decision with its reason
  curl http://{_address(DESTROYED)}/               {PAGE}
  kasumi serve                         metrics and a page at http://{METRICS}/
  kasumi lab ssh portal-1              a shell on a machine
  make demo-down                       takes everything away""")


if __name__ == "__main__":
    sys.exit(main())

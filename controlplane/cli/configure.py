"""`kasumi configure`: security policy and middleware by Ansible, on machines of the accepted plan."""

import sys

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.session import Session
from controlplane.connectors.ansible import TaskProgress, Watcher
from controlplane.execution.configure import Wish, exit_code_of
from controlplane.execution.configure import configure as configure_machines
from controlplane.execution.reconcile import accepted

_COLUMNS = ("machine", "ok", "changed", "skipped", "failures", "unreachable")


class PrintedProgress(Watcher):
    """One line for each task, rewritten in place on a terminal; failures and notes as they come."""

    def __init__(self) -> None:
        self._shown = ""

    def task(self, progress: TaskProgress) -> None:
        """Show how the task stands."""
        counts = " ".join(f"{kind}={count}" for kind, count in progress.counts.items())
        if sys.stderr.isatty():
            start = "\r\033[K" if progress.task == self._shown else "\n"
            print(f"{start}{progress.task}: {counts}", end="", file=sys.stderr, flush=True)
        elif progress.task != self._shown:
            say(f"task {progress.task!r} play={progress.play!r}")
        self._shown = progress.task

    def note(self, text: str) -> None:
        """Show a note on its own line."""
        say(text)


def configure(
    machines: list[str] = typer.Argument(
        None, metavar="[MACHINE]…", help="Machines to configure; all made from an image when left out."
    ),
    check: bool = typer.Option(False, "--check", help="Say what would change; change nothing."),
    diff: bool = typer.Option(False, "--diff", help="Show differences of files."),
    tags: list[str] = typer.Option([], "--tags", help="Only tasks with this tag, such as a control of the policy (KSP-TIME-1)."),
    accept_new_host_keys: bool = typer.Option(
        False, "--accept-new-host-keys", help="Record changed host keys as the hypervisor shows them."
    ),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Push the unified security policy and the middleware each machine's roles ask for. A second run changes nothing.

    Exit codes: 0 done, 1 failed, 3 some machines failed, 4 not reached, 5 a host key changed.
    """
    session = Session(home=home, inventory=inventory)
    plan = accepted(session.store, session.estate.id)
    wish = Wish(
        machines=tuple(machines or ()), check=check, diff=diff, tags=tuple(tags), accept_new_host_keys=accept_new_host_keys
    )
    result = configure_machines(plan, wish, session.store, session.settings, actor=session.actor, watch=PrintedProgress())
    for host, difference in result.diffs:
        say(f"--- {host}\n{difference}")
    for failure in result.failures:
        say(f"{'unreachable' if failure.unreachable else 'failed'} {failure.host}: {failure.task}: {failure.message}")
    emit("machines", [{"machine": host, **counts} for host, counts in sorted(result.hosts.items())], _COLUMNS, output)
    changed = sum(counts["changed"] for counts in result.hosts.values())
    say(
        f"configure: {changed} {'would change' if check else 'changed'} on {len(result.hosts)} machines, strategy {result.strategy}"
    )
    return int(exit_code_of(result))

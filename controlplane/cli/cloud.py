"""`kasumi cloud`: what is made in a cloud with an administrator's rights, so that everything else needs none."""

from collections.abc import Sequence

import typer
import yaml

from controlplane.cli.confirming import go_on
from controlplane.cli.named_plan import named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.execution.tenancy import TenantLook, look_at_tenants, prepare_tenants
from controlplane.model.document import to_data
from controlplane.model.tenancy import Step

app = typer.Typer(no_args_is_help=True, help="Ministries' projects in a cloud: made, given their quotas, and held to them.")

_COLUMNS = ("ministry", "what", "wanted", "found", "step")


@app.command()
def prepare(
    cloud: str = typer.Argument(..., metavar="CLOUD", help="A cloud of kasumi_clouds in the inventory."),
    plan: str = typer.Argument(
        "", metavar="[PLAN]", help="Where quotas follow demand: that of this plan, a file or `accepted` (default: accepted)."
    ),
    yes: bool = typer.Option(False, "--yes", help="Do what is shown without asking."),
    check: bool = typer.Option(False, "--check", help="Only look and report; change nothing."),
    detailed_exitcode: bool = typer.Option(False, "--detailed-exitcode", help="With --check: exit 2 when differences exist."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Make each ministry's project in a cloud, set its quotas and give our member its role there; shown first, then asked.

    Needs an administrator's credentials, and nothing else does. Run again at any time: what is as wanted is left alone. A project
    without our mark is never taken, whatever its name. Says what clouds.yaml lacks; passwords are yours to write there.
    Exit codes: 0 as wanted; 1 failed; 2 differences (--check --detailed-exitcode); 3 some ministries failed; 4 the cloud was not reached;
    5 something that is not ours stands in the way, or a quota would be below what is used.
    """
    session = Session(home=home, inventory=inventory)
    estate = session.estate
    demand = named_plan(plan, session) if plan else session.store.accepted_plan(estate.id)
    looks = look_at_tenants(estate, session.store, cloud, demand)
    if output is Format.TABLE:
        _show(looks)
    to_do = [each for look in looks for each in look.to_do]
    if to_do and not check:
        if not yes:
            say(f"{len(to_do)} things would be made or set at {estate.clouds[cloud].administrator}")
            go_on("changed")
        looks = prepare_tenants(looks, estate, session.store, cloud, actor=session.actor, say=say)
    if output is not Format.TABLE:
        _emit(cloud, looks, output)
    _say_logins(looks)
    for look in looks:
        if look.problem:
            say(f"{look.tenant.ministry}: {look.problem}")
        for each in look.differences:
            if each.step is Step.LEAVE:
                say(f"{look.tenant.ministry}: {each.what}: wanted {each.wanted}, left as it is: {each.found}")
    say(_sentence(cloud, looks, check=check))
    return _exit_code(looks, check=check, detailed=detailed_exitcode)


def _show(looks: Sequence[TenantLook]) -> None:
    records = [to_data(each) for look in looks for each in look.differences]
    if records:
        emit("differences", records, _COLUMNS, Format.TABLE)


def _emit(cloud: str, looks: Sequence[TenantLook], output: Format) -> None:
    differences = [to_data(each) for look in looks for each in look.differences]
    if output is Format.CSV:
        emit("differences", differences, _COLUMNS, output)
        return
    tenants = [
        {
            "ministry": look.tenant.ministry,
            "project": look.tenant.name,
            "domain": look.tenant.domain,
            "project_id": look.project_id,
            "login": look.tenant.login,
            "login_problem": look.login_problem,
            "problem": look.problem,
        }
        for look in looks
    ]
    entries = {look.tenant.login: look.login for look in looks if look.login}
    emit_document({"cloud": cloud, "tenants": tenants, "differences": differences, "clouds_yaml": {"clouds": entries}}, output)


def _say_logins(looks: Sequence[TenantLook]) -> None:
    """What a person has to write: we hold no password."""
    lacking = [look for look in looks if look.login_problem]
    for look in lacking:
        say(f"{look.tenant.ministry}: {look.login_problem}")
    if lacking:
        entries = yaml.safe_dump({look.tenant.login: look.login for look in lacking}, sort_keys=False, allow_unicode=True)
        say(
            "under `clouds:` of clouds.yaml, with the password in secure.yaml; or with these log in once and make an application credential "
            f"for each, which ends when you say:\n{entries.rstrip()}"
        )


def _sentence(cloud: str, looks: Sequence[TenantLook], *, check: bool) -> str:
    left = sum(len(look.differences) for look in looks)
    well = sum(1 for look in looks if not look.problem and not look.differences)
    verb = "check" if check else "prepare"
    return f"cloud {verb} {cloud}: {well} of {len(looks)} ministries' projects as wanted, {left} differences left"


def _exit_code(looks: Sequence[TenantLook], *, check: bool, detailed: bool) -> int:
    problems = [look for look in looks if look.problem]
    if problems:
        if len(problems) < len(looks):
            return ExitCode.PARTLY_FAILED
        return ExitCode.REFUSED if all(look.refused for look in problems) else ExitCode.FAILED
    left = [each for look in looks for each in look.differences]
    if check:
        return ExitCode.DIFFERENCES if left and detailed else ExitCode.DONE
    return ExitCode.REFUSED if left else ExitCode.DONE

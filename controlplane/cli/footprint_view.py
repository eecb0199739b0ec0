"""How a year of running the estate reads: machines, rack units, MWh, CO2 and yen before and after, beside what was promised."""

from rich.console import Console
from rich.table import Table

from controlplane.cli.drawing import bullet, heading, table
from controlplane.cli.session import Session
from controlplane.errors import KasumiError
from controlplane.model.plan import Plan
from controlplane.planning.footprint import Footprint, Footprints, footprints

_NUMBERS = ("machines", "U", "MWh", "t CO2", "千円/year", "promised")


def footprints_at_hand(plan: Plan, session: Session) -> Footprints | None:
    """What a year takes, or None where the inventory of the plan is not at hand: a plan can be read without it."""
    try:
        estate = session.estate
    except KasumiError:
        return None
    return footprints(plan, estate) if estate.id == plan.estate else None


def draw_footprints(console: Console, found: Footprints) -> None:
    """The section of a plan; nothing where the inventory has no physical server and the plan no host."""
    if not found.ministries:
        return
    heading(console, "A year of running it: before -> after")
    console.print(_ministries(found))
    saved, promised = (
        found.before.thousand_yen - found.after.thousand_yen,
        sum(e.promised_thousand_yen or 0 for e in found.ministries),
    )
    what = "less" if saved >= 0 else "more"
    text = (
        f"{abs(saved):,.0f} thousand yen a year {what} for power and maintenance; Table 1 promises {promised:,} for whole systems"
    )
    bullet(console, "", "", text)
    for year in found.years:
        due = f", {year.still_due_thousand_yen:,.0f} less for contracts of ended servers" if year.still_due_thousand_yen else ""
        bullet(console, "", "", f"fiscal year {year.fiscal_year}: {year.saved_thousand_yen:,.0f} thousand yen saved{due}")
    if found.assumed or found.policy.assumed:
        text = f"{found.assumed} of {found.numbers} watts, heights and contracts are assumed"
        prices = [name for name in found.policy.assumed if "." not in name]
        text += f", and {', '.join(prices)}" if prices else ""
        bullet(console, "!", "yellow", f"{text}; state them in `running` and `kasumi_policy`")


def _ministries(found: Footprints) -> Table:
    rows = table(("ministry", *_NUMBERS), numbers=_NUMBERS, whole=("ministry",))
    for each in found.ministries:
        promised = f"{each.promised_thousand_yen:,}" if each.promised_thousand_yen is not None else "-"
        rows.add_row(each.ministry, *_amounts(each.before, each.after), promised)
    whole = sum(each.promised_thousand_yen or 0 for each in found.ministries)
    rows.add_row("all", *_amounts(found.before, found.after), f"{whole:,}")
    return rows


def _amounts(before: Footprint, after: Footprint) -> tuple[str, ...]:
    return (
        _change(before.machines, after.machines),
        _change(before.rack_units, after.rack_units),
        _change(before.kwh / 1000, after.kwh / 1000),
        _change(before.co2_tonnes, after.co2_tonnes),
        _change(before.thousand_yen, after.thousand_yen),
    )


def _change(before: float, after: float) -> str:
    return f"{_number(before)} -> {_number(after)}"


def _number(amount: float) -> str:
    return f"{amount:.1f}" if 0 < amount < 10 else f"{amount:,.0f}"

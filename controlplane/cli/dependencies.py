"""`kasumi dependencies`: who depends on whom, as tables, as a graph for DOT, or as one document."""

import typer

from controlplane.cli.kept_assessment import ASSESSMENT_OPTION, kept_assessment
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.assessment import Graph
from controlplane.model.document import digest, to_data
from controlplane.reporting.dot import graph_to_dot

COLUMNS = ("client", "server", "protocol", "port", "process", "evidence", "strong")


def dependencies(
    dot: bool = typer.Option(False, "--dot", help="Print the graph in the language of Graphviz."),
    assessment: OptionalPath = ASSESSMENT_OPTION,
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show dependencies, cohorts that must move together, shared and external ones, ghosts and idle servers."""
    if dot and output is not Format.TABLE:
        raise KasumiError(f"dependencies: --dot and -o {output.value} are two formats; give one of them", ExitCode.USAGE)
    made = kept_assessment(assessment, Session(home=home, inventory=inventory))
    ghosts = {server.id: server.ghost for server in made.servers if server.ghost}
    idle = [server.id for server in made.servers if server.idle]
    if dot:
        typer.echo(graph_to_dot(made), nl=False)
    elif output in {Format.JSON, Format.YAML}:
        emit_document({"assessment": digest(made), **to_data(made.graph), "ghosts": ghosts, "idle": idle}, output)
    else:
        emit("dependencies", [to_data(one) for one in made.graph.dependencies], COLUMNS, output)
        _say_rest(made.graph, ghosts, idle)
    return ExitCode.DONE


def _say_rest(graph: Graph, ghosts: dict[str, str], idle: list[str]) -> None:
    say(f"{graph.observed_servers} servers told of their connections; what others use is not known")
    for cohort in graph.cohorts:
        say(f"cohort: {' '.join(cohort.servers)} ({', '.join(cohort.ministries)}): {'; '.join(cohort.ties)}")
    for one in graph.shared:
        say(f"shared: {one.server} port {one.port}: used by {', '.join(one.systems)}")
    for stranger in graph.strangers:
        where = f"inside network {stranger.inside}, in no ledger" if stranger.inside else "outside the estate"
        say(
            f"stranger: {stranger.address} ports {' '.join(map(str, stranger.ports))} ({where}): talks with {', '.join(stranger.servers)}"
        )
    for server, why in ghosts.items():
        say(f"ghost: {server}: {why}")
    for server in idle:
        say(f"idle: {server}")

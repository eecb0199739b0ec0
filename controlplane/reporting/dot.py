"""The dependency graph in Graphviz's language: systems as boxes, cohorts by thick edges, ghosts dashed. Names are hostile."""

from controlplane.model.assessment import Assessment


def graph_to_dot(made: Assessment) -> str:
    """The whole graph; the same assessment gives the same text."""
    names = {system.id: system.name for system in made.systems}
    lines = ["digraph dependencies {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for system in made.systems:
        members = [server for server in made.servers if server.system == system.id]
        if members:
            lines.append(f"  subgraph {_quoted(f'cluster_{system.id}')} {{")
            lines.append(f"    label={_quoted(f'{system.ministry} / {names[system.id]}')};")
            for server in members:
                style = ", style=dashed" if server.ghost else ", style=dotted" if server.idle else ""
                lines.append(f"    {_quoted(server.id)} [label={_quoted(f'{server.id} ({server.fate.decided.value})')}{style}];")
            lines.append("  }")
    known = {server.id for server in made.servers}
    for stranger in made.graph.strangers:
        lines.append(f"  {_quoted(stranger.address)} [shape=ellipse, color=grey];")
    for one in made.graph.dependencies:
        label = f"{one.port} {one.process}".strip() if one.port else "declared"
        weight = ", penwidth=2" if one.strong else ", color=grey" if one.client not in known or one.server not in known else ""
        lines.append(f"  {_quoted(one.client)} -> {_quoted(one.server)} [label={_quoted(label)}{weight}];")
    return "\n".join((*lines, "}", ""))


def _quoted(text: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'

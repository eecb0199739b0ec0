"""`kasumi report`: documents as pages that people read, print and sign."""

import typer

from controlplane.cli.report_assessment import assessment
from controlplane.cli.report_plan import plan

app = typer.Typer(help="Documents as pages that people read, print and sign.", no_args_is_help=True)

app.command("assessment")(assessment)
app.command("plan")(plan)

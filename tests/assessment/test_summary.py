"""The summary that `kasumi assess` prints: what is not known is counted as such, never summed up as zero."""

from dataclasses import replace

from controlplane.cli.assess import show
from tests.assessment.estates import assessed


def test_servers_without_a_size_are_no_zero_in_the_sums(capsys):
    made = assessed()
    show(made)
    assert "unknown " not in capsys.readouterr().out.partition("\n")[2]
    blank = [replace(server, size=replace(server.size, declared=None, wanted=None)) for server in made.servers]
    show(replace(made, servers=tuple(blank)))
    assert " unknown " in capsys.readouterr().out.partition("\n")[2]
    show(replace(made, servers=(blank[0], *made.servers[1:])))
    assert "GiB + 1 unknown" in capsys.readouterr().out

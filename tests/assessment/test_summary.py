"""The summary that `kasumi assess` prints: what is not known is counted as such, never summed up as zero."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from controlplane.cli.app import main
from controlplane.cli.assess import show
from controlplane.model.document import assessment_to_json
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


def test_the_schema_that_is_printed_is_that_of_the_document(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["kasumi", "assess", "--schema"])
    with pytest.raises(SystemExit) as ended:
        main()
    schema = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    Draft202012Validator.check_schema(schema)
    checker = Draft202012Validator(schema)
    document = json.loads(assessment_to_json(assessed()))
    assert list(checker.iter_errors(document)) == []
    for wrong in (
        document | {"schema_version": 0},
        document | {"digest": "x"},
        document | {"servers": [{"id": "a"}]},
        document | {"more": 1},
        {key: value for key, value in document.items() if key != "graph"},
    ):
        assert list(checker.iter_errors(wrong))

"""`kasumi evidence` lists what was done and finds what was changed since."""

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text

from controlplane.settings import Settings, resource
from controlplane.store import open_store
from tests.execution.plans import SEEN_AT


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    store = open_store(Settings(home=folder, database_url=f"sqlite:///{folder}/kasumi.db", inventory=tmp_path))
    for number in range(3):
        store.append_evidence(
            "lab", actor="me@here", action="create:intent", subject=f"m{number}", detail={"n": number}, at=SEEN_AT
        )
    store.close()
    return folder


def evidence(home, *arguments):
    environment = os.environ | {"KASUMI_HOME": str(home), "KASUMI_INVENTORY": str(resource("inventories") / "lab")}
    command = [sys.executable, "-m", "controlplane", "evidence", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_last_records_as_data(home):
    document = json.loads(evidence(home, "--last", "2", "-o", "json").stdout)
    assert [(each["number"], each["subject"], each["detail"]) for each in document["evidence"]] == [
        (2, "m1", {"n": 1}),
        (3, "m2", {"n": 2}),
    ]
    assert document["evidence"][1]["previous"] == document["evidence"][0]["digest"]


def test_all_records_as_a_table(home):
    lines = evidence(home).stdout.splitlines()
    assert lines[0].split() == ["number", "at", "actor", "action", "subject", "detail"]
    assert len(lines) == 4
    assert '{"n": 2}' in lines[3]


def test_a_whole_chain_says_its_last_digest(home):
    done = evidence(home, "--verify")
    newest = json.loads(evidence(home, "--last", "1", "-o", "json").stdout)["evidence"][0]["digest"]
    assert (done.returncode, done.stderr) == (0, f"evidence of lab: 3 records, unbroken; last digest {newest}\n")


def test_a_changed_record_is_named(home):
    engine = create_engine(f"sqlite:///{home}/kasumi.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE evidence SET subject = 'another' WHERE number = 2"))
    engine.dispose()
    done = evidence(home, "--verify")
    assert done.returncode == 1
    assert done.stderr.startswith("evidence of lab: record 2 does not fit its seal, its number or the record before it; ")


def test_no_evidence_yet_is_whole(tmp_path):
    assert evidence(tmp_path / "new", "--verify").stderr == "evidence of lab: 0 records, unbroken\n"

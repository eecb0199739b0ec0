"""`kasumi trust`, `discover` and `facts` against a real sshd, as a person types them."""

import json

from controlplane.model.facts import CATALOGUE
from tests.connectors.sshd import free_port, running_sshd
from tests.discovery.servers import at


def fingerprint(done) -> str:
    return json.loads(done.stdout)["keys"][0]["fingerprint"]


def test_nothing_is_asked_of_a_server_whose_key_nobody_confirmed(controller):
    code, found = controller.discovered()
    assert (code, found["one"]["answer"]) == (5, "host-key")
    assert "no host key on record; look at it with `kasumi trust one`" in found["one"]["message"]


def test_trust_shows_and_records_only_what_is_confirmed(controller):
    shown = controller.kasumi("trust", "one", "--show", "-o", "json")
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["keys"][0]["state"] == "new"
    unasked = controller.kasumi("trust", "one")
    assert unasked.returncode == 5
    assert "nobody confirmed its fingerprints" in unasked.stderr
    assert fingerprint(shown) in unasked.stderr
    wrong = controller.kasumi("trust", "one", "--fingerprint", "SHA256:wrong")
    assert wrong.returncode == 5
    assert "it is another server, or was made anew" in wrong.stderr
    assert not (controller.folder / "home" / "servers_known_hosts").exists()
    right = controller.kasumi("trust", "one", "--fingerprint", fingerprint(shown), "-o", "json")
    assert right.returncode == 0
    assert json.loads(right.stdout)["keys"][0]["state"] == "recorded"
    assert (controller.folder / "home" / "servers_known_hosts").stat().st_mode & 0o077 == 0
    again = controller.kasumi("trust", "one", "-o", "json")
    assert json.loads(again.stdout)["keys"][0]["state"] == "on record"
    evidence = json.loads(controller.kasumi("evidence", "-o", "json").stdout)["evidence"]
    assert [(record["action"], record["subject"]) for record in evidence] == [("trust:recorded", "one")]


def test_a_server_without_address_is_not_dropped_without_a_word(controller, sshd):
    controller.declare({"one": at(sshd), "two": ""})
    done = controller.kasumi("trust", "one", "two", "--yes", "-o", "json")
    assert done.returncode == 4
    assert "kasumi: server two: has no address; add `address: …` to its kasumi_server in the inventory" in done.stderr
    assert {row["server"] for row in json.loads(done.stdout)["keys"]} == {"one"}
    assert controller.kasumi("trust", "two").returncode == 4
    whole = controller.kasumi("trust", "registry")
    assert (whole.returncode, "server two: has no address" in whole.stderr) == (0, True)


def test_a_changed_key_is_refused_loudly_until_replaced(trusted, sshd, tmp_path):
    with running_sshd(tmp_path / "impostor") as impostor:
        (impostor.folder / "authorized_keys").write_text((sshd.folder / "user_key.pub").read_text())
        home = tmp_path / "home" / "servers_known_hosts"
        home.write_text(home.read_text().replace(f":{sshd.port} ", f":{impostor.port} "))
        trusted.declare({"one": at(impostor)})
        code, found = trusted.discovered()
        assert (code, found["one"]["answer"]) == (5, "host-key")
        assert "ITS HOST KEY CHANGED: wanted ssh-ed25519 SHA256:" in found["one"]["message"]
        refused = trusted.kasumi("trust", "one", "--yes")
        assert refused.returncode == 5
        assert "only then `kasumi trust one --replace`" in refused.stderr
        replaced = trusted.kasumi("trust", "one", "--yes", "--replace", "-o", "json")
        assert json.loads(replaced.stdout)["keys"][0]["state"] == "replaced"
        assert trusted.discovered()[1]["one"]["answer"] in {"answered", "partly"}


def test_what_a_server_says_is_kept_and_shown(trusted):
    code, found = trusted.discovered("one")
    assert code in {0, 3}, found
    assert found["one"]["answer"] in {"answered", "partly"}
    assert {probe["answer"] for probe in found["one"]["probes"]} <= {"answered", "absent", "failed", "refused"}
    said = json.loads(trusted.kasumi("facts", "one", "-o", "json").stdout)["facts"]
    assert {fact["source"] for fact in said} == {"ssh", "ledger"}
    facts = [fact for fact in said if fact["source"] == "ssh"]
    assert all(fact["used"] for fact in facts)
    by_field = {fact["field"]: fact for fact in facts}
    assert set(by_field) <= set(CATALOGUE)
    assert by_field["os.family"]["value"] == "linux"
    assert by_field["cpu.count"]["value"] >= 1
    assert by_field["memory.total_mib"]["value"] > 100
    assert abs(by_field["ntp.offset_seconds"]["value"]) < 5
    assert {"root"} <= {user["name"] for user in by_field["users"]["value"]}
    assert any(row["port"] for row in by_field["listeners"]["value"])
    assert all(fact["source"] == "ssh" and 0 < fact["confidence"] <= 1 for fact in facts)
    table = trusted.kasumi("facts", "one", "--field", "os.*")
    assert "os.id" in table.stdout
    assert "cpu.count" not in table.stdout
    assert "one: ssh" in table.stderr


def test_every_collection_is_kept_and_silence_hides_no_facts(trusted, sshd):
    trusted.discovered()
    nobody, known = free_port(), trusted.folder / "home" / "servers_known_hosts"
    trusted.declare({"one": f"address: 127.0.0.1, ssh: {{port: {nobody}}}"})
    known.write_text(known.read_text().replace(f":{sshd.port} ", f":{nobody} "))
    code, found = trusted.discovered()
    assert (code, found["one"]["answer"]) == (4, "unreachable")
    done = trusted.kasumi("facts", "one")
    assert "cpu.count" in done.stdout
    assert "one: ssh unreachable" in done.stderr


def test_windows_is_never_asked(trusted, sshd):
    trusted.declare({"one": at(sshd), "fax": "os: windows-2003, address: 127.0.0.9", "old": ""})
    code, found = trusted.discovered()
    assert code == 4
    assert found["fax"]["answer"] == "unsupported"
    assert "windows-2003: no probe speaks to it" in found["fax"]["message"]
    assert found["old"]["message"].startswith("has no address")


def test_an_id_that_nothing_has_is_a_usage_error(controller):
    done = controller.kasumi("discover", "onee")
    assert done.returncode == 64
    assert "did you mean one?" in done.stderr
    assert controller.kasumi("facts", "registry").returncode == 64


def test_a_span_shorter_than_its_step_is_a_usage_error_and_not_an_hour_of_waiting(controller):
    done = controller.kasumi("discover", "one", "--sample", "10s", "--every", "1h")
    assert (done.returncode, "--sample 10s ends before the first --every 1h" in done.stderr) == (64, True)


def test_a_field_that_nothing_has_is_a_usage_error_and_one_that_nobody_states_is_said(controller):
    wrong = controller.kasumi("facts", "one", "--field", "os.nam")
    assert (wrong.returncode, "--field os.nam: no such field; did you mean os.name?" in wrong.stderr) == (64, True)
    silent = controller.kasumi("facts", "one", "--field", "snapshots")
    assert (silent.returncode, "one: no source says anything about snapshots" in silent.stderr) == (0, True)


def test_jump_hosts_are_ids_or_addresses_and_not_a_circle(trusted, sshd):
    trusted.declare(
        {
            "one": at(sshd),
            "behind": at(sshd, "jump: one", address="127.0.0.2"),
            "round": at(sshd, "jump: round", address="127.0.0.3"),
        }
    )
    assert "go in a circle: round → round" in trusted.kasumi("discover", "round").stderr
    unknown = trusted.discovered("behind")[1]["behind"]
    assert unknown["answer"] == "host-key"
    assert trusted.kasumi("trust", "behind", "--yes").returncode == 0
    assert trusted.discovered("behind")[1]["behind"]["answer"] in {"answered", "partly"}
    assert f"[127.0.0.2@127.0.0.1]:{sshd.port}" in (trusted.folder / "home" / "servers_known_hosts").read_text()


def test_a_jump_host_that_nobody_declared_is_a_mistake_of_the_inventory(trusted, sshd):
    trusted.declare({"one": at(sshd), "behind": at(sshd, "jump: onne", address="127.0.0.2")})
    done = trusted.kasumi("discover")
    assert done.returncode == 1
    assert "no server 'onne', did you mean one?" in done.stderr

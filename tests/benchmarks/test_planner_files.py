"""Readers of instance files: what is written is read back, and every mistake is named with file, line and what was wanted."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.planner import fleet, peer_ganeti, roadef, running, vbp
from benchmarks.planner.__main__ import main
from benchmarks.planner.packing_made import fleet as made_fleet
from benchmarks.planner.packing_made import triplets, uniform
from benchmarks.planner.roadef_made import made_problem
from benchmarks.planner.tokens import InstanceError
from tests.planning.reassign.small import by_hand


@pytest.mark.parametrize(
    "text", ["2 9 9 2 5 1 4 1 5 4", "\n\n 2\t9\n\n 9\n2 5 1 4   1 5\n4", "2\r\n9 9\r\n2\r\n5 1 4\r\n+1 5 4\r\n"]
)
def test_blanks_and_line_ends_do_not_matter(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.vbp").write_bytes(text.encode())
    line = running.run(tmp_path / "a.vbp", budget_seconds=0.3, seed=1)
    assert (line.items, line.dimensions, line.result, line.lower_bound) == (8, 2, 4, 4)


def test_vbp_over_several_lines_with_equal_rows_made_one(tmp_path: Path) -> None:
    file = tmp_path / "a.vbp"
    file.write_text("2\n10\n20 3\n5 5 2\n1 2\n3\n5 5 1\n")
    problem = vbp.read_vbp(file)
    assert problem.sizes.tolist() == [[1, 2], [5, 5]]
    assert problem.copies.tolist() == [3, 3]
    assert problem.capacities.tolist() == [[10, 20]]
    vbp.write_vbp(problem, tmp_path / "b.vbp")
    assert vbp.read_vbp(tmp_path / "b.vbp").sizes.tolist() == problem.sizes.tolist()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2 10 20\n1\n5 x 1\n", "a.vbp:3: wanted whole numbers of 64 bits, found 'x'"),
        ("2 10 20\n2\n5 5 1\n", "a.vbp: wanted 6 numbers (item rows, 3 numbers each), the file ends after 3 of them"),
        ("0\n", "a.vbp:1: number of dimensions: wanted from 1 to 10000, found 0"),
        ("1 10\n1\n11 1\n", "a.vbp: item row 1: size 11 in dimension 1 exceeds the capacity 10; no bin can hold it"),
        ("1 10\n1\n-1 1\n", "a.vbp:3: item rows, 2 numbers each: wanted from 0 to 9007199254740992, found -1"),
        ("1 10\n1\n1 1\n7\n", "a.vbp:4: wanted the end of the file, found 1 more numbers, first 7"),
        ("", "a.vbp: wanted 1 numbers (number of dimensions), the file ends after 0 of them"),
        ("1 10\n1\n5\x1c1\n", "a.vbp:3: wanted whole numbers of 64 bits, found '5\\x1c1'"),
        ("1 10\n1\n5-3 1\n", "a.vbp:3: wanted whole numbers of 64 bits, found '5-3'"),
        (f"1 10\n1\n{'9' * 30} 1\n", f"a.vbp:3: item rows, 2 numbers each: wanted from 0 to 9007199254740992, found {'9' * 30}"),
        (f"1 10\n1\nx {'9' * 6000}\n", "a.vbp:3: wanted whole numbers of 64 bits, found 'x'"),
        (f"1 10\n1\n{'9' * 6000} x\n", f"a.vbp:3: wanted whole numbers of 64 bits, found '{'9' * 40}…'"),
        ("1 10\n1\n5 4000000000\n", "a.vbp: wanted at most 10000000 items in all, found 4000000000"),
        ("\ufeff1 10\n1\n5 1\n", "a.vbp:1: wanted numbers, found a byte order mark; save it as plain text without one"),
        ("1 10\n1\n５ 1\n", "a.vbp:3: wanted numbers, found byte 0xef"),
    ],
)
def test_vbp_mistakes_are_named(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "a.vbp").write_text(text, encoding="utf-8")
    with pytest.raises(InstanceError) as caught:
        vbp.read_vbp(tmp_path / "a.vbp")
    assert str(caught.value) == f"{tmp_path}/{complaint}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="No such file or directory; name a file that can be read"):
        vbp.read_vbp(tmp_path / "none.vbp")


def test_roadef_problem_is_read_back_as_written(tmp_path: Path) -> None:
    problem = made_problem(hosts=5, items=12, resources=3, seed=2)
    model = tmp_path / "model_x_1.txt"
    roadef.write_problem(problem, model)
    read = roadef.read_problem(model, tmp_path / "assignment_x_1.txt")
    for name in ("capacity", "safety", "host_move_cost", "size", "group", "initial", "spread", "transient", "load_weight"):
        assert (getattr(read, name) == getattr(problem, name)).all(), name
    assert read.depends_on == problem.depends_on
    assert read.balances == problem.balances


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("2\n0 3\n", "2\n2 3\n", "transient flag of a resource: wanted 0 or 1, found 2"),
        ("\n0 5 4 7\n", "\n9 5 4 7\n", "service of a process: wanted 0 to 1, found 9"),
        ("1 10 100\n", "1 10\n", "the file ends after 0 of them"),
        ("1 1 0\n", "1 1 5\n", "dependencies of service 1: wanted from 0 to 1, found 5"),
    ],
)
def test_roadef_mistakes_are_named(old: str, new: str, complaint: str, tmp_path: Path) -> None:
    model = tmp_path / "model_x.txt"
    roadef.write_problem(by_hand(), model)
    text = model.read_text()
    assert old in text
    model.write_text(text.replace(old, new, 1))
    with pytest.raises(InstanceError) as caught:
        roadef.read_problem(model, roadef.assignment_beside(model))
    assert complaint in str(caught.value)
    assert str(model) in str(caught.value)


def test_an_assignment_to_no_machine_is_named(tmp_path: Path) -> None:
    model = tmp_path / "model_x.txt"
    roadef.write_problem(by_hand(), model)
    beside = roadef.assignment_beside(model)
    beside.write_text("0 1 0 3\n")
    with pytest.raises(InstanceError, match="machine of each process: wanted from 0 to 2, found 3"):
        roadef.read_problem(model, beside)


def test_fleet_headers_in_many_spellings(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("VM Name,vCPUs,Memory (MiB),Disk GB,Node\na,2,4096,10.5,h1\nb,1,2048,20,h2\n")
    (tmp_path / "f.hosts.csv").write_text("Host,cores,RAM_MB\nh1,8,16384\nh2,8,16384\nh3,16,32768\n")
    read = fleet.read_fleet(tmp_path / "f.csv")
    assert read.dimensions == ("cpu", "memory")
    assert read.machines == ("a", "b")
    assert read.sizes.tolist() == [[2000, 4096000], [1000, 2048000]]
    assert read.where.tolist() == [0, 1]
    assert read.capacities[2].tolist() == [16000, 32768000]


def test_fleet_capacities_from_columns_or_from_the_fullest_host(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("name,cpu,memory,host,host_cpu,host_memory\na,2,4,h1,8,16\nb,1,2,h2,4,8\n")
    assert fleet.read_fleet(file).capacities.tolist() == [[8000, 16000], [4000, 8000]]
    file.write_text("name,cpu,host\na,2,h1\nb,1,h1\nc,1,h2\n")
    assert fleet.read_fleet(file).capacities.tolist() == [[3000], [3000]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,cpu\na,1\n", "f.csv:1: wanted a column `host`, found name, cpu"),
        ("name,cpu,host\na,lots,h1\n", "f.csv:2: cpu: wanted a number from 0 on, found 'lots'"),
        ("name,cpu,host\na,1\n", "f.csv:2: wanted 3 columns, found 2"),
        ("name,host\na,h1\n", "f.csv:1: wanted a column of sizes (cpu, memory, disk), found name, host"),
        ("", "f.csv:1: wanted a column `host`, found nothing"),
        ("name,cpu,host\n", "f.csv: wanted a row for each machine, found none"),
        ("name,cpu,host\na,1,h1\nb,1, \n", "f.csv:3: wanted the present host of the machine, found nothing"),
        ("name,cpu,host\na,1_000,h1\n", "f.csv:2: cpu: wanted a number from 0 on, found '1_000'"),
        ("name,cpu,host\na,1e300,h1\n", "f.csv:2: cpu: wanted a number below a million million, found '1e300'"),
        ("name,cpu,vCPUs,host\na,1,2,h1\n", "f.csv:1: columns 'cpu' and 'vCPUs' both mean cpu; leave one of them out"),
        (f"name,cpu,host\n{'a' * 200_000},1,h1\n", "f.csv:2: field larger than field limit (131072); wanted CSV with commas"),
        (
            "cpu,host,host_cpu\n1,h1,4\n1,h2,8\n1,h1,8\n",
            "f.csv:4: hostcpu of 'h1' is 8 here and 4 before; correct one",
        ),
        (
            "cpu,memory_gib,host,host_memory_mib\n1,4,h1,8192\n",
            "f.csv:1: memory is in mib here and in gib in {file}; bring both to one unit",
        ),
        (
            "cpu,host\n" + "9e11,h1\n" * 3000,
            "f.csv: cpu: the numbers are too large to be added in 64 bits; write them in a larger unit",
        ),
    ],
)
def test_fleet_mistakes_are_named(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(InstanceError) as caught:
        fleet.read_fleet(tmp_path / "f.csv")
    assert str(caught.value) == f"{tmp_path}/{complaint}".replace("{file}", f"{tmp_path}/f.csv")


def test_nothing_is_rounded_that_decides_what_fits(tmp_path: Path) -> None:
    """128 machines of an 128th fill a host just; rounded to thousandths 125 would."""
    file = tmp_path / "f.csv"
    file.write_text("memory_tib,host\n" + "".join(f"0.0078125,h{n % 4}\n" for n in range(128)))
    fleet.hosts_beside(file).write_text("name,memory_tib\nh0,1\nh1,1\nh2,1\nh3,1\n")
    line = running.run(file, budget_seconds=0.3, seed=1)
    assert (line.result, line.lower_bound) == (1, 1)


def test_hosts_in_another_unit_are_named(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("Memory (GiB),host\n4,h1\n")
    fleet.hosts_beside(file).write_text("name,memory_mb\nh1,8192\n")
    with pytest.raises(InstanceError, match=r"memory is in mb here and in gib in .*; bring both to one unit"):
        fleet.read_fleet(file)


def test_a_host_that_holds_more_than_it_has_is_told(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("name,cpu,host\na,20,h1\nb,5,h2\nc,5,h3\n")
    fleet.hosts_beside(file).write_text("name,cpu\nh1,10\nh2,10\nh3,10\n")
    assert running.run(file, budget_seconds=0.3, seed=1).note.endswith("1 hold more than they have as they stand, first h1")


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("1\n0 1\n2\n0 0 9 9 0 1\n0 0 9 9 1 0\n1\n0 0\n2\n0 1 1\n0 1 1\n0\n1 1 1\n", "service 0: two processes on one machine"),
        ("1\n0 1\n2\n0 0 9 9 0 1\n0 0 9 9 1 0\n2\n2 0\n0 0\n2\n0 4 1\n1 4 1\n0\n1 1 1\n", "service 0: spread below 2"),
    ],
)
def test_a_first_assignment_against_a_rule_is_named(model: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "model_x.txt").write_text(model)
    (tmp_path / "assignment_x.txt").write_text("0 0\n")
    with pytest.raises(InstanceError) as caught:
        running.run(tmp_path / "model_x.txt", budget_seconds=0.3, seed=1)
    assert str(caught.value) == (
        f"{tmp_path}/assignment_x.txt: wanted a first assignment that keeps every rule, found {complaint}"
    )


def test_fleet_is_read_back_as_written(tmp_path: Path) -> None:
    made = made_fleet(50, 10, seed=1)
    fleet.write_fleet(made, tmp_path / "f.csv")
    read = fleet.read_fleet(tmp_path / "f.csv")
    assert (read.sizes == made.sizes).all()
    assert (read.capacities == made.capacities).all()
    assert [read.hosts[host] for host in read.where] == [made.hosts[host] for host in made.where]


def test_triplets_fill_their_bins_and_uniform_items_lie_in_their_range() -> None:
    made = triplets(30, 3, seed=1)
    assert made.items == 90
    assert (made.sizes * made.copies[:, None]).sum(axis=0).tolist() == [30_000] * 3
    spread = uniform(100, 4, seed=1)
    assert spread.items == 100
    assert spread.sizes.min() >= 100
    assert spread.sizes.max() <= 400


@pytest.mark.parametrize("kind", ["vbp", "model", "csv"])
def test_a_run_gives_one_line_that_passes_its_check(kind: str, tmp_path: Path) -> None:
    if kind == "vbp":
        file = tmp_path / "t.vbp"
        vbp.write_vbp(triplets(10, 2, seed=1), file)
    elif kind == "model":
        file = tmp_path / "model_t.txt"
        roadef.write_problem(made_problem(hosts=5, items=20, seed=1), file)
    else:
        file = tmp_path / "t.csv"
        fleet.write_fleet(made_fleet(40, 8, seed=1), file)
    line = running.run(file, budget_seconds=0.3, seed=1)
    fields = line.tsv().split("\t")
    assert len(fields) == len(running.COLUMNS)
    assert fields[0] == file.stem
    assert line.result >= line.lower_bound
    assert line.memory_mib > 0


def test_files_that_belong_to_others_are_no_instances() -> None:
    assert not running.is_instance(Path("assignment_a1_1.txt"))
    assert not running.is_instance(Path("fleet.hosts.csv"))
    assert running.is_instance(Path("model_a1_1.txt"))


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf"])
def test_a_budget_that_is_none_is_refused(
    budget: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--budget", budget, "x.vbp"])
    with pytest.raises(SystemExit):
        main()
    assert "--budget: wanted more than 0 and less than 1000000 seconds" in capsys.readouterr().err


def test_an_unknown_kind_of_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match=r"wanted NAME\.vbp, model_NAME\.txt"):
        running.run(tmp_path / "notes.md", budget_seconds=1, seed=1)


def test_packing_faults_are_found() -> None:
    problem = triplets(2, 1, seed=1)
    assert "item 0 is in no bin" in vbp.faults(problem, [-1] + [0] * 5)
    assert any(text.startswith("bin 0 holds") for text in vbp.faults(problem, [0] * 6))
    assert np.array(problem.copies).sum() == 6


def test_machines_added_one_by_one_all_find_a_host() -> None:
    added = peer_ganeti.ours_added(made_fleet(40, 8, 1), 5)
    assert added.unplaced == 0
    assert 0 < added.median_ms <= added.p99_ms <= added.worst_ms

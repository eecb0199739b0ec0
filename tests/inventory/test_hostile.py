"""Files that no person wrote: each ends in a finding, quickly and in this process, never in a crash or a guess."""

import os
import shutil
import string
import subprocess
import sys
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controlplane.inventory import load, read
from controlplane.inventory.nodes import MAX_FILE_BYTES, read_document
from controlplane.inventory.scalars import meaning, trap_in
from controlplane.model.estate import Estate


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


HOSTILE = {
    "a billion behind aliases": (bomb(10).encode(), "stands for more than 100000 values behind aliases"),
    "an alias of itself": (b"a: &a [*a]\n", "is nested deeper than 40"),
    "a merge of itself": (b"a: &a\n  <<: *a\n  b: 1\n", "is nested deeper than 40"),
    "deep brackets": (b"[" * 200_000 + b"]" * 200_000, "is nested deeper than 40"),
    "deep brackets on many lines": (b"[\n" * 100_000, "is nested deeper than 40"),
    "deep braces": (b"{a: " * 100_000, "is nested deeper than 40"),
    "deep dashes": (b"- " * 100_000 + b"x", "is nested deeper than 40"),
    "deep question marks": (b"? " * 100_000 + b"x", "is nested deeper than 40"),
    "deep indentation": (b"".join(b" " * n + b"a:\n" for n in range(1500)), "is nested deeper than 40"),
    "a little too deep": (b"x: " + b"[" * 50 + b"]" * 50, "is nested deeper than 40"),
    "binary": (bytes(range(256)), "byte 0x80 is not UTF-8"),
    "a null byte": (b"a: \x00\n", "is not YAML: control character"),
    "cp932": ("name: 財務省\n".encode("cp932"), "is not UTF-8"),
    "utf-16": ("name: x\n".encode("utf-16"), "byte 0xff is not UTF-8"),
    "an escape sequence": (b"a: \x1b[31m\n", "is not YAML: control character"),
    "a python object": (b"kasumi_estate: !!python/object/apply:os.system [touch HACKED]\n", "unknown tag"),
    "words only": (b"just some text\n", "wanted a mapping"),
    "a list": (b"- a\n", "wanted a mapping"),
    "a large file": (b"#" * (MAX_FILE_BYTES + 1), f"at most {MAX_FILE_BYTES} are read"),
}


READ_EACH = """
import sys
from pathlib import Path
from controlplane.inventory import read
for name in sys.argv[1:]:
    print("##", name, flush=True)
    print(*read(Path(name))[1], sep="\\n", flush=True)
"""


def test_hostile_files(inventory):
    names = {f"case-{number}": name for number, name in enumerate(HOSTILE)}
    for directory, name in names.items():
        shutil.copytree(inventory, directory)
        (Path(directory) / "group_vars" / "all" / "hostile.yml").write_bytes(HOSTILE[name][0])
    # In a process of its own: a crash of the C parser must fail this test and not end the run.
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", READ_EACH, *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, f"ended in {done.stdout.splitlines()[-1]}: {done.stderr[-500:]}"
    said = {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in done.stdout.split("## ")[1:]}
    for directory, name in names.items():
        assert HOSTILE[name][1] in said[directory], name
        assert said[directory].startswith(f"{directory}/group_vars/all/hostile.yml:"), name
        assert len(said[directory].splitlines()) < 5, name
    assert "\x1b" not in done.stdout
    assert not Path("HACKED").exists()


def test_control_characters_are_found_where_they_are(tmp_path):
    file = tmp_path / "x.yml"
    file.write_bytes(b"a: 1\nbc: \x1b[31m\n")
    assert [str(finding) for finding in read_document(file, "x.yml").findings] == [
        "x.yml:2:5: (file): is not YAML: control character '\\x1b', remove it"
    ]


def test_a_control_character_after_letters_of_several_bytes(tmp_path):
    for text, place in (("\xa0\x08", "1:2"), ("省: 財務\n名: x\x08y\n", "2:5"), ("𠀋\x00", "1:2")):
        (tmp_path / "x.yml").write_bytes(text.encode())
        (found,) = read_document(tmp_path / "x.yml", "x.yml").findings
        assert str(found).startswith(f"x.yml:{place}: (file): is not YAML: control character")


def test_byte_order_mark_and_windows_line_ends(inventory):
    for file in inventory.rglob("*.yml"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert read(inventory)[1] == ()


def test_what_editors_leave_behind_is_not_read(inventory):
    for name in (".10-hosts.yml.swp", "10-hosts.yml~", "20-mof.yml.bak", "README.md"):
        (inventory / name).write_text("kasumi_host: {")
    (inventory / ".git").mkdir()
    (inventory / ".git" / "x.yml").write_text("kasumi_host: {")
    assert read(inventory)[1] == ()


WORDS = st.one_of(
    st.text(alphabet=string.ascii_letters + string.digits + "+-._:,~", min_size=1, max_size=12),
    st.sampled_from(
        ["yes", "NO", "010", "0x1F", "1:30", "1_0", ".5", "1.", "1e3", "+.inf", "0b1", "0o7", "2027-01-01", "~", "=", "<<"]
    ),
)


@given(word=WORDS)
@example(word="52:54:00:12:34:56")
@example(word="0._")
@example(word="1_0.5e+3")
@example(word=".5_1")
@example(word="-.5")
@example(word="1.5e5")
@example(word="1.5e+5")
@settings(max_examples=300)
def test_a_word_means_the_same_to_ansible_or_is_a_trap(word):
    """The oracle is PyYAML's own reading, which is Ansible's."""
    try:
        theirs = yaml.safe_load(f"k: {word}")
    except yaml.YAMLError:
        return
    except ValueError:
        return  # PyYAML itself gives up on what looks like a date or number and is none
    if not isinstance(theirs, dict) or isinstance(theirs["k"], (dict, list)):
        return
    ours = meaning(word)
    if trap_in(word) is None:
        assert (ours, type(ours)) == (theirs["k"], type(theirs["k"])) or len(word) > 18
    else:
        assert ours == word


DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=12,
)
PLACES = st.sampled_from(
    ["kasumi_estate", "kasumi_tiers", "kasumi_sites", "kasumi_networks", "kasumi_images", "ministry_x", "hypervisors"]
)


@given(place=PLACES, content=DOCUMENTS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_gives_findings_or_an_estate(inventory, place, content):
    shared = place.startswith("kasumi_")
    file = inventory / ("group_vars/all/any.yml" if shared else "40-any.yml")
    file.write_text(yaml.safe_dump({place: content}, allow_unicode=True), encoding="utf-8")
    estate, findings = read(inventory)
    assert isinstance(estate, Estate) == (findings == ())
    assert all(str(finding).isprintable() for finding in findings)
    file.unlink()


def test_places_are_right_behind_merges(tmp_path):
    file = tmp_path / "x.yml"
    file.write_text("base: &b\n  one: 1\n  two: 2\nfull:\n  <<: *b\n  two: 22\n")
    document = read_document(file, "x.yml")
    assert document.data == {"base": {"one": 1, "two": 2}, "full": {"one": 1, "two": 22}}
    assert (document.place(("full", "two")).line, document.place(("full", "one")).line) == (6, 2)
    assert document.place(("full", "absent", "deeper")).line == 5


def test_the_estate_is_the_same_read_twice(inventory):
    assert load(inventory) == load(inventory)


def test_what_would_be_passed_over_is_told(inventory, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (inventory / "30-gone.yml").symlink_to(tmp_path / "nowhere.yml")
    (inventory / "40-moj").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(inventory / "50-pipe.yml")
    (inventory / "60-shut").mkdir()
    (inventory / ".git").symlink_to(tmp_path / "nowhere")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "60-shut" and allowed(path, mode))
    _, findings = read(inventory)
    assert [str(finding) for finding in findings] == [
        "inventory/30-gone.yml:1:1: (file): is a link to nothing, correct the link or remove it",
        "inventory/40-moj:1:1: (file): is a link to a directory, which is not followed, place the files themselves here",
        "inventory/50-pipe.yml:1:1: (file): is no file, remove it",
        "inventory/60-shut:1:1: (file): cannot be read: Permission denied, correct its permissions",
    ]


def test_a_directory_nobody_may_enter_is_one_finding(inventory, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    _, findings = read(inventory)
    assert [str(finding) for finding in findings] == [
        "inventory:1:1: (file): cannot be read: Permission denied, name an inventory directory with --inventory"
    ]

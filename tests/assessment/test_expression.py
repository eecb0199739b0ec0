"""Rules say true, false or not known; they can do nothing else, and every mistake in one is said with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.assessment import expression
from controlplane.assessment.expression import MAX_DEPTH, ExpressionError, Unknown, read_expression
from controlplane.assessment.names import NAMES, is_name, keys_of
from controlplane.assessment.patterns import like

FACTS = {
    "os.id": "debian",
    "cpu.count": 4,
    "boot.uptime_seconds": 10,
    "filesystems": [
        {"mount": "/", "type": "ext4", "encrypted": False},
        {"mount": "/data", "type": "reiserfs", "encrypted": True},
        {"mount": "/odd", "type": "ext4"},
    ],
    "multicast": ["239.1.1.1"],
    "backup": [],
}


def read(text):
    return read_expression(text, is_name, keys_of)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('os.id == "debian"', True),
        ('os.id != "debian"', False),
        ("cpu.count > 3 and cpu.count <= 4", True),
        ("cpu.count < 4 or cpu.count >= 5", False),
        ("not cpu.count == 5", True),
        ('os.id in ["rhel", "debian"]', True),
        ('os.id not in ["rhel"]', True),
        ('os.id like "DEB*"', True),
        ('os.id not like ["r*", "*x"]', True),
        ("any multicast", True),
        ('any multicast where (value like "239.*")', True),
        ("any backup", False),
        ("count backup == 0", True),
        ('count filesystems where (type == "ext4") == 2', True),
        ('any filesystems where (type == "reiserfs" and encrypted == true)', True),
        ('all filesystems where (mount like "/*")', True),
        ('any filesystems where (os.id == "debian" and type == "reiserfs")', True),
        ("missing os.version", True),
        ("missing os.id", False),
        ('(os.id == "x" or true) and not false', True),
    ],
)
def test_what_is_known_is_true_or_false(text, result):
    assert read(text).of(FACTS)[0] is result


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('os.version == "12"', {"os.version"}),
        ('not os.version == "12"', {"os.version"}),
        ('os.id == "debian" and os.version == "12"', {"os.version"}),
        ('os.id == "rhel" or os.version == "12"', {"os.version"}),
        ("count certificates == 0", {"certificates"}),
        ("all filesystems where (encrypted == false or mount == \"/data\")", {"filesystems.encrypted"}),
        ('os.id > 3', {"(a number)"}),
        ('os.id != 3', {"(a number)"}),
        ('cpu.count == "four"', {"(text)"}),
        ("cpu.count == true", {"(true or false)"}),
        ("memory.total_mib > 1 and memory.swap_mib > 1", {"memory.total_mib", "memory.swap_mib"}),
    ],
)  # fmt: skip
def test_a_missing_fact_is_unknown_and_never_passes(text, missing):
    result, _ = read(text).of(FACTS)
    assert isinstance(result, Unknown)
    assert result.names == missing


def test_a_list_that_is_too_long_to_be_looked_at_whole_does_not_pass_for_well():
    long = {"multicast": ["a"] * 10_000 + ["b"], "os.id": "debian"}
    rest = frozenset({"multicast.(beyond the first 10000)"})
    assert read('any multicast where (value == "b")').of(long)[0] == Unknown(rest)
    assert read('all multicast where (value == "a")').of(long)[0] == Unknown(rest)
    assert read("count multicast > 3").of(long)[0] == Unknown(rest)
    assert read('any multicast where (value == "a")').of(long)[0] is True
    assert read('all multicast where (value == "b")').of(long)[0] is False


def test_lists_within_lists_end(monkeypatch):
    monkeypatch.setattr(expression, "_MAX_LOOKS", 5_000)
    long = {"packages": [{"name": f"p{number}"} for number in range(2_000)]}
    nested = 'any packages where (any packages where (any packages where (any packages where (name == "x"))))'
    result, _ = read(nested).of(long)
    assert isinstance(result, Unknown)
    assert "(beyond 5000 looks)" in min(result.names)
    assert read('any packages where (any packages where (name == "p7"))').of(long)[0] is True


def test_what_is_missing_does_not_matter_when_the_rest_decides():
    assert read('os.id == "debian" or os.version == "12"').of(FACTS)[0] is True
    assert read('os.id == "rhel" and os.version == "12"').of(FACTS)[0] is False
    assert read("any filesystems where (encrypted == true)").of(FACTS)[0] is True


def test_the_things_that_were_found_come_with_the_answer():
    met, found = read('any filesystems where (type == "reiserfs")').of(FACTS)
    assert met is True
    assert found == (FACTS["filesystems"][1],)


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("os.idd == 1", "no fact 'os.idd'", 0),
        ("any filesystems where (typ == 1)", "no fact 'typ'; items have", 23),
        ("os.id ==", "wanted a fact or a value, found the end", 8),
        ("os.id = 1", "cannot read '='", 6),
        ("(os.id == 1", "wanted `)`, found the end", 11),
        ("os.id == 1 2", "wanted the end, `and` or `or`, found `2`", 11),
        ("os.id in 3", "wanted `[`, found `3`", 9),
        ('os.id.__class__ == "x"', "no fact 'os.id.__class__'", 0),
        ("__import__ == 1", "no fact '__import__'", 0),
        ("os.id(1)", "wanted the end, `and` or `or`, found `(`", 5),
        ("(" * (MAX_DEPTH + 1) + "true", f"nested deeper than {MAX_DEPTH}", MAX_DEPTH),
        ("not " * (MAX_DEPTH + 1) + "true", f"nested deeper than {MAX_DEPTH}", None),
        ("x" * 3000, "an expression of 3000 characters, at most 2000 are read", 0),
    ],
)
def test_mistakes_have_their_place(text, message, offset):
    with pytest.raises(ExpressionError) as caught:
        read(text)
    assert message in str(caught.value)
    if offset is not None:
        assert caught.value.offset == offset


WORDS = st.sampled_from(
    ["and", "or", "not", "any", "all", "count", "where", "(", ")", "[", "]", ",", "==", "<", "in", "like", "missing", '"a"', "1", "true",
     *sorted(NAMES)[:20], "filesystems", "type", "\n", "é"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=25).map(" ".join)))
def test_any_text_is_read_or_refused_and_what_is_read_can_be_asked(text):
    try:
        expression = read(text)
    except ExpressionError as error:
        assert 0 <= error.offset <= len(text)
        return
    for names in ({}, FACTS):
        result, _ = expression.of(names)
        assert isinstance(result, bool | Unknown)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.none() | st.booleans() | st.integers() | st.text() | st.lists(
    st.none() | st.integers() | st.dictionaries(st.sampled_from(["type", "kind", "name", "port"]), st.none() | st.text() | st.integers()),
    max_size=3), max_size=6))  # fmt: skip
def test_any_facts_can_be_asked(facts):
    for text in (
        'any filesystems where (type == "ext4")',
        "count disks > 2",
        'os.id like "x*" or cpu.count > 2',
        "all listeners where (port < 9)",
    ):
        assert isinstance(read(text).of(facts)[0], bool | Unknown)


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [("HIRDB", "hirdb*", True), ("abc", "*b*", True), ("abc", "b*", False), ("ab", "ab*b", False), ("aXbXc", "a*b*c", True), ("", "*", True),
     ("abc", "abc", True), ("a.c", "a?c", False), ("a" * 5000, "*a" * 200 + "b", False)],
)  # fmt: skip
def test_patterns_know_the_star_alone(text, pattern, matches):
    assert like(text, pattern) is matches

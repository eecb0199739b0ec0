"""The page is whole and safe: valid markup, no network, no scripts, every hostile name escaped, in both languages."""

import re
from dataclasses import replace

import pytest
from lxml import etree, html

from controlplane.model.document import to_data
from controlplane.model.estate import Disposition
from controlplane.reporting.assessment_page import SHOWN_SERVERS, assessment_page
from controlplane.reporting.charts import bar, curves, histogram, ring
from controlplane.reporting.dot import graph_to_dot
from controlplane.reporting.words import WORDS
from tests.assessment.estates import assessed

HOSTILE = "<script>alert(1)</script>\"'&<b>"


@pytest.fixture(scope="module")
def made():
    return assessed()


def poisoned(value):
    """The same value with every free text made hostile."""
    if isinstance(value, tuple):
        return tuple(poisoned(item) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        keep = {"dimension", "severity", "reading", "rule", "answer"}
        changes = {}
        for name in value.__dataclass_fields__:
            inner = getattr(value, name)
            if type(inner) is str and name not in keep and not (name == "id" and hasattr(value, "remedy")):
                changes[name] = inner + HOSTILE if name != "address" else inner
            elif name not in keep:
                changes[name] = poisoned(inner)
        return replace(value, **changes)
    return value


@pytest.mark.parametrize("language", ["en", "ja", "both"])
def test_the_page_shows_everything_and_needs_no_network(made, language):
    page = assessment_page(made, language)
    tree = html.document_fromstring(page)
    text = tree.text_content()
    for server in made.servers:
        assert server.id in text
    assert ("Assessment of servers" in text) is (language != "ja")
    assert ("サーバー評価書" in text) is (language != "en")
    assert "203.0.113.99" in text
    assert tree.xpath("//script | //link | //img | //iframe | //@src | //@href") == []
    assert not re.search(r"https?://|url\((?!#)|@import", page)
    assert len(tree.xpath("//svg")) >= 6


def test_a_size_that_nobody_knows_is_counted_beside_the_sum(made):
    moving = next(server for server in made.servers if server.fate.decided is Disposition.REHOST)
    size = replace(moving.size, declared=None, wanted=None)
    given = replace(made, servers=tuple(replace(one, size=size) if one is moving else one for one in made.servers))
    sums = html.document_fromstring(assessment_page(given, "en")).xpath("string(//p[@class='sizes'])")
    assert sums.count("?1") == 2


@pytest.mark.parametrize("language", ["en", "both"])
def test_hostile_names_stay_text(made, language):
    page = assessment_page(poisoned(made), language)
    assert "<script" not in page
    assert "alert(1)</" not in page
    tree = html.document_fromstring(page)
    assert tree.xpath("//script") == []
    assert HOSTILE in tree.text_content()
    assert not [name for element in tree.iter(etree.Element) for name in element.attrib if name.startswith("on")]


def test_one_ministry_sees_its_own_servers_only(made):
    text = html.document_fromstring(assessment_page(made, "en", "mof")).text_content()
    assert "old-windows" in text
    assert "office-idle" not in text


def test_a_large_estate_is_cut_and_says_so(made):
    many = tuple(replace(made.servers[0], id=f"s{number:05}") for number in range(SHOWN_SERVERS + 7))
    text = html.document_fromstring(assessment_page(replace(made, servers=many), "en")).text_content()
    assert "7 further servers are in the document only." in text
    assert "s00399" in text
    assert "s00400" not in text


def test_an_empty_estate_has_a_page(made):
    empty = replace(
        made,
        servers=(),
        systems=(),
        ministries=(),
        graph=replace(made.graph, dependencies=(), cohorts=(), shared=(), strangers=()),
    )
    assert "Nothing was measured yet" in html.document_fromstring(assessment_page(empty, "en")).text_content()


def test_every_word_has_both_languages():
    assert all(english and japanese for english, japanese in WORDS.values())


def test_pictures_of_nothing():
    assert bar([]) == ""
    assert bar([("a", 0, "red")]) == ""
    for picture in (histogram(["a"], [0]), curves({}, []), ring([], [], {})):
        etree.fromstring(str(picture))


def test_a_curve_is_broken_where_nothing_is_known():
    picture = str(curves({"a": [None, 1.0, 2.0, None, 3.0, *[None] * 19]}, ["red"]))
    (path,) = re.findall(r' d="([^"]*)"', picture)
    assert path.count("M") == 2
    assert path.count("L") == 1


def test_dot_quotes_hostile_names(made):
    text = graph_to_dot(poisoned(made))
    assert '\\"' in text
    for line in text.splitlines():
        assert len(re.findall(r'(?<!\\)"', line)) % 2 == 0
    plain = graph_to_dot(made)
    assert '"pension-ap" -> "pension-db" [label="5432 postgres", penwidth=2];' in plain
    assert '"office-idle" [label="office-idle (retire)", style=dashed];' in plain
    assert to_data(made)["graph"]["observed_servers"] == 7

"""Whatever comes in, no parser raises, none makes a number out of nothing, and a frame is never taken for another's."""

import json
import secrets
import subprocess
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.connectors.prometheus import Prometheus
from controlplane.discovery.counters import read as read_counters
from controlplane.discovery.frames import frames
from controlplane.discovery.probe import Probe
from controlplane.discovery.probes.table import PROBES
from controlplane.discovery.script import COMPLAINTS, compose
from controlplane.discovery.understanding import understand
from controlplane.discovery.utilisation import utilisation
from controlplane.errors import KasumiError
from controlplane.model.estate import Disposition, LibvirtSource, Server
from controlplane.model.facts import CATALOGUE, Answer
from tests.discovery.test_recorded import CASES

WORDS = sorted({word for case in CASES for word in (case / "output").read_text(encoding="utf-8").split()[:120]})
LINES = sorted({line for case in CASES for line in (case / "output").read_text(encoding="utf-8").splitlines()[:60]})
MARKS = sorted({line for line in LINES if line.startswith("== ")})
NEVER_ZERO = {
    "cpu.count", "cpu.sockets", "cpu.mhz", "memory.total_mib", "memory.used_mib", "disks.total_gib", "boot.uptime_seconds",
}  # fmt: skip
"""Fields of which a zero would be a lie."""

outputs = st.one_of(
    st.text(max_size=400),
    st.lists(st.sampled_from(LINES), max_size=25).map("\n".join),
    st.lists(
        st.one_of(
            st.sampled_from(MARKS), st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=12).map(" ".join)
        ),
        max_size=25,
    ).map("\n".join),
)


@st.composite
def damaged(draw):
    """A recorded output with a piece cut out, doubled or overwritten."""
    text = draw(st.sampled_from(CASES)).joinpath("output").read_text(encoding="utf-8")[:4000]
    start = draw(st.integers(0, len(text)))
    stop = draw(st.integers(start, min(len(text), start + 200)))
    return text[:start] + draw(st.one_of(st.just(""), st.text(max_size=20), st.just(text[start:stop] * 2))) + text[stop:]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe.name}-{min(probe.families).lower()}")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(output=st.one_of(outputs, damaged()))
def test_no_parser_raises_or_makes_up_a_zero(probe, output):
    found = probe.parse(output)
    assert set(found) <= set(CATALOGUE)
    json.dumps(found, allow_nan=False)
    for name in NEVER_ZERO & set(found):
        assert found[name] > 0
    assert probe.parse("") == {}
    assert probe.parse("\x00\xff garbage") == {}


@settings(max_examples=100, deadline=None)
@given(output=st.one_of(outputs, damaged()))
def test_counters_are_whole_or_absent(output):
    found = read_counters(output)
    if found is not None:
        assert found.cpu_total > 0
        assert found.memory_used_mib is None or found.memory_used_mib > 0
        assert found.disk_used_mib is None or found.disk_used_mib > 0


@settings(max_examples=150, deadline=None)
@given(received=st.binary(max_size=600))
def test_frames_of_anything_are_understood_without_raising(received):
    mark = "m4rk"
    for sign, meant in ((b"#", f"\n{mark}>"), (b"!", f"\n{mark}!"), (b"~", f"\n{mark}~os;"), (b"%", f"\n{mark}>{COMPLAINTS}\n")):
        received = received.replace(sign, meant.encode())
    found = frames(received, mark=mark)
    result = understand(found, PROBES, observed_at=datetime.now(UTC), between=(1.0, 2.0))
    assert result.answer in {Answer.GARBLED, Answer.PARTLY, Answer.ANSWERED, Answer.UNSUPPORTED}


@settings(max_examples=100, deadline=None)
@given(
    output=st.binary(max_size=300),
    status=st.integers(0, 255),
    complaint=st.text(alphabet="abc \n'", max_size=50),
    at=st.integers(0, 300),
)
def test_a_frame_comes_out_as_it_went_in_wherever_its_status_stands(output, status, complaint, at):
    mark, cut = "m4rk", min(at, len(output))
    sent = b"noise\n\nm4rk>one\n" + output[:cut] + f"{mark}={status};".encode() + output[cut:] + f"\nm4rk!{complaint}\n".encode()
    (frame,) = frames(sent, mark=mark)
    assert (frame.name, frame.output, frame.status) == ("one", output.decode("utf-8", errors="replace"), status)
    assert frame.complaint == complaint.strip()


ANSWERS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["data", "result", "metric", "values", "instance"]), inner, max_size=3),
    ),
    max_leaves=12,
)
NUMBERS = st.one_of(
    st.floats(), st.integers(-10, 10**20), st.sampled_from(["NaN", "+Inf", "1e400", "1e300", "5", "-1", ""]), st.none()
)
SOUND = st.builds(
    lambda rows: {"data": {"result": [{"metric": metric, "values": values} for metric, values in rows]}},
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(["instance", "job", "domain"]),
                st.sampled_from(["one:9100", "one.a", "one.b", "10.9.0.1", "[", ":1", "two"]),
            ),
            st.lists(st.one_of(st.tuples(st.integers(-9, 4000), NUMBERS), st.tuples(NUMBERS, NUMBERS)), max_size=4),
        ),
        max_size=3,
    ),
)


@settings(max_examples=150, deadline=None)
@given(answer=st.one_of(ANSWERS, SOUND))
def test_whatever_a_prometheus_answers_is_series_of_real_numbers_or_a_refusal(answer):
    lying = Prometheus("http://127.0.0.1:1")
    lying._get = lambda *_: json.loads(json.dumps(answer))
    servers = tuple(
        Server(
            id=name,
            system="s",
            kind="virtual",
            size=None,
            disposition=Disposition.RETAIN,
            source=LibvirtSource(uri="qemu:///system", domain="two"),
        )
        for name in ("one", "two")
    )
    end = datetime.fromtimestamp(3600, UTC)
    try:
        found = utilisation(lying, servers, end=end, days=1 / 24, step_seconds=60)
    except KasumiError as error:
        assert "is it a Prometheus?" in str(error)
        return
    for one in found.series:
        assert len(one.values) <= 61
        present = one.values[~np.isnan(one.values)]
        assert np.isfinite(present).all()
        assert (present >= 0).all()


def test_a_system_that_no_probe_speaks_to_is_named():
    script = "uname() { echo AIX; }\n" + compose(PROBES, mark="m4rk")
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True)
    result = understand(frames(done.stdout, mark="m4rk"), PROBES, observed_at=datetime.now(UTC), between=(1.0, 2.0))
    assert (result.answer, result.probes) == (Answer.UNSUPPORTED, ())
    assert result.message == "AIX: no probe speaks to it; known from ledgers and Prometheus only"


@pytest.mark.parametrize("seconds", [0, 5])
def test_nobody_else_on_the_server_can_read_the_mark(seconds):
    curious = Probe(
        name="curious", command="tr '\\0' ' ' < /proc/$PPID/cmdline; cat /proc/[0-9]*/cmdline", parse=dict, seconds=seconds
    )
    mark = secrets.token_hex(12)
    done = subprocess.run(["sh", "-s"], input=compose((curious,), mark=mark).encode(), capture_output=True, check=True)
    found = {frame.name: frame for frame in frames(done.stdout, mark=mark)}
    assert found["curious"].status is not None
    assert mark not in found["curious"].output


@pytest.mark.parametrize("tools", ["", "timeout() { false; }"])
def test_a_hanging_probe_is_ended_with_and_without_the_tools_for_it(tools):
    hanging = Probe(name="bad", command="sleep 4713.5 | cat; echo never", parse=dict, seconds=1)
    script = f"{tools}\n" + compose((hanging, PROBES[0]), mark="m4rk")
    began = time.monotonic()
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=True, timeout=300)
    assert time.monotonic() - began < 120
    found = {frame.name: frame for frame in frames(done.stdout.encode(), mark="m4rk")}
    assert (found["bad"].status, found["bad"].output) == (137, "")
    assert found["os"].status == 0
    assert subprocess.run(["pgrep", "-f", "sleep 4713.5"], check=False, capture_output=True).stdout == b""


@given(password=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\n\r"), max_size=20))
@settings(max_examples=30, deadline=None)
def test_a_password_is_one_word_of_the_script_whatever_is_in_it(password):
    script = compose((), mark="m4rk", sudo_password=password) + 'printf %s "$KASUMI_SUDO"\n'
    done = subprocess.run(["sh", "-s"], input=script.replace("exit 0\n", ""), capture_output=True, text=True, check=True)
    assert done.stdout.rpartition("m4rk!\n")[2] == password

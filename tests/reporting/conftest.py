"""Hosts of libvirt's own test driver, each with machines that carry our mark, and a store of their own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.model.plan import Plan, PlannedMachine
from controlplane.model.resources import Resources
from controlplane.providers.libvirt_domain import NAMESPACE
from controlplane.settings import Settings
from controlplane.store import Store, open_store
from tests.execution.plans import SEEN_AT, machine, plan

_DOMAIN = """<domain type='test'><name>{id}</name><uuid>{uuid}</uuid><memory unit='MiB'>{memory_mib}</memory><vcpu>{vcpus}</vcpu>
<metadata><kasumi:machine xmlns:kasumi='{namespace}' estate='test' id='{id}' ministry='mic' system='portal' plan='0'/></metadata>
<os><type>hvm</type></os></domain>"""
_HOST = """<node>{domains}<cpu><mhz>2000</mhz><model>x86_64</model><active>8</active><nodes>1</nodes><sockets>1</sockets>
<cores>8</cores><threads>1</threads></cpu><memory>16777216</memory></node>"""


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    home = tmp_path / "home"
    opened = open_store(Settings(home=home, database_url=f"sqlite:///{home}/kasumi.db", inventory=tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def test_host(tmp_path) -> Callable[..., str]:
    """Makes a host with these machines running and returns its URI."""

    def make(name: str, *machines: PlannedMachine) -> str:
        domains = "".join(
            _DOMAIN.format(
                id=each.id, uuid=each.uuid, memory_mib=each.size.memory_mib, vcpus=each.size.vcpus, namespace=NAMESPACE
            )
            for each in machines
        )
        file: Path = tmp_path / f"{name}.xml"
        file.write_text(_HOST.format(domains=domains))
        return f"test://{file}"

    return make


@pytest.fixture
def accepted(store, test_host) -> Plan:
    """An accepted plan of two machines on two hosts, of which the second lacks its machine."""
    web1, web2 = machine("web1"), machine("web2", host="hv2")
    made = plan(web1, web2)
    uris = {"hv1": test_host("hv1", web1), "hv2": test_host("hv2")}
    size = Resources(vcpus=8, memory_mib=16384)
    made = replace(
        made,
        hosts=tuple(replace(each, uri=uris[each.id], physical=size, promised_capacity=size) for each in made.hosts),
        networks=(),
    )
    store.accept_plan(made, actor="me@here", at=SEEN_AT)
    return made

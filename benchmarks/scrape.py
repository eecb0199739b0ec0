"""`/metrics` of 1,000 domains against prometheus-libvirt-exporter looking at the same host, both over HTTP.

100 of them run: the exporter shows running domains only, and a thousand emulated machines do not fit this one.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.thousand import ESTATE, socket_uri, thousand_domains
from benchmarks.timing import least_seconds, report
from controlplane.settings import load
from controlplane.store import open_store

KASUMI = str(Path(sys.executable).with_name("kasumi"))
_READY_SECONDS = 120.0
_RUNNING = 100


def main() -> None:
    """Print the ratio; the bar is that ours takes at most a fifth."""
    exporter = shutil.which("prometheus-libvirt-exporter")
    if exporter is None:
        raise SystemExit("no prometheus-libvirt-exporter; `apt-get install prometheus-libvirt-exporter`")
    with thousand_domains(running=_RUNNING) as (_, plan), tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name:
        folder = Path(name)
        (folder / "inventory" / "group_vars").mkdir(parents=True)
        (folder / "inventory" / "group_vars" / "all.yml").write_text(f"kasumi_estate: {{id: {ESTATE}, name: bench}}\n")
        settings = load(home=folder / "home", inventory=folder / "inventory")
        store = open_store(settings)
        store.accept_plan(plan, actor="benchmark", at=datetime.now(UTC))
        store.close()
        environment = os.environ | {"KASUMI_HOME": str(settings.home), "KASUMI_INVENTORY": str(settings.inventory)}
        ours, theirs = _free(), _free()
        serve = [KASUMI, "serve", "--listen", ours, "--interval", "3600"]
        peer = [exporter, f"--web.listen-address={theirs}", f"--libvirt.uri={socket_uri()}"]
        with (
            subprocess.Popen(serve, env=environment, stderr=subprocess.DEVNULL) as first,
            subprocess.Popen(peer, stderr=subprocess.DEVNULL) as second,
        ):
            try:
                _await(ours, "consolidation_vm_info{", 1000)
                _await(theirs, "libvirt_domain_block_stats_read_bytes_total{", _RUNNING)
                fast, slow = least_seconds(lambda: _get(ours), lambda: _get(theirs), rounds=5)
                report(
                    f"scrape of 1,000 domains, {_RUNNING} running",
                    fast,
                    f"prometheus-libvirt-exporter, those {_RUNNING}",
                    slow,
                    "at most 0.2",
                )
            finally:
                first.terminate()
                second.terminate()


def _free() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def _get(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=120) as answer:
        return str(answer.read().decode())


def _await(address: str, word: str, count: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            if _get(address).count(word) >= count:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"{address}: fewer than {count} samples of {word} after {_READY_SECONDS:.0f} s")
        time.sleep(1)


if __name__ == "__main__":
    main()

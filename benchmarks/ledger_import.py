"""Importing a CSV ledger of 50,000 rows: `python -m benchmarks.ledger_import [ROWS]` (default 50000).

Each import is a process of its own, as a person runs it, from CP932 bytes to the written inventory. The measure beside it is
the least that a reader of such a file does: Python's csv module over the decoded text, in the same run. The second import reads
what the first wrote and finds that nothing changed.
"""

import csv
import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR_SECONDS = 20.0

_ESTATE = "kasumi_estate: {id: large, name: 大規模}\nkasumi_tiers: {standard: {host_failures: 0}}\n"
_MINISTRY = """\
ministry_mof:
  vars:
    kasumi_ministry: {name: 財務省, name_en: Ministry of Finance}
  children:
    system_ledger:
      vars:
        kasumi_system: {name: 台帳, name_en: Ledger, study_class: 2, confidentiality: 2}
"""
_HEADINGS = (
    "管理番号,ホスト名,システム名,物理/仮想,CPU数,メモリ,ディスク容量,OS,IPアドレス,MACアドレス,設置場所,リース満了日,備考"
)


def ledger(rows: int) -> str:
    """A ledger of this many servers, with the units, words and dates that ministries use."""
    pick = random.Random(1).choice  # noqa: S311  # data, not secrets
    lines = [_HEADINGS]
    for number in range(rows):
        low, middle, high = number % 256, number // 256 % 256, number // 65536
        lines.append(
            f"SV-{number:06},srv{number:06},台帳,{pick(['物理', '仮想'])},{pick(['４コア', '8', '2×4コア', '16vCPU'])},"
            f"{pick(['16ＧＢ', '32GB', '8192MB', '64 GB'])},{pick(['2×300GB RAID1', '500GB', '1.2TB', 'C:100GB D:400GB'])},"
            f"{pick(['Windows Server 2012 R2', 'RHEL 6.9', 'CentOS 7', 'Debian 10'])},10.{100 + high}.{middle}.{low},"
            f"52:54:00:{high:02x}:{middle:02x}:{low:02x},{pick(['霞が関', '大手町', 'つくば'])},"
            f"{pick(['令和8年3月31日', 'R9.3.31', '2027/3/31'])},"
        )
    return "\n".join(lines) + "\n"


def measure(rows: int) -> dict[str, float | int]:
    """Seconds and memory of the first import and of the same again, and the csv module alone."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "inventory"
        (directory / "group_vars" / "all").mkdir(parents=True)
        (directory / "group_vars" / "all" / "estate.yml").write_text(_ESTATE, encoding="utf-8")
        (directory / "20-mof.yml").write_text(_MINISTRY, encoding="utf-8")
        file = Path(place) / "台帳.csv"
        file.write_bytes(ledger(rows).encode("cp932"))
        start = time.perf_counter()
        parsed = list(csv.reader(io.StringIO(file.read_bytes().decode("cp932"))))
        alone = time.perf_counter() - start
        assert len(parsed) == rows + 1
        first, again = _import(file, directory, place), _import(file, directory, place)
    return {
        "rows": rows,
        "import_seconds": round(first[0], 2),
        "import_processor_seconds": round(first[1], 2),
        "import_peak_mib": first[2],
        "same_again_seconds": round(again[0], 2),
        "same_again_processor_seconds": round(again[1], 2),
        "same_again_peak_mib": again[2],
        "csv_module_alone_seconds": round(alone, 3),
        "bar_seconds": BAR_SECONDS,
    }


def _import(file: Path, directory: Path, home: str) -> tuple[float, float, int]:
    """Seconds, seconds of a processor, and the peak memory (of all imports so far) in MiB."""
    command = [str(Path(sys.executable).with_name("kasumi")), "inventory", "import", str(file), "--ministry", "mof"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run([*command, "-i", str(directory), "--home", f"{home}/home"], capture_output=True, check=False)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr.decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, worked, after.ru_maxrss // 1024


def main(rows: int = 50_000) -> None:
    """Measure and print."""
    print(json.dumps(measure(rows), indent=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

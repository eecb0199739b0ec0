"""Memory: what the kernel sees, what programs use of it (page cache and buffers left out), and swap."""

import re

from controlplane.discovery.probe import BSD, Probe, Reading
from controlplane.discovery.reading import pairs, parts, whole
from controlplane.model.facts import Value

_LINE = re.compile(r"(\w+(?:\(\w+\))?): +([0-9]{1,15})(?: kB)?")


def used_kib(meminfo: dict[str, int]) -> int | None:
    """Memory in use without page cache and buffers, from the fields of /proc/meminfo; shared memory counts as used."""
    if not {"MemTotal", "MemFree", "Buffers", "Cached"} <= meminfo.keys():
        return None
    cache = meminfo["Cached"] + meminfo["Buffers"] + meminfo.get("SReclaimable", 0) - meminfo.get("Shmem", 0)
    used = meminfo["MemTotal"] - meminfo["MemFree"] - max(cache, 0)
    return used if 0 < used <= meminfo["MemTotal"] else None


def meminfo(lines: list[str]) -> dict[str, int]:
    """Fields of /proc/meminfo in KiB."""
    return {hit[1]: int(hit[2]) for line in lines if (hit := _LINE.match(line.strip()))}


def read(output: str) -> Reading:
    """Fields from /proc/meminfo."""
    found = meminfo(parts(output).get("meminfo", []))
    fields: dict[str, Value] = {}
    total, used = found.get("MemTotal", 0), used_kib(found)
    if total >= 1024:
        fields["memory.total_mib"] = total // 1024
        if used is not None and used >= 1024:
            fields["memory.used_mib"] = used // 1024
    if "SwapTotal" in found and total:
        fields["memory.swap_mib"] = found["SwapTotal"] // 1024
    return fields


def _bsd(output: str) -> Reading:
    found = parts(output)
    values = {key: whole(value) for key, value in pairs(found.get("bsd", [])).items()}
    fields: dict[str, Value] = {}
    total, page = values.get("hw.physmem"), values.get("hw.pagesize")
    active, wired = values.get("vm.stats.vm.v_active_count"), values.get("vm.stats.vm.v_wire_count")
    if total and total >= 2**20:
        fields["memory.total_mib"] = total // 2**20
        if page and active and wired:
            used = (active + wired) * page - (values.get("vfs.bufspace") or 0)
            if 2**20 <= used <= total:
                fields["memory.used_mib"] = used // 2**20
    swap = [words for line in found.get("swap", [])[1:] if len(words := line.split()) >= 4 and words[0] != "Total"]
    sizes = [size for words in swap if (size := whole(words[1])) is not None]
    if "swap" in found and found["swap"][:1] and len(sizes) == len(swap):
        fields["memory.swap_mib"] = sum(sizes) // 1024
    return fields


MEMORY = Probe(name="memory", command="say meminfo; cat /proc/meminfo", parse=read, confidence=0.99)

MEMORY_BSD = Probe(
    name="memory",
    command="""
say bsd; for k in hw.physmem hw.pagesize vm.stats.vm.v_active_count vm.stats.vm.v_wire_count vfs.bufspace; do
  printf '%s=%s\\n' $k "$(sysctl -n $k)"
done
say swap; swapinfo -k""",
    parse=_bsd,
    families=BSD,
)

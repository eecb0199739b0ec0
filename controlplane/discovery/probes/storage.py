"""Block devices and what is made of them: RAID, logical volumes, file systems, mounts from elsewhere."""

import re

from controlplane.discovery.probe import BSD, Probe, Reading
from controlplane.discovery.reading import columns, parts, text, whole
from controlplane.model.facts import Value

_SKIPPED = re.compile(r"(?:loop|ram|sr|fd|zram|nbd|cd)[0-9]+|.*-rpmb|.*boot[01]")
_KIND_BY_UUID = (("LVM-", "lvm"), ("mpath-", "multipath"), ("CRYPT-", "crypt"), ("DMRAID-", "raid"))
_TRANSPORTS = (
    ("/usb", "usb"), ("/rport-", "fc"), ("/session", "iscsi"), ("/nvme", "nvme"), ("/virtio", "virtio"), ("/vbd", "xen"),
    ("/mmc", "mmc"), ("/ata", "sata"), ("/ide", "ide"), ("/vmbus", "hyperv"), ("/VMBUS", "hyperv"), ("/host", "scsi"),
)  # fmt: skip
_REMOTE = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "ceph", "fuse.sshfs", "fuse.glusterfs", "glusterfs", "lustre", "afs", "ncpfs"}
_SHARED = {"gfs", "gfs2", "ocfs2"}
_LOCAL = {
    "ext2", "ext3", "ext4", "xfs", "btrfs", "jfs", "reiserfs", "zfs", "ufs", "vfat", "msdosfs", "ntfs", "fuseblk", "f2fs", "nilfs2",
    "overlay", "hfsplus", "minix", "vxfs", "bcachefs", "ntfs3", "exfat", *_SHARED,
}  # fmt: skip
_GIB = 2**30
_MD = re.compile(r"(md\S*) : (\S+)(?: \((?:auto-read-only|read-only)\))?(?: (raid\d+|linear|multipath|faulty))? ?(.*)")
_GMIRROR = re.compile(r"(?:mirror|raid|stripe)/(\S+)\s+(\S+)\s+(.*)")
_OCTAL = re.compile(r"\\([0-7]{3})")


def _disks(output: str) -> Reading:
    found = parts(output)
    if "block" not in found:
        return {}
    paths = {
        words[-1].rsplit("/", 1)[-1]: words[-1] for line in found.get("paths", []) if "/" in line and (words := line.split())
    }
    disks: list[Value] = []
    total = 0
    for words in columns(found["block"], 3, 5):
        name, size, read_only = words[0], whole(words[1]), words[2]
        uuid = words[3] if len(words) > 3 else "-"
        if size is None or size == 0 or _SKIPPED.fullmatch(name) or read_only not in {"0", "1"}:
            continue
        kind = _kind(name, uuid)
        disk: dict[str, Value] = {
            "name": words[4] if len(words) > 4 and words[4] != "-" else name.replace("!", "/"),
            "size_gib": round(size * 512 / _GIB, 2), "kind": kind, "read_only": read_only == "1",
        }  # fmt: skip
        transport = next((word for sign, word in _TRANSPORTS if sign in f"{paths.get(name, '')}"), "") if kind == "disk" else ""
        if transport:
            disk["transport"] = transport
        if kind == "disk" and transport not in {"usb", "fc", "iscsi"}:
            total += size * 512
        disks.append(disk)
    for words in columns(found.get("raw", []), 1, 1):
        disks.append({"name": words[0].removeprefix("/dev/"), "kind": "raw"})
    return _with_total(disks, total)


def _with_total(disks: list[Value], total: int) -> Reading:
    fields: dict[str, Value] = {"disks": disks}
    if total:
        fields["disks.total_gib"] = round(total / _GIB, 2)
    return fields


def _kind(name: str, uuid: str) -> str:
    if name.startswith("md"):
        return "raid"
    if name.startswith("dm-"):
        return next((kind for start, kind in _KIND_BY_UUID if uuid.startswith(start)), "mapped")
    return "drbd" if name.startswith("drbd") else "disk"


def _disks_bsd(output: str) -> Reading:
    found = parts(output)
    disks: list[Value] = []
    total, name = 0, ""
    for line in found.get("geom", []):
        key, mark, value = (part.strip() for part in line.partition(":"))
        if mark and key.endswith("Name"):
            name = text(value)
        size = whole(value.split(" ")[0]) if key == "Mediasize" else None
        if size and name and not _SKIPPED.fullmatch(name):
            disks.append({"name": name, "size_gib": round(size / _GIB, 2), "kind": "disk", "read_only": False})
            total += size
    return _with_total(disks, total) if disks else {}


def _raid(output: str) -> Reading:
    found = parts(output)
    raids: list[Value] = []
    known = False
    for line in found.get("mdstat", []):
        known |= line.startswith("Personalities")
        hit = _MD.fullmatch(line.strip())
        if hit:
            members: list[Value] = [text(word.partition("[")[0]) for word in hit[4].split()]
            broken = "(F)" in hit[4]
            state = "degraded" if broken else hit[2]
            raids.append({"name": hit[1], "level": hit[3] or "container", "state": state, "members": members})
        elif raids and (gone := re.search(r"\[([U_]{1,64})\]", line)) and "_" in gone[1] and isinstance(raids[-1], dict):
            raids[-1]["state"] = "degraded"
    for line in found.get("gmirror", []):
        hit = _GMIRROR.match(line.strip())
        known |= line.strip().startswith("Name")
        if hit:
            raids.append({"name": hit[1], "level": "raid1", "state": hit[2].lower(), "members": [text(hit[3].split(" ")[0])]})
        elif raids and line[:1].isspace() and line.split() and isinstance(raids[-1], dict):
            raids[-1]["members"] = [*_members(raids[-1]), text(line.split()[0])]
    for words in columns(found.get("zpool", []), 3):
        known = True
        size = whole(words[1])
        if size:
            raids.append({"name": words[0], "level": "zfs", "state": words[2].lower(), "members": []})
    return {"raids": raids} if raids or known else {}


def _members(raid: dict[str, Value]) -> list[Value]:
    found = raid["members"]
    return found if isinstance(found, list) else []


def _volumes(output: str) -> Reading:
    found = parts(output)
    if "lvs" not in found:
        return {}
    volumes: list[Value] = []
    for line in found["lvs"]:
        words = [text(word) for word in line.split("|")]
        size = whole(words[2]) if len(words) == 3 else None
        if size and words[0] and words[1]:
            volumes.append({"group": words[0], "name": words[1], "size_gib": round(size / _GIB, 2)})
    return {"volumes": volumes}


def _unescaped(path: str) -> str:
    return text(_OCTAL.sub(lambda hit: chr(int(hit[1], 8)), path))


def _file_systems(output: str) -> Reading:
    found = parts(output)
    if "df" not in found or "mounts" not in found:
        return {}
    kinds = {_unescaped(words[1]): (words[0], words[2]) for words in columns(found["mounts"], 4)}
    encrypted = {name for words in columns(found.get("crypt", []), 1) for name in words}
    systems: list[Value] = []
    for words in columns(found["df"], 6, 6):
        size, used, mount = whole(words[1]), whole(words[2]), words[5]
        device, kind = kinds.get(mount, (words[0], ""))
        if size is None or used is None or size < 1024 or kind not in _LOCAL or (kind == "overlay" and mount != "/"):
            continue
        inside = device.removeprefix("/dev/mapper/").removeprefix("/dev/") in encrypted or device.endswith(".eli")
        systems.append(
            {
                "mount": mount,
                "device": device,
                "type": kind,
                "size_mib": size // 1024,
                "used_mib": used // 1024,
                "encrypted": inside,
            }
        )
    return {"filesystems": systems} if systems else {}


def _mounts(output: str) -> Reading:
    found = parts(output)
    if not found.get("mounts"):
        return {}
    remote: list[Value] = [
        {"mount": _unescaped(words[1]), "source": _unescaped(words[0]), "type": words[2]}
        for words in columns(found["mounts"], 4)
        if words[2] in _REMOTE or words[2] in _SHARED
    ]
    return {"mounts.remote": remote} if any(True for _ in columns(found["mounts"], 4)) else {}


DISKS = Probe(
    name="disks",
    command="""
say paths; ls -l /sys/block
say block; for d in /sys/block/*; do
  s=; r=; u=; m=
  read s < $d/size; read r < $d/ro
  if [ -r $d/dm/uuid ]; then read u < $d/dm/uuid; read m < $d/dm/name; fi
  echo "${d##*/} ${s:--} ${r:--} ${u:--} ${m:--}"
done 2>/dev/null
say raw; for d in /dev/raw/raw[0-9]* /dev/oracleasm/disks/*; do [ -e "$d" ] && echo "$d"; done
true""",
    parse=_disks,
)

DISKS_BSD = Probe(name="disks", command="say geom; geom disk list", parse=_disks_bsd, families=BSD, seconds=5)

RAID = Probe(name="raid", command="[ -r /proc/mdstat ] || exit 127; say mdstat; cat /proc/mdstat", parse=_raid)

RAID_BSD = Probe(
    name="raid",
    command="say gmirror; gmirror status 2>/dev/null; say zpool; zpool list -Hp -o name,size,health 2>/dev/null; true",
    parse=_raid,
    families=BSD,
    seconds=5,
)

_LVS = "lvs --noheadings --units b --nosuffix --separator | -o vg_name,lv_name,lv_size"
VOLUMES = Probe(
    name="volumes",
    command=f"has lvs || exit 127; say lvs; root {_LVS.replace('|', chr(39) + '|' + chr(39))}",
    parse=_volumes,
    seconds=10,
    as_root=(_LVS.replace(",", "\\,"),),
)

FILE_SYSTEMS = Probe(
    name="filesystems",
    command="""
say mounts; cat /proc/mounts
say crypt; for d in /sys/block/dm-*; do
  u=; m=; read u < $d/dm/uuid; read m < $d/dm/name
  case $u in CRYPT-*) echo "$m ${d##*/}";; esac
done 2>/dev/null
say df; df -kPl 2>/dev/null || df -kP""",
    parse=_file_systems,
    seconds=10,
)

FILE_SYSTEMS_BSD = Probe(
    name="filesystems",
    command="say mounts; mount -p; say df; df -kPl",
    parse=_file_systems,
    families=BSD,
    seconds=10,
)

MOUNTS = Probe(name="mounts", command="say mounts; cat /proc/mounts", parse=_mounts, confidence=0.99)

MOUNTS_BSD = Probe(name="mounts", command="say mounts; mount -p", parse=_mounts, families=BSD, seconds=5)

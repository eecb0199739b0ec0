"""The machine itself: maker, model, serial number, what virtualises it, processors, what is plugged in."""

import re

from controlplane.discovery.probe import BSD, Probe, Reading
from controlplane.discovery.reading import first, number, pairs, parts, text, whole
from controlplane.model.facts import Value

_NOBODY = {"", "none", "unknown", "not specified", "to be filled by o.e.m.", "system manufacturer", "system product name", "0"}
"""What makers write who write nothing."""
_KINDS = {
    "kvm": "kvm", "qemu": "qemu", "bochs": "qemu", "vmware": "vmware", "microsoft": "hyperv", "hv": "hyperv", "xen": "xen",
    "oracle": "virtualbox", "vbox": "virtualbox", "parallels": "parallels", "none": "none", "docker": "container",
    "lxc": "container", "lxc-libvirt": "container", "systemd-nspawn": "container", "podman": "container", "openvz": "container",
    "container-other": "container", "jail": "container", "bhyve": "bhyve", "amazon": "kvm", "zvm": "zvm", "powervm": "powervm",
}  # fmt: skip
_PRODUCTS = (
    ("vmware", "vmware"), ("virtualbox", "virtualbox"), ("kvm", "kvm"), ("qemu", "qemu"), ("openstack", "kvm"),
    ("hvm domu", "xen"), ("virtual machine", "hyperv"), ("bhyve", "bhyve"), ("standard pc", "qemu"),
)  # fmt: skip
_CLOCK = re.compile(r"@ ?([0-9]{1,2}(?:\.[0-9]{1,3})?) ?GHz")
_USB = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4}) ?(.*)")


def _hardware(output: str) -> Reading:
    found = parts(output)
    dmi = pairs(found.get("dmi", []))
    fields: dict[str, Value] = {}
    for name, keys in (
        ("hardware.vendor", ("sys_vendor", "maker")),
        ("hardware.model", ("product_name", "product")),
        ("hardware.serial", ("product_serial", "serial")),
    ):
        value = next((dmi[key] for key in keys if dmi.get(key, "").lower() not in _NOBODY), "")
        if value:
            fields[name] = value
    kind = _virtualisation(found, f"{fields.get('hardware.vendor', '')} {fields.get('hardware.model', '')}".lower())
    if kind:
        fields["hardware.virtualisation"] = kind
    return fields


def _virtualisation(found: dict[str, list[str]], product: str) -> str:
    for line in found.get("virt", []):
        if line.strip() in _KINDS:
            return _KINDS[line.strip()]
    hints = {line.strip() for line in found.get("hints", [])}
    if "docker" in hints or "openvz" in hints:
        return "container"
    if "xen" in hints:
        return "xen"
    guess = next((kind for word, kind in _PRODUCTS if word in product), "")
    if guess or "hypervisor" in hints:
        return guess or "other"
    return "none" if product.strip() and "hints" in found else ""


def _serial(output: str) -> Reading:
    value = pairs(parts(output).get("dmi", [])).get("product_serial", "")
    return {"hardware.serial": value} if value.lower() not in _NOBODY and not value.startswith("#") else {}


def _cpu(output: str) -> Reading:
    found = parts(output)
    count, packages, model, clock = 0, set(), "", None
    for line in found.get("info", []):
        key, mark, value = (part.strip() for part in line.partition(":"))
        if not mark:
            continue
        if (key == "processor" and whole(value, most=100_000) is not None) or key.startswith("processor "):
            count += 1
        elif key == "physical id" and whole(value, most=10_000) is not None:
            packages.add(value)
        elif key in {"model name", "cpu model", "Processor"}:
            model = model or text(" ".join(value.split()))
        elif key == "cpu MHz":
            clock = clock or number(value, least=1, most=20_000)
    fields: dict[str, Value] = {}
    if count:
        fields["cpu.count"] = count
    if packages:
        fields["cpu.sockets"] = len(packages)
    if model:
        fields["cpu.model"] = model
    base = whole(first(found.get("base", [])), least=1_000, most=20_000_000)
    nominal = _nominal(model) or (base / 1000 if base else None) or clock
    if nominal:
        fields["cpu.mhz"] = round(nominal)
    return fields


def _nominal(model: str) -> float | None:
    stated = _CLOCK.search(model)
    clock = float(stated[1]) * 1000 if stated else 0.0
    return clock if clock >= 100 else None


def _cpu_bsd(output: str) -> Reading:
    found = pairs(parts(output).get("bsd", []))
    fields: dict[str, Value] = {}
    count, clock = (
        whole(found.get("hw.ncpu", ""), least=1, most=100_000),
        whole(found.get("hw.clockrate", ""), least=1, most=20_000),
    )
    if count:
        fields["cpu.count"] = count
    if found.get("hw.model"):
        fields["cpu.model"] = found["hw.model"]
    nominal = _nominal(found.get("hw.model", "")) or clock
    if nominal:
        fields["cpu.mhz"] = round(nominal)
    return fields


def _usb(output: str) -> Reading:
    found = parts(output)
    if "usb" not in found:
        return {}
    devices: list[Value] = [
        {"vendor": hit[1], "product": hit[2], "name": text(hit[3])}
        for line in found["usb"]
        if (hit := _USB.fullmatch(line.strip()))
    ]
    return {"hardware.usb": devices}


HARDWARE = Probe(
    name="hardware",
    command="""
say dmi; for f in sys_vendor product_name product_serial; do
  if [ -r /sys/class/dmi/id/$f ]; then v=; read -r v < /sys/class/dmi/id/$f; echo "$f=$v"; fi
done
say virt; if has systemd-detect-virt; then systemd-detect-virt; elif has virt-what; then virt-what; fi
say hints
grep -q '^flags.* hypervisor' /proc/cpuinfo && echo hypervisor
[ -d /proc/xen ] && echo xen
[ -e /.dockerenv ] && echo docker
[ -d /proc/vz ] && [ ! -d /proc/bc ] && echo openvz
true""",
    parse=_hardware,
)

HARDWARE_BSD = Probe(
    name="hardware",
    command="""
say dmi; for f in maker product serial; do printf '%s=%s\\n' $f "$(kenv -q smbios.system.$f)"; done
say virt; if [ "$(sysctl -n security.jail.jailed)" = 1 ]; then echo jail; else sysctl -n kern.vm_guest; fi""",
    parse=_hardware,
    families=BSD,
)

SERIAL = Probe(
    name="serial",
    command=r"""
has dmidecode || exit 127
[ -e /sys/firmware/dmi/tables/DMI ] || [ -e /dev/mem ] || exit 127
say dmi; printf product_serial=
root dmidecode -s system-serial-number | grep -vixE 'to be filled by o\.e\.m\.|not specified|default string|none|unknown|0*' || exit 127""",
    parse=_serial,
    seconds=5,
    as_root=("dmidecode -s system-serial-number",),
)

CPU = Probe(
    name="cpu",
    command="""
say info; grep -E '^(processor|model name|cpu model|Processor|physical id|cpu MHz|machine|vendor_id)' /proc/cpuinfo
say base; cat /sys/devices/system/cpu/cpu0/cpufreq/base_frequency 2>/dev/null
true""",
    parse=_cpu,
    confidence=0.99,
)

CPU_BSD = Probe(
    name="cpu",
    command="say bsd; for k in hw.ncpu hw.clockrate hw.model; do printf '%s=%s\\n' $k \"$(sysctl -n $k)\"; done",
    parse=_cpu_bsd,
    families=BSD,
    confidence=0.99,
)

USB = Probe(
    name="usb",
    command="""
[ -d /sys/bus/usb/devices ] || exit 127
say usb; for d in /sys/bus/usb/devices/*; do
  if [ -r $d/idVendor ] && [ "$(cat $d/bDeviceClass 2>/dev/null)" != 09 ]; then
    echo "$(cat $d/idVendor):$(cat $d/idProduct) $(cat $d/manufacturer $d/product 2>/dev/null | tr '\\n' ' ')"
  fi
done
true""",
    parse=_usb,
)
"""Hubs (class 09) are part of the machine, not plugged into it."""

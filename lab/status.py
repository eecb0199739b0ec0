"""What of the lab is there and alive, one record for each piece. Looks, changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import hosts, layout, legacy, namespaces, ownership, pension
from lab.layout import FABRIC, OLD_HOST, PENSION, Host
from lab.legacy import Legacy


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of the lab; `pid` is that of its main process, where it has one."""

    name: str
    kind: str
    state: str
    address: str | None = None
    pid: int | None = None
    detail: str = ""


def pieces() -> list[Piece]:
    """Every piece of the lab, empty when it is not up. May be repeated. Raises KasumiError without root."""
    ownership.require_root()
    count = ownership.shared_hosts()
    if not count:
        return []
    everybody = layout.hosts(count)
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(_host, everybody))
        guest, servers = pool.submit(_pension), pool.map(_legacy, legacy.ALL)
    return [_image(), _fabric(), *found, *servers, guest.result()]


def acceleration() -> str | None:
    """`kvm` or `tcg` once `up` has found out, else None."""
    try:
        kept = (layout.home() / "acceleration").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return "kvm" if kept.strip() == "kvm" else "tcg"


def _image() -> Piece:
    image = layout.guest_image()
    try:
        digest = image.with_name(f"{image.name}.sha256").read_text(encoding="utf-8")
    except FileNotFoundError:
        return Piece(name="debian-12", kind="image", state="absent", detail=str(image))
    return Piece(name="debian-12", kind="image", state="ready", detail=f"{image} sha256 {digest[:12]}")


def _fabric() -> Piece:
    uplink = namespaces.alias(layout.UPLINK)
    state = "up" if uplink == namespaces.mark() and namespaces.whose(FABRIC) == namespaces.mark() else "absent"
    return Piece(
        name="fabric",
        kind="network",
        state=state,
        address=layout.UPLINK_GATEWAY,
        detail=f"{layout.ALL_NETWORKS} by {layout.UPLINK}",
    )


def _host(host: Host) -> Piece:
    daemon = hosts.find(host, "libvirtd")
    absent = [name for name in ("virtlogd", "libvirtd", "sshd") if hosts.find(host, name) is None]
    if absent:
        state, detail = "broken", f"not running: {', '.join(absent)}"
    else:
        good, text = hosts.answers(host)
        state, detail = ("up", f"{len(hosts.guests(host))} guests running, {acceleration()}") if good else ("silent", text)
    return Piece(
        name=host.name, kind="host", state=state, address=host.address, pid=daemon.pid if daemon else None, detail=detail
    )


def _legacy(one: Legacy) -> Piece:
    process, dead = one.find(), one.missing_services()
    if process is None or dead:
        return Piece(
            name=one.server.name,
            kind="server",
            state="broken",
            address=one.server.address,
            detail=f"not running: {', '.join(dead)}",
        )
    good, text = one.answers()
    detail = ", ".join(one.services) if good else text
    return Piece(
        name=one.server.name,
        kind="server",
        state="up" if good else "silent",
        address=one.server.address,
        pid=process.pid,
        detail=detail,
    )


def _pension() -> Piece:
    qemu = next((process for process in hosts.guests(OLD_HOST) if f"guest={PENSION.name}" in process.arguments), None)
    if qemu is None:
        return Piece(name=PENSION.name, kind="guest", state="stopped", address=PENSION.address, detail=f"on {OLD_HOST.name}")
    good, text = pension.answers()
    detail = f"on {OLD_HOST.name}: {text.strip()}"
    return Piece(
        name=PENSION.name, kind="guest", state="up" if good else "silent", address=PENSION.address, pid=qemu.pid, detail=detail
    )

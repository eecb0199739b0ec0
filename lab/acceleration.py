"""Whether hardware virtualisation really works here. A node /dev/kvm may exist and not work; it may even run a boot sector
and then stand still in a kernel (seen under nested virtualisation). So a real kernel has to reach its end in good time.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from lab import image, layout
from lab.command import attempt
from lab.keys import write

PATIENCE_SECONDS = 10
"""A kernel without a disk panics after one second under KVM and after about five under software emulation."""
THE_END = "Kernel panic - not syncing: VFS"


def domain_type() -> str:
    """`kvm` where a guest really runs under it, `qemu` (software emulation, TCG) elsewhere.

    Found once for each lab: the first call takes some seconds and needs the image cache.
    """
    kept = layout.home() / "acceleration"
    if kept.exists():
        return kept.read_text(encoding="utf-8").strip()
    found = "kvm" if _kvm_works() else "qemu"
    write(kept, f"{found}\n")
    return found


def word() -> str:
    """What people call it: kvm or tcg."""
    return "kvm" if domain_type() == "kvm" else "tcg"


def _kvm_works() -> bool:
    if not Path("/dev/kvm").exists():
        return False
    with TemporaryDirectory() as folder:
        console = Path(folder) / "console"
        machine = [
            "qemu-system-x86_64",
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-m",
            "256",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ]
        boot = ["-kernel", str(image.kernel()), "-append", "console=ttyS0 panic=-1", "-serial", f"file:{console}"]
        good, _ = attempt(
            ["timeout", "--signal=KILL", str(PATIENCE_SECONDS), *machine, *boot], timeout_seconds=PATIENCE_SECONDS + 5
        )
        return good and console.exists() and THE_END in console.read_text(encoding="utf-8", errors="replace")

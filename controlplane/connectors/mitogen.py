"""Whether Ansible can be driven through Mitogen here, and what Ansible must be told for it.

Mitogen keeps one Python process alive on each machine instead of starting one for each task, which is most of the time
that a push takes. Its own way of failing is covered by `connectors.ansible`: what it does not reach is tried plainly.
"""

from importlib.util import find_spec
from pathlib import Path


def problem() -> str:
    """Empty when Mitogen is installed, else why it cannot be used."""
    missing = [name for name in ("mitogen", "ansible_mitogen") if find_spec(name) is None]
    return f"no module {missing[0]}" if missing else ""


def environment() -> dict[str, str]:
    """Environment of ansible-playbook that makes it use Mitogen; only when there is no problem."""
    spec = find_spec("ansible_mitogen")
    if spec is None or spec.origin is None:
        return {}
    return {
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": str(Path(spec.origin).parent / "plugins" / "strategy"),
    }

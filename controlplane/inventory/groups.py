"""Who stands in which group, over all files of the inventory, as Ansible would see it: pure bookkeeping."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Groups:
    """Parents of each group and groups of each host, gathered file by file."""

    parents: dict[str, dict[str, None]] = field(default_factory=dict)
    of_host: dict[str, dict[str, None]] = field(default_factory=dict)

    def add_child(self, parent: str, child: str) -> None:
        """Note that a group is a child of another."""
        self.parents.setdefault(child, {})[parent] = None

    def add_host(self, group: str, host: str) -> None:
        """Note that a host is in a group."""
        self.of_host.setdefault(host, {})[group] = None

    def around_host(self, host: str, prefix: str) -> tuple[str, ...]:
        """The nearest groups around a host whose name begins with `prefix`."""
        return self._nearest(tuple(self.of_host.get(host, {})), prefix)

    def around_group(self, group: str, prefix: str) -> tuple[str, ...]:
        """The nearest groups above a group whose name begins with `prefix`."""
        return self._nearest(tuple(self.parents.get(group, {})), prefix)

    def _nearest(self, start: tuple[str, ...], prefix: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        seen: set[str] = set()
        level = start
        while level:
            seen.update(level)
            found |= dict.fromkeys(group for group in level if group.startswith(prefix))
            above = dict.fromkeys(
                parent for group in level if not group.startswith(prefix) for parent in self.parents.get(group, {})
            )
            level = tuple(group for group in above if group not in seen)
        return tuple(found)

"""Which common function a server has, from what listens, what is installed, and the name of its system.

Functions that several ministries run for themselves are what merging is about; the staff authentication of all ministries is
GIMA.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlplane.assessment.patterns import like
from controlplane.assessment.truth import ServerTruth
from controlplane.model.estate import System
from controlplane.model.facts import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function and its signs. `processes` listening outside loopback or `words` in the system's name are enough."""

    id: str
    name: str
    common: str
    """What takes it over."""
    processes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    words: tuple[str, ...] = ()


FUNCTIONS = (
    Function(
        id="dns", name="name service", common="the common name service", processes=("named", "unbound", "pdns*", "nsd", "knotd"),
        ports=(53,), words=("ネームサーバ*", "*dns*"),
    ),
    Function(
        id="ntp", name="time service", common="the common time service", processes=("ntpd", "chronyd", "openntpd"), ports=(123,),
    ),
    Function(
        id="mail-relay", name="mail relay", common="the common mail relay", processes=("master", "sendmail*", "exim*", "postfix*", "qmail*", "smtpd"),
        ports=(25,), words=("*メール中継*", "*郵件轉送*", "*mail relay*"),
    ),
    Function(
        id="directory", name="directory and authentication", common="the common staff authentication (GIMA)",
        processes=("slapd", "ns-slapd", "samba", "krb5kdc", "ypserv", "lsass*"), ports=(88, 389, 636),
        words=("*職員*認証*", "*利用者認証*", "*使用者認証*", "*使用者証認*", "*職員認證*", "*ディレクトリ*", "*staff authentication*",
               "*active directory*"),
    ),
    Function(
        id="documents", name="document management", common="the common document management",
        words=("*文書管理*", "*公文管理*", "*document management*"),
    ),
    Function(
        id="bulletin-board", name="bulletin board", common="the common bulletin board",
        words=("*掲示板*", "*公布欄*", "*bulletin board*", "*groupware*", "*グループウェア*"),
    ),
)  # fmt: skip
BY_ID = {function.id: function for function in FUNCTIONS}

_LOOPBACK = ("127.", "::1", "localhost")
_DATABASES = ("postgres*", "mysqld*", "mariadbd*", "tnslsnr*", "ora_*", "db2sysc*", "sqlservr*")


def functions_of(truth: ServerTruth, system: System) -> tuple[str, ...]:
    """Ids of the common functions of one server."""
    listening = outside_listeners(truth)
    names = (system.name, system.name_en, system.description)
    return tuple(
        function.id
        for function in FUNCTIONS
        if any(_listens(listener, function) for listener in listening)
        or any(like(name, word) for name in names for word in function.words)
    )


def outside_listeners(truth: ServerTruth) -> tuple[Mapping[str, Value], ...]:
    """What listens for others; on loopback a server talks to itself."""
    listeners = truth.value("listeners")
    return tuple(
        item
        for item in (listeners if isinstance(listeners, list) else ())
        if isinstance(item, dict) and not str(item.get("address", "")).startswith(_LOOPBACK)
    )


def has_database(truth: ServerTruth) -> bool | None:
    """True when it runs a database, None when nobody can say."""
    databases = truth.value("databases")
    if isinstance(databases, list) and databases:
        return True
    if "listeners" not in truth.fields and "databases" not in truth.fields:
        return None
    processes = {str(item.get("process", "")) for item in outside_listeners(truth)}
    return any(like(process, pattern) for process in processes for pattern in _DATABASES)


def in_several_ministries(functions: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Function to its ministries, given (function, ministry) of all servers; only those that more than one ministry has."""
    owners: dict[str, set[str]] = {}
    for function, ministry in functions:
        owners.setdefault(function, set()).add(ministry)
    return {function: tuple(sorted(found)) for function, found in sorted(owners.items()) if len(found) > 1}


def _listens(listener: Mapping[str, Value], function: Function) -> bool:
    """A known process on a port of the function; where the process is not told, the port alone."""
    if listener.get("port") not in function.ports:
        return False
    process = str(listener.get("process") or "")
    return not process or any(like(process, pattern) for pattern in function.processes)

"""Who may come in and how: users, groups, the ssh server's settings, and certificates with their last day."""

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

from controlplane.discovery.probe import EVERYWHERE, Probe, Reading
from controlplane.discovery.reading import MOST_ROWS, parts, text, whole
from controlplane.model.facts import Value

_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown", "git-shell")
_MATTER = (
    "port", "protocol", "permitrootlogin", "passwordauthentication", "pubkeyauthentication", "permitemptypasswords",
    "kbdinteractiveauthentication", "challengeresponseauthentication", "x11forwarding", "allowtcpforwarding", "maxauthtries",
    "logingracetime", "clientaliveinterval", "clientalivecountmax", "usepam", "allowusers", "allowgroups", "ciphers", "macs",
    "kexalgorithms", "banner", "gssapiauthentication", "hostbasedauthentication", "ignorerhosts", "strictmodes",
)  # fmt: skip
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{64,16000}-----END CERTIFICATE-----")


def _accounts(output: str) -> Reading:
    found = parts(output)
    users: list[Value] = []
    for line in found.get("passwd", [])[:MOST_ROWS]:
        words = [text(word) for word in line.split(":")]
        uid = whole(words[2]) if len(words) == 7 else None
        if uid is None or not words[0]:
            continue
        shell = words[6] or "/bin/sh"
        users.append(
            {
                "name": words[0],
                "uid": uid,
                "home": words[5],
                "shell": shell,
                "login": not shell.rsplit("/", 1)[-1].startswith(_NO_LOGIN),
            }
        )
    groups: list[Value] = []
    for line in found.get("group", [])[:MOST_ROWS]:
        words = [text(word) for word in line.split(":")]
        gid = whole(words[2]) if len(words) == 4 else None
        if gid is not None and words[0]:
            groups.append({"name": words[0], "gid": gid, "members": list[Value](name for name in words[3].split(",") if name)})
    return ({"users": users} if users else {}) | ({"groups": groups} if groups else {})


def _sshd(output: str) -> Reading:
    found = parts(output)
    settings: dict[str, Value] = {}
    for line in found.get("effective", []) or found.get("config", []):
        words = line.split(None, 1)
        if words and words[0].lower() == "match":
            break
        if len(words) == 2 and words[0].lower() in _MATTER:
            settings.setdefault(words[0].lower(), text(words[1]))
    return {"sshd": settings} if settings else {}


def _certificates(output: str) -> Reading:
    rows: list[Value] = []
    for piece in output.split("== file ")[1:]:
        path, _, rest = piece.partition("\n")
        pem = _PEM.search(rest)
        if pem is None:
            continue
        try:
            found = x509.load_pem_x509_certificate(pem[0].encode())
            names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            subject = str(names[0].value) if names else found.subject.rfc4514_string()
            last = found.not_valid_after_utc
        except (ValueError, TypeError, OverflowError):
            continue
        rows.append({"path": text(path), "subject": text(subject), "not_after": last.isoformat()})
    return {"certificates": rows} if rows or "asked" in parts(output) else {}


ACCOUNTS = Probe(
    name="accounts",
    command="say passwd; cat /etc/passwd; say group; cat /etc/group",
    parse=_accounts,
    families=EVERYWHERE,
    confidence=0.9,
)
"""The files alone: asking a directory could take minutes. Accounts of a directory are therefore not among them."""

SSHD = Probe(
    name="sshd",
    command="""
if has sshd && say effective && root sshd -T; then :
elif [ -r /etc/ssh/sshd_config ]; then say config; grep -vE '^[[:space:]]*(#|$)' /etc/ssh/sshd_config; fi
true""",
    parse=_sshd,
    families=EVERYWHERE,
    seconds=15,
    as_root=("sshd -T",),
)

CERTIFICATES = Probe(
    name="certificates",
    command=r"""
set --
for d in /etc/nginx /etc/apache2 /etc/httpd /etc/pki/tls/certs /etc/pki/httpd /etc/ssl /etc/letsencrypt/live /etc/postfix \
  /etc/dovecot /etc/openldap /etc/ldap /etc/mysql /etc/tomcat* /usr/local/etc /opt/*/conf /opt/*/ssl; do
  [ -d "$d" ] && set -- "$@" "$d"
done
say asked
[ $# -gt 0 ] || exit 0
find -H "$@" -path /etc/ssl/certs -prune -o -type f \( -name '*.pem' -o -name '*.crt' -o -name '*.cer' \) -size -64 \
  ! -name 'ca-bundle.*' ! -name 'ca-certificates.*' ! -name 'tls-ca-bundle.*' ! -name 'cert.pem' ! -name 'cert.crt' -print 2>/dev/null |
head -n 100 |
while read -r f; do
  if [ -r "$f" ]; then
    printf '== file %s\n' "$f"
    awk '/-----BEGIN CERTIFICATE-----/{p=1} p{print} /-----END CERTIFICATE-----/{exit}' "$f"
  fi
done
true""",
    parse=_certificates,
    families=EVERYWHERE,
    seconds=15,
)
"""Only what lies between the marks of a certificate leaves the server: a private key in the same file stays there."""

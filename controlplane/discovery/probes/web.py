"""Web and application servers and the sites they serve, as their configuration says."""

import re

from controlplane.discovery.probe import EVERYWHERE, Probe, Reading
from controlplane.discovery.reading import MOST_ROWS, parts, text, whole
from controlplane.model.facts import Value

_LISTEN = re.compile(r"listen\s+(?:\[[0-9a-fA-F:]*\]:|[\w.*-]+:)?([0-9]{1,5})\b")
_LISTEN_SSL = re.compile(r"listen\s+.*\bssl\b")
_VHOST = re.compile(r"<VirtualHost\s+([^>]{1,200})>", re.IGNORECASE)
_CONNECTOR = re.compile(r"<Connector\b[^>]{0,2000}?\bport=\"([0-9]{1,5})\"")
_HOST = re.compile(r"<Host\b([^>]{0,2000})>")
_ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]{0,300})\"")


def _web(output: str) -> Reading:
    found = parts(output)
    rows: list[Value] = [
        *_nginx([line.strip() for line in found.get("nginx", [])[:MOST_ROWS]]),
        *_apache([line.strip() for line in found.get("apache", [])[:MOST_ROWS]]),
        *_tomcat("\n".join(found.get("tomcat", [])[:MOST_ROWS])),
    ]
    return {"web_sites": rows} if rows or "asked" in found else {}


def _site(server: str, name: str, port: int | None, root: str) -> dict[str, Value]:
    row: dict[str, Value] = {"server": server, "name": text(name)}
    if port:
        row["port"] = port
    if root:
        row["root"] = text(root)
    return row


def _nginx(lines: list[str]) -> list[Value]:
    """One row for each port of each `server` block; the first `root` or `proxy_pass` in it counts."""
    rows: list[Value] = []
    depth, inside = 0, -1
    names, ports, root = "", list[int](), ""
    for line in lines:
        clean = line.partition("#")[0].strip()
        if re.match(r"server\s*\{", clean) and inside < 0:
            inside, names, ports, root = depth, "", [], ""
        if inside >= 0:
            for statement in re.split(r"[;{}]", clean):
                words = statement.split()
                if statement.strip().startswith("listen"):
                    hit = _LISTEN.match(statement.strip())
                    port = whole(hit[1], least=1, most=65535) if hit else (443 if _LISTEN_SSL.match(statement.strip()) else 80)
                    ports += [port] if port else []
                elif len(words) > 1 and words[0] == "server_name":
                    names = names or " ".join(words[1:])
                elif len(words) > 1 and words[0] in {"root", "proxy_pass"}:
                    root = root or words[1]
        depth += clean.count("{") - clean.count("}")
        if inside >= 0 and depth <= inside:
            rows += [_site("nginx", names or "_", port, root) for port in sorted(set(ports)) or [80]]
            inside = -1
    return rows


def _apache(lines: list[str]) -> list[Value]:
    rows: list[Value] = []
    main: dict[str, str] = {}
    listens: list[int] = []
    current: dict[str, str] | None = None
    for line in lines:
        vhost = _VHOST.match(line)
        words = line.split(None, 1)
        key, value = (words[0].lower(), words[1].strip("\"' ")) if len(words) == 2 else ("", "")
        if vhost:
            current = {"place": vhost[1]}
        elif line.lower().startswith("</virtualhost") and current is not None:
            port = whole(current["place"].split()[0].rpartition(":")[2], least=1, most=65535)
            rows.append(_site("apache", current.get("servername", "_"), port, current.get("documentroot", "")))
            current = None
        elif key in {"servername", "documentroot"}:
            (main if current is None else current).setdefault(key, value)
        elif key == "listen" and current is None:
            port = whole(value.split()[0].rpartition(":")[2], least=1, most=65535)
            listens += [port] if port else []
    if main.get("documentroot") and listens:
        rows += [_site("apache", main.get("servername", "_"), port, main["documentroot"]) for port in sorted(set(listens))]
    return rows


def _tomcat(config: str) -> list[Value]:
    clean = re.sub(r"<!--(?:(?!-->).){0,100000}-->", "", config, flags=re.DOTALL)
    ports = sorted({port for hit in _CONNECTOR.findall(clean) if (port := whole(hit, least=1, most=65535))})
    hosts = [dict(_ATTRIBUTE.findall(found)) for found in _HOST.findall(clean)]
    return [
        _site("tomcat", host["name"], port, host.get("appBase", ""))
        for host in hosts
        if host.get("name")
        for port in [*ports, *([] if ports else [None])]
    ]


WEB = Probe(
    name="web",
    command=r"""
say asked
if [ -d /etc/nginx ] || [ -d /usr/local/etc/nginx ]; then
  say nginx; for f in /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/* /usr/local/etc/nginx/nginx.conf; do
    [ -r "$f" ] && cat "$f" && echo
  done
fi
for d in /etc/apache2 /etc/httpd /usr/local/etc/apache24; do
  if [ -d $d ]; then
    say apache; for f in $d/conf/httpd.conf $d/httpd.conf $d/ports.conf $d/conf.d/*.conf $d/sites-enabled/* $d/vhosts.d/*.conf; do
      [ -r "$f" ] && cat "$f" && echo
    done
  fi
done
for f in /etc/tomcat*/server.xml /usr/share/tomcat*/conf/server.xml /opt/*tomcat*/conf/server.xml /usr/local/*tomcat*/conf/server.xml; do
  if [ -r "$f" ]; then say tomcat; cat "$f"; fi
done
true""",
    parse=_web,
    families=EVERYWHERE,
    seconds=10,
    confidence=0.85,
)

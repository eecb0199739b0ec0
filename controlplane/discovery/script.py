"""Composes the one script that a server runs: every probe framed by an unguessable mark, within its deadline and its share.

Pure text. It must work in any POSIX sh (dash, bash 3, BusyBox, FreeBSD) on a server without `timeout`, whose disks are full: it
makes no file, so there is no here-document in it (shells keep those in /tmp). It is read whole before its first line runs,
so that a connection cut in the middle runs nothing.

    MARK>name      a probe begins
    MARK=status;   it ended so; may stand anywhere in its output, since it does not wait for the output's last block
    MARK!text      the last of what it complained about, then the next probe

Probes that could wait are asked together first, under one watch, since a watch of its own costs each of them more than most of
them do. Whatever that leaves open (one hung, one flooded) is then asked again by itself, so that none costs another.

    MARK~name;     in the frame of complaints: that probe went to its end; what it complained about stands before

The mark stands in the environment of the shell that needs it and in no argument: those are seen by others on the server.
"""

from collections.abc import Sequence

from controlplane.discovery.probe import Family, Probe

SHARE_BYTES = 4 * 1024 * 1024
"""Of one probe; a kernel with 20,000 connections needs two of them."""
COMPLAINT_BYTES = 600
COMPLAINTS_BYTES = 60_000
"""Of all that are asked together."""
TOGETHER_SECONDS = 15
"""Ten times what they need on a server of today; one that hangs costs this before the others are asked again."""
COMPLAINTS = "complaints"
CLOCK = "clock"
"""The first frame: what time it is there, before anything else costs time."""
OTHER = "other"
"""The frame of a system that no probe speaks to: what `uname` calls it."""
COMMAND = "exec /bin/sh -s"
"""What the server's ssh runs; the script comes by standard input. The login shell may be any, csh included."""

PRELUDE = r"""
has() { command -v "$1" >/dev/null 2>&1; }
say() { printf '== %s\n' "$1"; }
root() {
  if [ "$KASUMI_UID" = 0 ]; then "$@"
  elif [ -n "$KASUMI_SUDO" ]; then
    ( p=$KASUMI_SUDO; unset KASUMI_SUDO; printf '%s\n' "$p" | sudo -S -p '' "$@" )
  else sudo -n "$@"
  fi
}
"""

_EACH = r"""
each() {
  printf '\n%s>%s\n' "$M" "$1"
  "do_$1"
  printf '%s=%s;\n%s!\n' "$M" "$?" "$M" && printf '\n%s~%s;' "$M" "$1" >&2
}
"""
"""One of those that are asked together. An output that nobody takes any more leaves it without its mark."""

_FRAME = r"""
guard() {
  if [ "$G" = timeout ]; then timeout -s KILL "$1" /bin/sh -c "$P$2" </dev/null 3>&-; return $?; fi
  $G /bin/sh -c "$P$2" </dev/null 3>&- &
  c=$!
  ( trap 'kill $s; exit' TERM; sleep "$1" & s=$!; wait $s; kill -9 -$c || kill -9 $c ) >/dev/null 2>&1 3>&- </dev/null &
  w=$!
  wait $c; r=$?
  kill $w 2>/dev/null
  return $r
}
light() {
  o=$( eval "$2" </dev/null 2>/dev/null ); r=$?
  printf '\n%s>%s\n%s\n%s=%s;\n%s!\n' "$M" "$1" "$o" "$M" "$r" "$M"
}
together() {
  {
    e=$( export M; { guard "$1" "$W$2" | head -c "$C" >&3; } 2>&1 | head -c "$T" )
  } 3>&1
  printf '\n%s>complaints\n%s\n%s=0;\n%s!\n' "$M" "$e" "$M" "$M"
  D=$e
}
probe() {
  case $D in *"$M~$1;"*) return;; esac
  printf '\n%s>%s\n' "$M" "$1"
  {
    e=$( { { guard "$2" "$W do_$1"; printf '%s=%s;' "$M" "$?" >&3; } | head -c "$C" >&3; } 2>&1 | tail -c "$E" )
  } 3>&1
  printf '\n%s!%s\n' "$M" "$e"
}
"""


def compose(probes: Sequence[Probe], *, mark: str, sudo_password: str = "") -> str:
    """The script for these probes. `mark` is of letters and digits, new for each connection.

    The password, if any, travels in the script and lives in the shell's environment: never in an argument, never in a file.
    """
    lines = [
        "main() {",
        f"M={mark} C={SHARE_BYTES} E={COMPLAINT_BYTES} T={COMPLAINTS_BYTES}",
        f'printf \'\\n%s>{CLOCK}\\n\' "$M"; date +%s.%N 2>/dev/null; printf \'%s=0;\\n%s!\\n\' "$M" "$M"',
        "LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:$PATH; export LC_ALL PATH",
        "umask 077; cd /; renice 19 -p $$ >/dev/null 2>&1",
        f"P={quoted(PRELUDE)}",
        f"KASUMI_SUDO={quoted(sudo_password)} KASUMI_UID=$(id -u); export KASUMI_SUDO KASUMI_UID",
        'S=$(uname -s); eval "$P"; G=; if has setsid; then G=setsid; fi',
        'case "$S $(timeout --version 2>/dev/null)" in FreeBSD*|*GNU*) G=timeout;; esac',
    ]
    for family in sorted({family for probe in probes for family in probe.families}):
        lines += [f'if [ "$S" = {family.value} ]; then', *_asked([probe for probe in probes if family in probe.families]), "fi"]
    known = "|".join(sorted(Family))
    lines.append(f'case "$S" in {known}) ;; *) printf \'\\n%s>{OTHER}\\n%s\\n%s=0;\\n%s!\\n\' "$M" "$S" "$M" "$M";; esac')
    lines += [r"""printf '\n%s>end\n%s=0;\n%s!\n' "$M" "$M" "$M" """, "}", "main", "exit 0"]
    return _FRAME + "\n".join(lines) + "\n"


def _asked(probes: Sequence[Probe]) -> list[str]:
    """Those that cannot block, a process each; then those that could, together and where that failed each by itself."""
    lines = [f"light {probe.name} {quoted(probe.command.strip())}" for probe in probes if not probe.seconds]
    watched = [probe for probe in probes if probe.seconds]
    if watched:
        functions = "".join(f"\ndo_{probe.name}() (\n{probe.command.strip()}\n)" for probe in watched)
        names = "".join(f"each {probe.name};" for probe in watched)
        seconds = min(TOGETHER_SECONDS, sum(probe.seconds for probe in watched))
        lines += [f"W={quoted(f'{_EACH}{functions}{chr(10)}')}", f"together {seconds} {quoted(names)}"]
        lines += [f"probe {probe.name} {probe.seconds}" for probe in watched]
    return lines


def quoted(words: str) -> str:
    """As one word of a POSIX sh."""
    return "'" + words.replace("'", "'\\''") + "'"

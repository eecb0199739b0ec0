#!/bin/sh
# Installs what is missing to work on kasumi from a checkout: Debian packages (as root or with sudo) and .venv.
# Usage: lab/bootstrap.sh PACKAGE_LIST…      Quick when nothing is missing; may be run again at any time.
set -eu
cd "$(dirname "$0")/.."

wanted=$(grep -hv '^#' "$@")
missing=""
for package in $wanted; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then as_root=""
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo"
  else
    echo "kasumi: these Debian packages are missing and need root to install. Ask an administrator to run:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "installing Debian packages:$missing" >&2
  # Services of these packages would listen on every address; the lab and the tests start their own instead.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    trap '$as_root rm -f "$policy"' EXIT
  fi
  $as_root apt-get update -qq
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >&2
fi

wish=$(cat setup.cfg pyproject.toml | sha256sum | cut -c1-64)
if [ "$(cat .venv/.installed 2>/dev/null)" != "$wish" ]; then
  echo "installing Python packages into .venv" >&2
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
  echo "$wish" > .venv/.installed
fi

#!/bin/sh
# The root of `moj-archive`, a server of 2009 that nobody dared to touch: no python3, no iproute2, System V init, no os-release.
# It is a Debian 11 made up to say what a Debian 5 says, since a real one's packages are not to be had here. $1 is its folder.
set -eu
root=$1
echo moj-archive > "$root/etc/hostname"
printf '127.0.0.1 localhost\n10.77.41.21 moj-archive\n' > "$root/etc/hosts"
: > "$root/etc/resolv.conf"
! ls "$root"/usr/bin/python3* >/dev/null 2>&1 || { echo 'old-style: wanted no python3' >&2; exit 1; }
rm -f "$root/etc/os-release" "$root/usr/lib/os-release" "$root/usr/bin/ss" "$root/sbin/ip" "$root/bin/ip"
echo 5.0.10 > "$root/etc/debian_version"
install -d "$root/srv/archive" "$root/etc/rc2.d"
ln -sf ../init.d/archive "$root/etc/rc2.d/S20archive"
printf '#!/bin/sh\n# archive\n' > "$root/etc/init.d/archive"
chmod 0755 "$root/etc/init.d/archive"
echo '0 4 * * 0 root /usr/bin/rsync -a /srv/archive/ /mnt/tape/' > "$root/etc/cron.d/archive"

#!/bin/sh
# host-namespaces.sh HOME NAME KIND COMMAND...: makes the running process a libvirt host: its own files where libvirt and sshd
# look for them. Runs in fresh mount and UTS namespaces; everything mounted here goes away with the last process of the host.
set -eu
home=$1 name=$2 kind=$3
shift 3

hostname "$name"
# A sysfs of this network namespace: libvirt looks for bridges and taps in it.
mount -t sysfs -o ro sysfs /sys
# libvirt believes in a /dev/kvm that can be opened; where it does not work, nobody must be offered it.
if [ "$kind" != kvm ] && [ -e /dev/kvm ]; then
    mount --bind /dev/null /dev/kvm
fi
for file in shadow hosts hostname resolv.conf; do
    mount --bind "$home/etc/$file" "/etc/$file"
done
mount --bind "$home/etc/libvirt" /etc/libvirt
mount --bind "$home/lib" /var/lib/libvirt
mount --bind "$home/log" /var/log/libvirt
mount --bind "$home/cache" /var/cache/libvirt
# The whole of /run, not only /run/libvirt: pid files, sshd's folder and libvirt's "autostarted" mark are the host's own.
mount --bind "$home/run" /run
exec "$@"

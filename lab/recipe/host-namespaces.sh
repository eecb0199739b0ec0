#!/bin/sh
# host-namespaces.sh HOME NAME KIND COMMAND...: makes the running process a libvirt host: its own files where libvirt and sshd
# look for them. Runs in fresh mount and UTS namespaces; everything mounted here goes away with the last process of the host.
set -eu
home=$1 name=$2 kind=$3
shift 3

hostname "$name"
# A sysfs of this network namespace: libvirt looks for bridges and taps in it.
mount -t sysfs -o ro sysfs /sys
# libvirt believes in a /dev/kvm that can be opened, and asks QEMU about it anew at every definition (a minute each) when
# QEMU then finds that it does not work. So where it does not work there must be no such node at all.
if [ "$kind" != kvm ] && [ -e /dev/kvm ]; then
    devices="$home/run/dev"
    mkdir -p "$devices"
    mount -t tmpfs -o mode=755,nosuid dev "$devices"
    for node in /dev/*; do
        case "$node" in
            /dev/kvm) ;;
            *) if [ -d "$node" ] && [ ! -L "$node" ]; then
                   mkdir "$devices/${node#/dev/}"
                   mount --rbind "$node" "$devices/${node#/dev/}"
               else
                   cp -a "$node" "$devices/"
               fi ;;
        esac
    done
    mount --move "$devices" /dev
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

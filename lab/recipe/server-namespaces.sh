#!/bin/sh
# server-namespaces.sh SYSTEM HOME NAME INIT: makes the running process the first process of a legacy server. SYSTEM is the
# cached root file system, never written to; HOME holds what this server changed (upper, work) and its keys.
# Runs in fresh mount, UTS and process namespaces.
set -eu
system=$1 home=$2 name=$3 init=$4
root=$home/root

hostname "$name"
mkdir -p "$root" "$home/upper" "$home/work"
# Where the kernel cannot overlay here (a container's own overlay), a plain copy serves, made once.
if ! mount -t overlay -o "lowerdir=$system,upperdir=$home/upper,workdir=$home/work" overlay "$root" 2>/dev/null; then
    if [ ! -e "$home/copied" ]; then
        cp --archive "$system/." "$root"
        touch "$home/copied"
    fi
    mount --bind "$root" "$root"
fi
install -d -m 0700 "$root/root/.ssh"
install -m 0600 "$home/keys/authorized_keys" "$root/root/.ssh/authorized_keys"
install -m 0600 "$home/keys/host_key" "$root/etc/ssh/ssh_host_ed25519_key"
[ ! -e "$home/init" ] || install -m 0755 "$home/init" "$root$init"

# A dead server cannot have left running services behind.
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

cd "$root"
mkdir -p .old-root
pivot_root . .old-root
umount -l /.old-root
exec "$init"

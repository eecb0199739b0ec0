#!/bin/sh
# enter.sh ROOT COMMAND...: runs COMMAND while ROOT has the pseudo file systems a chroot needs, and takes them away after.
set -eu
root=$1
shift
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
status=0
"$@" || status=$?
rm -f "$root/usr/sbin/policy-rc.d"
umount "$root/dev/shm" "$root/dev" "$root/proc"
exit $status

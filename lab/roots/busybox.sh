#!/bin/sh
# The root of `moj-kiosk`: BusyBox, dropbear and the libraries that dropbear wants, taken from this machine. $1 is its folder.
# Stands for Alpine and appliances, whose packages are not to be had here.
set -eu
root=$1
for folder in bin sbin usr/bin usr/sbin etc/dropbear etc/ssh proc sys dev run tmp root var/log home; do
    mkdir -p "$root/$folder"
done
cp /bin/busybox "$root/bin/busybox"
"$root/bin/busybox" --list-full | while read -r applet; do
    [ -e "$root/$applet" ] || ln -s /bin/busybox "$root/$applet"
done
for program in /usr/sbin/dropbear /usr/bin/dropbearconvert; do
    cp "$program" "$root$program"
    ldd "$program" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ "^/") print $i }' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
done
for library in /lib/x86_64-linux-gnu/libnss_files.so.2 /lib/x86_64-linux-gnu/libnss_compat.so.2; do
    [ ! -e "$library" ] || cp -L "$library" "$root$library"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnobody:x:65534:\n' > "$root/etc/group"
printf 'root:*:19000:0:99999:7:::\n' > "$root/etc/shadow"
echo /bin/sh > "$root/etc/shells"
printf 'passwd: files\ngroup: files\nshadow: files\n' > "$root/etc/nsswitch.conf"
: > "$root/etc/resolv.conf"

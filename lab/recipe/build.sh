#!/bin/sh
# build.sh TARGET MIRROR SECURITY_MIRROR: everything that is cached, into the empty folder TARGET:
# debian-12.qcow2 (+ .sha256), mhlw-pension.qcow2 (+ .places: where its keys lie), mof-files/ (a root file system), vmlinuz. Runs in its own mount and process
# namespaces, so that an interruption leaves neither mounts nor processes.
set -eu
recipe=$(dirname "$0") target=$1 mirror=$2 security=$3
say() { echo "step: $*"; }
pack() {
    qemu-img convert -O qcow2 -c -o compression_type=zstd -m 4 -W "$1" "$2"
    rm "$1"
}
export recipe LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
root=$target/root

say "unpack Debian 12 (mmdebstrap)"
# Speed over safety against a power cut: a half-built folder is thrown away anyway.
mmdebstrap --mode=root --variant=minbase --quiet --skip=cleanup/apt/lists \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --include="$(paste --serial --delimiters=, "$recipe/packages")" \
    --essential-hook='sh "$recipe/before-packages.sh" "$1"' \
    --customize-hook='sh "$recipe/guest.sh" "$1"' \
    bookworm "$root" \
    "deb $mirror bookworm main" "deb $mirror bookworm-updates main" "deb $security bookworm-security main"

say "derive the file server mof-files"
cp --archive "$root" "$target/mof-files"
sh "$recipe/enter.sh" "$target/mof-files" sh "$recipe/mof-files.sh" "$target/mof-files"
rm -rf "$root/var/lib/apt/lists"/*

say "pack the guest image"
sh "$recipe/disk.sh" "$root" "$target/guest.raw" 2048
pack "$target/guest.raw" "$target/debian-12.qcow2"
sha256sum < "$target/debian-12.qcow2" | cut --delimiter=' ' --fields=1 > "$target/debian-12.qcow2.sha256"

say "derive the guest mhlw-pension"
sh "$recipe/enter.sh" "$root" sh "$recipe/mhlw-pension.sh" "$root"
sh "$recipe/disk.sh" "$root" "$target/pension.raw" 2048
for file in /root/.ssh/authorized_keys /home/kasumi/.ssh/authorized_keys /etc/ssh/ssh_host_ed25519_key; do
    block=$(debugfs -R "blocks $file" "$target/pension.raw?offset=1048576" 2>/dev/null | tr -d ' ')
    echo "$file $((1048576 + block * 4096))"
done > "$target/mhlw-pension.places"
pack "$target/pension.raw" "$target/mhlw-pension.qcow2"
cp "$root"/boot/vmlinuz-* "$target/vmlinuz"
rm -rf "$root"

#!/bin/sh
# Runs when the essential packages are unpacked and before the rest: what their installation scripts must already see.
set -eu
root=$1

# The installation of the kernel builds the initramfs once; only what a virtio guest needs goes in, so that it loads
# quickly under software emulation.
mkdir -p "$root/etc/initramfs-tools/conf.d" "$root/etc/initramfs-tools/hooks"
cat > "$root/etc/initramfs-tools/conf.d/kasumi-lab" <<'END'
MODULES=list
COMPRESS=lz4
RESUME=none
FSTYPE=ext4
END
cat > "$root/etc/initramfs-tools/hooks/kasumi-lab" <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
for module in virtio_pci virtio_blk virtio_scsi sd_mod ext4 crc32c_generic; do
    manual_add_modules "$module"
done
END
chmod 0755 "$root/etc/initramfs-tools/hooks/kasumi-lab"

# A cluster made under the C locale would be SQL_ASCII.
mkdir -p "$root/etc/postgresql-common"
printf '%s\n' "initdb_options = '--locale=C.UTF-8 --encoding=UTF8'" "add_include_dir = 'conf.d'" \
    > "$root/etc/postgresql-common/createcluster.conf"

#!/bin/sh
# disk.sh ROOT DISK SIZE_MIB: a raw disk that boots by itself by BIOS: an MBR, GRUB in the gap before the first
# partition, one ext4 partition that is the last, so that cloud-init can grow it. Needs no loop device.
set -eu
root=$1 disk=$2 size_mib=$3

truncate --size="${size_mib}M" "$disk"
# The one partition as an MBR entry: active, type 83, from sector 2048 to the end; CHS numbers too large to mean anything.
sectors=$((size_mib * 2048 - 2048))
count=$(printf '\\%03o' $((sectors & 255)) $((sectors >> 8 & 255)) $((sectors >> 16 & 255)) $((sectors >> 24 & 255)))
printf "\\200\\376\\377\\377\\203\\376\\377\\377\\000\\010\\000\\000$count" | dd of="$disk" bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of="$disk" bs=1 seek=510 conv=notrunc status=none
# The first mount would zero the inode tables in the background, hence lazy_itable_init=0; GRUB 2.06 does not know the
# two features switched off, which newer versions of mkfs switch on.
mkfs.ext4 -q -F -L root -O '^metadata_csum_seed,^orphan_file' -m 1 \
    -E offset=1048576,lazy_itable_init=0,lazy_journal_init=0,nodiscard -d "$root" "$disk" "$((size_mib - 1))M"

# The prefix without a drive means the drive the BIOS booted from, whatever its number.
grub-mkimage --format=i386-pc --prefix='(,msdos1)/boot/grub' --output="$disk.core" \
    biosdisk part_msdos ext2 linux normal configfile echo
test "$(stat --format=%s "$disk.core")" -lt $((2047 * 512))
dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$disk.core" of="$disk" bs=512 seek=1 conv=notrunc status=none
rm "$disk.core"

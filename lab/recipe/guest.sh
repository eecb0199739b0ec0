#!/bin/sh
# Turns the unpacked packages into the guest image's root file system.
set -eu
root=$1

echo 'LABEL=root / ext4 defaults,noatime 0 1' > "$root/etc/fstab"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$root/etc/hosts"
echo debian > "$root/etc/hostname"
printf 'LANG=C.UTF-8\n' > "$root/etc/default/locale"
cat > "$root/etc/apt/apt.conf.d/90kasumi-lab" <<'END'
Acquire::Languages "none";
APT::Install-Recommends "false";
END

# Each machine makes its own identity. An existing but empty machine-id is not a "first boot" to systemd, which would
# apply every preset again: seconds under software emulation.
: > "$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id"
ln -s /etc/machine-id "$root/var/lib/dbus/machine-id"

# Modules that need the internet or a distribution's mirror are left out; ed25519 alone because an RSA key costs
# several seconds of emulated CPU.
cat > "$root/etc/cloud/cloud.cfg.d/90-kasumi-lab.cfg" <<'END'
datasource_list: [NoCloud, ConfigDrive, OpenStack, None]
ssh_genkeytypes: [ed25519]
apt: {preserve_sources_list: true}
cloud_init_modules: [bootcmd, write-files, growpart, resizefs, set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]
cloud_config_modules: [set-passwords, timezone, runcmd]
cloud_final_modules: [write-files-deferred, scripts-user, final-message]
END

# Baked, off until a playbook turns it on.
for unit in postgresql.service nginx.service chrony.service unattended-upgrades.service nftables.service; do
    chroot "$root" systemctl disable --quiet "$unit"
done
# What wakes up at boot and is no use in a guest without internet. Disabled, not masked: a playbook may want it.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer logrotate.timer cloud-init-hotplugd.socket getty@tty1.service remote-fs.target systemd-pstore.service; do
    chroot "$root" systemctl disable --quiet "$unit" 2>/dev/null || true
done
chroot "$root" systemctl mask --quiet systemd-binfmt.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-fs-fuse-connections.mount systemd-random-seed.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service modprobe@fuse.service modprobe@drm.service modprobe@configfs.service \
    ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service
chroot "$root" systemctl enable --quiet systemd-networkd.service systemd-resolved.service serial-getty@ttyS0.service

# /vmlinuz and /initrd.img follow kernel upgrades (linux-base), so this file stays true without update-grub.
mkdir -p "$root/boot/grub"
cat > "$root/boot/grub/grub.cfg" <<'END'
linux /vmlinuz root=LABEL=root rw quiet loglevel=3 console=ttyS0,115200 fsck.mode=skip mitigations=off random.trust_cpu=on systemd.show_status=false
initrd /initrd.img
boot
END
ln -sf "$(cd "$root" && ls -d boot/vmlinuz-* | tail -1)" "$root/vmlinuz"
ln -sf "$(cd "$root" && ls -d boot/initrd.img-* | tail -1)" "$root/initrd.img"

find "$root/var/log" -type f -delete
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/debconf/*-old

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

# Each of cloud-init's four runs costs five seconds of emulated CPU for starting Python alone, so the modules of the third
# join the second and the third is off. Modules that need the internet are left out. ed25519 alone: an RSA key costs seconds.
cat > "$root/etc/cloud/cloud.cfg.d/90-kasumi-lab.cfg" <<'END'
datasource_list: [NoCloud, ConfigDrive, OpenStack, None]
ssh_genkeytypes: [ed25519]
apt: {preserve_sources_list: true}
cloud_init_modules: [bootcmd, write-files, growpart, resizefs, set_hostname, update_hostname, update_etc_hosts, users-groups, ssh,
    set-passwords, timezone, runcmd]
cloud_config_modules: []
cloud_final_modules: [write-files-deferred, scripts-user, final-message]
END
chroot "$root" systemctl mask --quiet cloud-config.service
# A machine powered off hard in its first boot keeps empty files of cloud-init, which then refuses to run ever after: a
# first boot that was cut starts anew.
mkdir -p "$root/etc/systemd/system/cloud-init-local.service.d"
cat > "$root/etc/systemd/system/cloud-init-local.service.d/cut-first-boot.conf" <<'END'
[Service]
ExecStartPre=/bin/sh -c 'test -s /var/lib/cloud/instance/boot-finished || rm -rf /var/lib/cloud/data /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/sem'
END
cat > "$root/usr/local/sbin/netplan" <<'END'
#!/bin/sh
# cloud-init calls `netplan generate` at boot; the command in Python takes five emulated seconds to start this same program.
if [ "$*" = generate ]; then
    exec /usr/libexec/netplan/generate
fi
exec /usr/sbin/netplan "$@"
END
chmod 0755 "$root/usr/local/sbin/netplan"

# Nobody else has our addresses; looking for duplicates holds up the boot.
printf 'net.ipv6.conf.%s.accept_dad = 0\n' all default > "$root/etc/sysctl.d/90-kasumi-lab.conf"

# Names are resolved in no hurry: after sshd, instead of holding up everything else.
sed -e 's/^Before=.*/Before=shutdown.target/' -e 's/^WantedBy=.*/WantedBy=multi-user.target/' -e '/^After=/s/$/ ssh.service/' \
    "$root/lib/systemd/system/systemd-resolved.service" > "$root/etc/systemd/system/systemd-resolved.service"

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
    modprobe@loop.service modprobe@dm_mod.service modprobe@efi_pstore.service \
    ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service
chroot "$root" systemctl reenable --quiet systemd-resolved.service
chroot "$root" systemctl enable --quiet systemd-networkd.service serial-getty@ttyS0.service

# SYSTEMD_SECCOMP: building the services' filters of system calls costs seconds of emulated CPU; a lab needs none.
# /vmlinuz and /initrd.img follow kernel upgrades (linux-base), so this file stays true without update-grub.
mkdir -p "$root/boot/grub"
cat > "$root/boot/grub/grub.cfg" <<'END'
linux /vmlinuz root=LABEL=root rw quiet SYSTEMD_SECCOMP=0 loglevel=3 console=ttyS0,115200 fsck.mode=skip mitigations=off random.trust_cpu=on systemd.show_status=false
initrd /initrd.img
boot
END
ln -sf "$(cd "$root" && ls -d boot/vmlinuz-* | tail -1)" "$root/vmlinuz"
ln -sf "$(cd "$root" && ls -d boot/initrd.img-* | tail -1)" "$root/initrd.img"

find "$root/var/log" -type f -delete
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/debconf/*-old

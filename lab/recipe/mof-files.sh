#!/bin/sh
# The root file system of `mof-files`, a server of the Ministry of Finance that grew by hand: no systemd runs in it, only
# what its init script starts. $1 is a copy of the guest's root, with package lists still there.
set -eu
root=$1

rm -f "$root/etc/resolv.conf"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get install --yes --quiet --quiet --no-install-recommends vsftpd rsync >/dev/null
echo mof-files > "$root/etc/hostname"
printf '127.0.0.1 localhost\n10.77.30.21 mof-files\n' > "$root/etc/hosts"
: > "$root/etc/resolv.conf"
echo 4d4f462d46494c45534b4153554d4921 > "$root/etc/machine-id"

chroot "$root" useradd --create-home --shell /bin/bash --comment 'Tanaka Ichiro' tanaka
chroot "$root" useradd --create-home --shell /bin/bash --comment 'Suzuki Hanako' suzuki
chroot "$root" groupadd budget
chroot "$root" usermod --append --groups budget tanaka

install -d "$root/srv/files/budget" "$root/srv/files/public" "$root/root/.ssh"
chmod 0700 "$root/root/.ssh"
for year in 2013 2014 2015; do
    echo "ministry of finance, budget request $year" > "$root/srv/files/budget/request-$year.txt"
done
echo 'shared documents' > "$root/srv/files/public/README"
chroot "$root" chown -R tanaka:budget /srv/files/budget

echo '<html><body><h1>MOF file server</h1><a href="/files/">files</a></body></html>' > "$root/var/www/html/index.html"
cat > "$root/etc/nginx/sites-available/default" <<'END'
server {
    listen 80 default_server;
    root /var/www/html;
    location /files/ { alias /srv/files/public/; autoindex on; }
}
END
cat > "$root/etc/vsftpd.conf" <<'END'
listen=YES
listen_ipv6=NO
anonymous_enable=YES
anon_root=/srv/files/public
local_enable=YES
write_enable=YES
# The machine's process limits belong to somebody else here; vsftpd's own sandbox would need more of them.
seccomp_sandbox=NO
END
cat > "$root/etc/rsyncd.conf" <<'END'
uid = nobody
gid = nogroup
[files]
    path = /srv/files
    read only = yes
END
cat > "$root/usr/local/sbin/nightly-index" <<'END'
#!/bin/sh
find /srv/files -type f | sort > /var/lib/files.index
END
chmod 0755 "$root/usr/local/sbin/nightly-index"
echo '15 2 * * * root /usr/local/sbin/nightly-index' > "$root/etc/cron.d/nightly-index"
printf '*/30 8-18 * * 1-5 /usr/bin/rsync --list-only rsync://localhost/files\n' > "$root/var/spool/cron/crontabs/tanaka"
chroot "$root" chown tanaka:crontab /var/spool/cron/crontabs/tanaka
chmod 0600 "$root/var/spool/cron/crontabs/tanaka"

cat > "$root/etc/ssh/sshd_config" <<'END'
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
HostKey /etc/ssh/ssh_host_ed25519_key
Subsystem sftp /usr/lib/openssh/sftp-server
AcceptEnv LANG LC_*
END
cat > "$root/sbin/mof-init" <<'END'
#!/bin/sh
# Process 1 of this server: starts what the server serves, then only collects the dead.
mkdir -p /run/sshd /run/nginx /run/vsftpd/empty
nginx
cron
rsync --daemon
vsftpd /etc/vsftpd.conf &
/usr/sbin/sshd
while :; do sleep 3600 & wait; done
END
chmod 0755 "$root/sbin/mof-init"
rm -rf "$root/var/lib/apt/lists" "$root"/var/cache/apt/archives/*.deb "$root"/boot/*

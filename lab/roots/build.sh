#!/bin/sh
# build.sh TARGET MIRROR: the root file systems of legacy servers that are not Debian 12, into the empty folder TARGET.
# debian-11/ with python3, old-style/ without it and with the tools of 2009, busybox/ with nothing but BusyBox and dropbear.
# Runs in its own mount and process namespaces, so that an interruption leaves neither mounts nor processes.
set -eu
here=$(dirname "$0") target=$1 mirror=$2
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
unpack() { # NAME PACKAGES
    echo "step: unpack $1 (mmdebstrap bullseye)"
    mmdebstrap --mode=root --variant=minbase --quiet --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' --include="$2" \
        --customize-hook='printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; rm -f "$1"/etc/ssh/ssh_host_*' \
        bullseye "$target/$1" "deb $mirror bullseye main"
}
unpack debian-11 openssh-server,python3-psycopg2,nginx-light,cron,sudo,iproute2,procps,openssl
sh "$here/debian-11.sh" "$target/debian-11"
unpack old-style openssh-server,net-tools,procps,cron,sysv-rc,insserv
sh "$here/old-style.sh" "$target/old-style"
echo "step: make busybox"
sh "$here/busybox.sh" "$target/busybox"

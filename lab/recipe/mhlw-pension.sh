#!/bin/sh
# The root file system of `mhlw-pension`, a guest of the Ministry of Health, Labour and Welfare: PostgreSQL with a table
# of records, a page service that reads it, nginx in front. $1 is a copy of the guest's root. Keys are added by `up`,
# since they belong to one lab.
set -eu
root=$1

echo mhlw-pension > "$root/etc/hostname"
printf '127.0.0.1 localhost\n10.77.20.21 mhlw-pension\n' > "$root/etc/hosts"
echo 4d484c572d50454e53494f4e4b415355 > "$root/etc/machine-id"

# The disk must boot anywhere without its seed: everything cloud-init would have done is done here.
touch "$root/etc/cloud/cloud-init.disabled"
cat > "$root/etc/netplan/50-pension.yaml" <<'END'
network:
  version: 2
  ethernets:
    lan:
      match: {macaddress: "52:54:00:77:20:21"}
      addresses: [10.77.20.21/24]
      routes: [{to: default, via: 10.77.20.1}]
      link-local: []
END
chmod 0600 "$root/etc/netplan/50-pension.yaml"

chroot "$root" useradd --create-home --shell /bin/bash kasumi
chroot "$root" useradd --create-home --shell /bin/bash --comment 'Sato Jiro' sato
echo 'kasumi ALL=(ALL) NOPASSWD:ALL' > "$root/etc/sudoers.d/kasumi"
chmod 0440 "$root/etc/sudoers.d/kasumi"
# Keys belong to one lab, this disk to all: each file of keys gets one block of blank lines, which `up` overwrites where it
# lies, without mounting or copying the disk.
install -d -m 0700 "$root/root/.ssh" "$root/home/kasumi/.ssh"
for file in root/.ssh/authorized_keys home/kasumi/.ssh/authorized_keys etc/ssh/ssh_host_ed25519_key; do
    head --bytes=4096 /dev/zero | tr '\0' '\n' > "$root/$file"
    chmod 0600 "$root/$file"
done
chroot "$root" chown -R kasumi:kasumi /home/kasumi/.ssh

cat > "$root/usr/local/sbin/pension-page" <<'END'
#!/usr/bin/python3
"""Answers / with what the database holds now: the number of records and a digest over all of them."""
from http.server import BaseHTTPRequestHandler, HTTPServer
import psycopg2

QUERY = """SELECT count(*), sum(amount_yen), md5(string_agg(id || ':' || holder || ':' || amount_yen, ',' ORDER BY id))
           FROM records"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        connection = psycopg2.connect(dbname="pension", user="pension", host="/var/run/postgresql")
        try:
            cursor = connection.cursor()
            cursor.execute(QUERY)
            count, amount, digest = cursor.fetchone()
        finally:
            connection.close()
        body = f"records={count} amount_yen={amount} md5={digest}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", 8080), Page).serve_forever()
END
chmod 0755 "$root/usr/local/sbin/pension-page"
chroot "$root" useradd --system --shell /usr/sbin/nologin pension
cat > "$root/etc/systemd/system/pension-page.service" <<'END'
[Unit]
Description=Pension records page
After=postgresql.service

[Service]
User=pension
ExecStart=/usr/local/sbin/pension-page
Restart=always

[Install]
WantedBy=multi-user.target
END
cat > "$root/etc/nginx/sites-available/default" <<'END'
server {
    listen 80 default_server;
    location / { proxy_pass http://127.0.0.1:8080; }
}
END
cat > "$root/usr/local/sbin/pension-report" <<'END'
#!/bin/sh
runuser -u postgres -- psql -At pension -c 'SELECT count(*) FROM records' > /var/lib/pension-report
END
chmod 0755 "$root/usr/local/sbin/pension-report"
echo '30 3 * * * root /usr/local/sbin/pension-report' > "$root/etc/cron.d/pension-report"
chroot "$root" systemctl enable --quiet postgresql.service nginx.service pension-page.service

# The rows come from a formula, not from chance: every build holds the same thousand.
cat > "$root/tmp/records.sql" <<'END'
CREATE ROLE pension LOGIN;
CREATE DATABASE pension OWNER pension;
\connect pension
SET ROLE pension;
CREATE TABLE records (id integer PRIMARY KEY, holder text NOT NULL, born date NOT NULL, amount_yen integer NOT NULL);
INSERT INTO records
    SELECT n, 'holder-' || lpad(n::text, 4, '0'), date '1930-01-01' + (n * 37) % 14600, 50000 + (n * 7919) % 150000
    FROM generate_series(1, 1000) AS n;
END
chmod 0644 "$root/tmp/records.sql"
mkdir -p "$root/run/postgresql"
chroot "$root" chown postgres:postgres /run/postgresql
chroot "$root" runuser -u postgres -- sh -ec '
    pg=/usr/lib/postgresql/15/bin
    data=/var/lib/postgresql/15/main
    conf=/etc/postgresql/15/main/postgresql.conf
    $pg/pg_ctl --silent --wait --pgdata=$data --log=/tmp/pg.log \
        --options="-c config_file=$conf -c listen_addresses=" start || { cat /tmp/pg.log >&2; exit 1; }
    psql --quiet --set=ON_ERROR_STOP=1 --file=/tmp/records.sql
    $pg/pg_ctl --silent --wait --pgdata=$data stop'
rm -rf "$root/tmp/records.sql" "$root/tmp/pg.log" "$root"/run/postgresql
find "$root/var/log" -type f -delete

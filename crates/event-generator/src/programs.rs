//! The programs, who starts them, and what they start.

use crate::hosts::Role;
use crate::text::Template;

/// Who a process runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunsAs {
    /// Whoever started it.
    Same,
    /// This user.
    User(&'static str),
    /// One of the people of the host.
    Person,
}

/// A program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) runs_as: RunsAs,
    /// The shortest and the longest it runs.
    pub(crate) lifetime_ms: (u64, u64),
    /// Its command lines, the first most often.
    pub(crate) lines: &'static [&'static str],
    /// The fewest and the most programs that it starts, and which.
    pub(crate) starts: (u64, u64, &'static [&'static str]),
    /// How many of a thousand end badly.
    pub(crate) fails_per_mille: u64,
}

const fn program(
    name: &'static str,
    path: &'static str,
    lifetime_ms: (u64, u64),
    lines: &'static [&'static str],
) -> Program {
    Program {
        name,
        path,
        runs_as: RunsAs::Same,
        lifetime_ms,
        lines,
        starts: (0, 0, &[]),
        fails_per_mille: 15,
    }
}

impl Program {
    const fn user(self, user: &'static str) -> Self {
        Self { runs_as: RunsAs::User(user), ..self }
    }

    const fn person(self) -> Self {
        Self { runs_as: RunsAs::Person, ..self }
    }

    const fn starts(self, few: u64, many: u64, names: &'static [&'static str]) -> Self {
        Self { starts: (few, many, names), ..self }
    }

    const fn fails(self, fails_per_mille: u64) -> Self {
        Self { fails_per_mille, ..self }
    }
}

/// What a shell of a person runs.
const AT_THE_PROMPT: &[&str] = &[
    "ls",
    "git",
    "grep",
    "cat",
    "sudo",
    "ssh",
    "vim",
    "systemctl",
    "journalctl",
    "curl",
    "find",
    "ps",
    "python3",
    "tail",
    "docker",
    "id",
];

#[rustfmt::skip]
pub(crate) const PROGRAMS: &[Program] = &[
    // Of every host.
    program("sh", "/usr/bin/dash", (40, 30_000), &[
        "/bin/sh -c command -v debian-sa1 > /dev/null && debian-sa1 1 1",
        "/bin/sh -c cd / && run-parts --report /etc/cron.hourly",
        "/bin/sh -c /usr/local/bin/check_disk -w 20% -c 10% -p /",
        "/bin/sh -c /srv/app/current/bin/cron {word} >> /var/log/app/{word}.log 2>&1",
        "/bin/sh -c find /tmp -name 'sess_*' -mmin +{n} -delete",
    ]).user("root").starts(1, 3, &["run-parts", "find", "check_disk", "curl", "sadc", "php", "sleep"]),
    program("run-parts", "/usr/bin/run-parts", (30, 4000), &[
        "run-parts --report /etc/cron.hourly", "run-parts --report /etc/cron.daily",
    ]).starts(0, 3, &["logrotate", "find", "sleep"]),
    program("logrotate", "/usr/sbin/logrotate", (50, 3000), &["/usr/sbin/logrotate /etc/logrotate.conf"])
        .starts(0, 2, &["gzip"]),
    program("gzip", "/usr/bin/gzip", (20, 8000), &["gzip {dir}/{word}.log.1", "gzip -c {dir}/{word}-{day}.sql"]),
    program("find", "/usr/bin/find", (10, 6000), &[
        "find {dir} -type f -mtime +{n} -delete", "find {dir} -name *.{word} -print0",
    ]),
    program("check_disk", "/usr/local/bin/check_disk", (5, 80), &["/usr/local/bin/check_disk -w 20% -c 10% -p /"]),
    program("sadc", "/usr/lib/sysstat/sadc", (900, 1100), &["/usr/lib/sysstat/sadc -F -L -S DISK 1 1 /var/log/sysstat"]),
    program("sleep", "/usr/bin/sleep", (1000, 30_000), &["sleep 5", "sleep {n}"]).fails(0),
    program("systemd-tmpfile", "/usr/bin/systemd-tmpfiles", (20, 400), &["systemd-tmpfiles --clean"]).user("root"),
    program("apt-get", "/usr/bin/apt-get", (3000, 90_000), &[
        "apt-get -qq -y update", "apt-get -y install --no-install-recommends lib{word}-dev",
        "apt-get -y dist-upgrade",
    ]).user("root").starts(2, 7, &["http", "gpgv", "dpkg", "store"]),
    program("http", "/usr/lib/apt/methods/http", (500, 40_000), &["/usr/lib/apt/methods/http"]).user("_apt"),
    program("gpgv", "/usr/lib/apt/methods/gpgv", (50, 900), &["/usr/lib/apt/methods/gpgv"]).user("_apt"),
    program("store", "/usr/lib/apt/methods/store", (50, 3000), &["/usr/lib/apt/methods/store"]).user("_apt"),
    program("dpkg", "/usr/bin/dpkg", (80, 9000), &[
        "/usr/bin/dpkg --status-fd {n} --no-triggers --unpack --auto-deconfigure --recursive /tmp/apt-dpkg-install-{hex}",
        "/usr/bin/dpkg --print-foreign-architectures", "/usr/bin/dpkg --configure --pending",
    ]).starts(0, 2, &["dpkg-deb", "sh"]),
    program("dpkg-deb", "/usr/bin/dpkg-deb", (30, 3000), &[
        "dpkg-deb --control /var/cache/apt/archives/lib{word}_1.{n}-1_amd64.deb /var/lib/dpkg/tmp.ci",
        "dpkg-deb --fsys-tarfile /var/cache/apt/archives/lib{word}_1.{n}-1_amd64.deb",
    ]),
    program("sshd-session", "/usr/lib/openssh/sshd-session", (4000, 1_800_000), &["sshd-session: {user} [priv]"])
        .user("root").starts(1, 1, &["bash"]),
    program("bash", "/usr/bin/bash", (3000, 1_700_000), &["-bash", "bash", "/bin/bash {dir}/{word}.sh"])
        .person().starts(1, 9, AT_THE_PROMPT),
    program("sudo", "/usr/bin/sudo", (30, 60_000), &[
        "sudo systemctl restart {word}", "sudo -i", "sudo tail -f /var/log/{word}.log", "sudo apt-get update",
    ]).user("root").starts(0, 1, &["systemctl", "tail", "cat"]).fails(40),
    program("ls", "/usr/bin/ls", (1, 30), &["ls --color=auto", "ls --color=auto -la", "ls --color=auto {dir}"]),
    program("cat", "/usr/bin/cat", (1, 30), &["cat {dir}/{word}.conf", "cat /etc/hosts", "cat {dir}/{word}.log"]).fails(60),
    program("grep", "/usr/bin/grep", (2, 4000), &["grep --color=auto -rn {word} {dir}", "grep -c {word} {dir}/{word}.log"]).fails(250),
    program("vim", "/usr/bin/vim.basic", (5000, 900_000), &["vim {dir}/{word}.conf", "vim {word}.py"]),
    program("systemctl", "/usr/bin/systemctl", (10, 3000), &["systemctl status {word}", "systemctl reload nginx", "systemctl is-active {word}"]).fails(120),
    program("journalctl", "/usr/bin/journalctl", (50, 60_000), &["journalctl -u {word} -n 100", "journalctl -f", "journalctl --since -{n}m"]),
    program("tail", "/usr/bin/tail", (500, 300_000), &["tail -f {dir}/{word}.log", "tail -n 200 /var/log/syslog"]),
    program("ps", "/usr/bin/ps", (8, 60), &["ps aux", "ps -ef"]),
    program("id", "/usr/bin/id", (1, 9), &["id", "id -u"]),
    program("curl", "/usr/bin/curl", (15, 9000), &[
        "curl -fsS http://{host}:9100/metrics", "curl -fsS -m 5 https://{host}/health?probe={n}",
        "curl -sSL https://api.example.com/v1/{word}/{id}", "curl -I https://{out}/",
    ]).fails(60),
    program("ssh", "/usr/bin/ssh", (900, 900_000), &["ssh {user}@{host}", "ssh -J bastion {user}@{host}", "ssh {host} uptime"]),
    program("git", "/usr/bin/git", (5, 5000), &[
        "git status --porcelain", "git fetch --prune origin", "git diff --stat {rev}", "git log -n 20 --oneline",
        "git checkout -q {rev}", "git commit -q -m {word}", "git rev-parse HEAD",
    ]).starts(0, 1, &["git-remote-http"]),
    program("git-remote-http", "/usr/lib/git-core/git-remote-https", (200, 4000), &["/usr/lib/git-core/git-remote-https origin https://git.example.com/shop/{word}.git"]),
    program("python3", "/usr/bin/python3.12", (30, 120_000), &[
        "python3 {dir}/{word}.py --batch {id}", "python3 -m {word}", "/usr/bin/python3 -m venv .venv", "python3 -m pytest -q tests/test_{word}.py",
    ]).starts(0, 2, &["sh", "gcc", "git"]).fails(70),
    program("docker", "/usr/bin/docker", (40, 60_000), &[
        "docker ps -q", "docker exec -it {word} sh", "docker pull registry.example.com/shop/{word}:{rev}",
        "docker run --rm -v {dir}:/work registry.example.com/shop/{word}:{rev}",
    ]).starts(0, 1, &["runc"]),
    program("runc", "/usr/bin/runc", (60, 900), &[
        "runc --root /run/docker/runtime-runc/moby --log /run/containerd/io.containerd.runtime.v2.task/moby/{hex}{hex}/log.json create --bundle /run/containerd/io.containerd.runtime.v2.task/moby/{hex}{hex} {hex}{hex}",
        "runc --root /run/docker/runtime-runc/moby delete --force {hex}{hex}",
    ]).user("root"),
    // Of web hosts.
    program("php-fpm8.2", "/usr/sbin/php-fpm8.2", (60_000, 1_800_000), &["php-fpm: pool www", "php-fpm: pool shop"]).user("www-data"),
    program("php", "/usr/bin/php8.2", (60, 20_000), &[
        "php /var/www/shop/artisan schedule:run", "php /var/www/shop/artisan queue:work --once --queue={word}",
        "php /var/www/shop/bin/console app:{word} --limit={n}",
    ]).user("www-data").starts(0, 1, &["convert", "sh"]),
    program("convert", "/usr/bin/convert-im6.q16", (80, 5000), &["convert {dir}/upload/{id}.jpg -resize 320x240 {dir}/thumb/{id}.jpg", "convert {dir}/upload/{hex}.png -strip {dir}/thumb/{hex}.webp"]).user("www-data").fails(30),
    program("node", "/usr/bin/node", (200, 60_000), &["node {dir}/worker.js --job {id}", "node /srv/app/current/server.js"]).user("www-data"),
    program("nginx", "/usr/sbin/nginx", (300_000, 1_800_000), &["nginx: worker process", "nginx: cache manager process"]).user("www-data"),
    program("certbot", "/usr/bin/certbot", (1500, 20_000), &["/usr/bin/python3 /usr/bin/certbot -q renew"]).user("root").starts(0, 1, &["nginx", "sh"]),
    // Of database hosts.
    program("postgres", "/usr/lib/postgresql/16/bin/postgres", (400, 1_200_000), &[
        "postgres: 16/main: shop shop {host}({id}) idle", "postgres: 16/main: autovacuum worker shop",
        "postgres: 16/main: parallel worker for PID {id}", "postgres: 16/main: report shop {host}({id}) SELECT",
    ]).user("postgres"),
    program("pg_dump", "/usr/lib/postgresql/16/bin/pg_dump", (5000, 900_000), &["/usr/lib/postgresql/16/bin/pg_dump -Fc -f /var/backups/shop-{day}.dump shop"]).user("postgres"),
    program("pgbackrest", "/usr/bin/pgbackrest", (60, 3000), &["pgbackrest --stanza=main archive-push pg_wal/0000000100000{n}000000{hex}"]).user("postgres").starts(0, 1, &["gzip"]),
    program("psql", "/usr/lib/postgresql/16/bin/psql", (30, 60_000), &["psql -X -At -d shop -c SELECT count(*) FROM {word}", "psql -h {host} -U report shop"]).user("postgres").fails(50),
    program("redis-cli", "/usr/bin/redis-cli", (3, 90), &["redis-cli -h {host} info", "redis-cli ping"]).user("redis"),
    program("rsync", "/usr/bin/rsync", (300, 300_000), &["rsync -a --delete /var/backups/ backup@{host}:/srv/backup/{word}/"]).user("postgres").starts(0, 1, &["ssh"]),
    // Of workstations.
    program("chrome", "/opt/google/chrome/chrome", (2000, 1_500_000), &[
        "/opt/google/chrome/chrome --type=renderer --crashpad-handler-pid={id} --enable-crash-reporter=, --origin-trial-disabled-features=CanvasTextNg --lang=en-US --num-raster-threads=4 --renderer-client-id={n} --time-ticks-at-unix-epoch=-{id}{id} --field-trial-handle={n},i,{id},262144",
        "/opt/google/chrome/chrome --type=utility --utility-sub-type=network.mojom.NetworkService --lang=en-US --service-sandbox-type=none --field-trial-handle={n},i,{id},262144",
        "/opt/google/chrome/chrome --type=gpu-process --field-trial-handle={n},i,{id},262144",
    ]).person(),
    program("code", "/usr/share/code/code", (1000, 1_200_000), &[
        "/usr/share/code/code --type=utility --utility-sub-type=node.mojom.NodeService --lang=en-US --user-data-dir=/home/{user}/.config/Code --field-trial-handle={n},i,{id},262144",
        "/usr/share/code/code /home/{user}/src/{word} --unity-launch",
    ]).person().starts(0, 3, &["rg", "git", "node"]),
    program("rg", "/usr/share/code/resources/app/node_modules/@vscode/ripgrep/bin/rg", (10, 3000), &["rg --files --hidden --case-sensitive --no-require-git -g !**/.git -g !**/node_modules", "rg --hidden --ignore-case {word} ."]).fails(200),
    program("npm", "/usr/bin/node", (600, 120_000), &["npm run test", "npm install", "npm exec {word}"]).person().starts(1, 5, &["sh", "node", "git"]),
    program("gnome-terminal-", "/usr/libexec/gnome-terminal-server", (60_000, 1_800_000), &["/usr/libexec/gnome-terminal-server"]).person().starts(1, 2, &["bash"]),
    program("libreoffice", "/usr/lib/libreoffice/program/soffice.bin", (20_000, 1_800_000), &["/usr/lib/libreoffice/program/soffice.bin --writer /home/{user}/Documents/{word}-{n}.odt"]).person(),
    program("slack", "/usr/lib/slack/slack", (5000, 900_000), &["/usr/lib/slack/slack --type=renderer --enable-crash-reporter={hex}-{hex} --lang=en-US --renderer-client-id={n}"]).person(),
    // Of build hosts.
    program("gitlab-runner", "/usr/bin/gitlab-runner", (20_000, 900_000), &["/usr/bin/gitlab-runner exec docker {word}-{id}"]).user("gitlab-runner").starts(2, 5, &["git", "make", "cargo", "npm", "docker", "tar"]),
    program("make", "/usr/bin/make", (5000, 300_000), &["make -j8", "make -j8 {word}", "make check"]).user("gitlab-runner").starts(3, 14, &["gcc", "g++", "ar", "sh", "ld"]).fails(80),
    program("gcc", "/usr/bin/x86_64-linux-gnu-gcc-14", (60, 9000), &["gcc -O2 -g -Wall -Iinclude -MMD -c src/{word}.c -o build/{word}.o", "gcc -shared -o lib{word}.so build/{word}.o"]).user("gitlab-runner").starts(1, 2, &["cc1", "as"]).fails(30),
    program("g++", "/usr/bin/x86_64-linux-gnu-g++-14", (300, 20_000), &["g++ -std=c++20 -O2 -Iinclude -c src/{word}.cc -o build/{word}.o"]).user("gitlab-runner").starts(1, 2, &["cc1plus", "as"]).fails(40),
    program("cc1", "/usr/libexec/gcc/x86_64-linux-gnu/14/cc1", (40, 8000), &["/usr/libexec/gcc/x86_64-linux-gnu/14/cc1 -quiet -I include -imultiarch x86_64-linux-gnu -MMD build/{word}.d src/{word}.c -quiet -dumpdir build/ -dumpbase {word}.c -mtune=generic -march=x86-64 -g -O2 -Wall -o /tmp/cc{hex}.s"]).fails(30),
    program("cc1plus", "/usr/libexec/gcc/x86_64-linux-gnu/14/cc1plus", (200, 18_000), &["/usr/libexec/gcc/x86_64-linux-gnu/14/cc1plus -quiet -I include -imultiarch x86_64-linux-gnu src/{word}.cc -quiet -dumpbase {word}.cc -mtune=generic -march=x86-64 -O2 -std=c++20 -o /tmp/cc{hex}.s"]).fails(30),
    program("as", "/usr/bin/x86_64-linux-gnu-as", (10, 700), &["as -I include --64 -o build/{word}.o /tmp/cc{hex}.s"]),
    program("ar", "/usr/bin/x86_64-linux-gnu-ar", (5, 200), &["ar rcs lib{word}.a build/{word}.o"]),
    program("ld", "/usr/bin/x86_64-linux-gnu-ld.bfd", (60, 9000), &["/usr/bin/ld -plugin /usr/libexec/gcc/x86_64-linux-gnu/14/liblto_plugin.so --build-id --eh-frame-hdr -m elf_x86_64 -o build/{word} build/{word}.o -lc"]).fails(20),
    program("cargo", "/usr/local/cargo/bin/cargo", (3000, 400_000), &["cargo build --release", "cargo test -p {word}", "cargo clippy --all-targets"]).user("gitlab-runner").starts(2, 9, &["rustc", "ld", "git"]).fails(90),
    program("rustc", "/usr/local/rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc", (400, 60_000), &[
        "rustc --crate-name {word} --edition=2024 src/lib.rs --error-format=json --crate-type lib --emit=dep-info,metadata,link -C opt-level=3 -C metadata={hex}{hex} -C extra-filename=-{hex}{hex} --out-dir target/release/deps -L dependency=target/release/deps",
    ]).fails(40),
    program("tar", "/usr/bin/tar", (60, 20_000), &["tar -czf artifacts-{id}.tar.gz build", "tar -xzf cache-{rev}.tar.gz"]).user("gitlab-runner").starts(0, 1, &["gzip"]),
    // Of bastions.
    program("scp", "/usr/bin/scp", (200, 90_000), &["scp {dir}/{word}.tar.gz {user}@{host}:/tmp/", "scp -r {user}@{host}:{dir} ."]).person().starts(1, 1, &["ssh"]),
    program("fail2ban-client", "/usr/bin/fail2ban-client", (40, 300), &["/usr/bin/python3 /usr/bin/fail2ban-client set sshd banip {out}"]).user("root").starts(0, 1, &["iptables"]),
    program("iptables", "/usr/sbin/xtables-nft-multi", (4, 60), &["iptables -w -I f2b-sshd 1 -s {out} -j REJECT --reject-with icmp-port-unreachable", "iptables -w -n -L INPUT"]).user("root"),
];

/// What happens on a host by itself: the program, the daemon that starts it, and how often.
pub(crate) type Beginning = (&'static str, &'static str, u64);

#[rustfmt::skip]
pub(crate) const fn beginnings(role: Role) -> &'static [Beginning] {
    match role {
        Role::Web => &[
            ("sh", "cron", 30), ("php-fpm8.2", "php-fpm8.2", 40), ("php", "php-fpm8.2", 30), ("node", "node", 12),
            ("nginx", "nginx", 4), ("certbot", "systemd", 1), ("systemd-tmpfile", "systemd", 2),
            ("apt-get", "unattended-upgr", 1), ("curl", "node_exporter", 8), ("runc", "containerd", 4),
        ],
        Role::Database => &[
            ("postgres", "postgres", 90), ("pgbackrest", "postgres", 20), ("psql", "cron", 8), ("pg_dump", "cron", 1),
            ("redis-cli", "cron", 12), ("rsync", "cron", 2), ("sh", "cron", 20), ("apt-get", "systemd", 1),
        ],
        Role::Bastion => &[
            ("sshd-session", "sshd", 14), ("sh", "cron", 20), ("fail2ban-client", "fail2ban-server", 30),
            ("scp", "sshd", 8), ("systemd-tmpfile", "systemd", 2), ("apt-get", "systemd", 1),
        ],
        Role::Workstation => &[
            ("chrome", "chrome", 60), ("code", "code", 20), ("bash", "gnome-shell", 6), ("npm", "code", 3),
            ("gnome-terminal-", "systemd", 3), ("libreoffice", "gnome-shell", 1), ("slack", "slack", 6),
            ("git", "code", 25), ("sh", "cron", 6), ("apt-get", "systemd", 1), ("python3", "code", 5),
        ],
        Role::Build => &[
            ("gitlab-runner", "gitlab-runner", 12), ("make", "gitlab-runner", 8), ("cargo", "gitlab-runner", 6),
            ("runc", "containerd", 10), ("docker", "gitlab-runner", 10), ("sh", "cron", 8), ("apt-get", "systemd", 1),
        ],
    }
}

/// A program whose names were looked up.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) program: Program,
    pub(crate) lines: Vec<Template>,
    pub(crate) starts: Vec<u16>,
}

/// All programs, at the places of [`PROGRAMS`].
pub(crate) fn compiled() -> Vec<Compiled> {
    PROGRAMS
        .iter()
        .map(|program| Compiled {
            program: *program,
            lines: program.lines.iter().map(|line| Template::new(line)).collect(),
            starts: program.starts.2.iter().filter_map(|name| place(name)).collect(),
        })
        .collect()
}

/// Where a program stands in [`PROGRAMS`].
pub(crate) fn place(name: &str) -> Option<u16> {
    PROGRAMS.iter().position(|program| program.name == name).map(|place| place as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::check_template;

    #[test]
    fn every_program_that_is_named_is_there_once() {
        let mut names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for program in PROGRAMS {
            assert!(program.name.len() <= 15, "{}", program.name);
            assert!(!program.lines.is_empty(), "{}", program.name);
            program.lines.iter().for_each(|line| check_template(line));
            for name in program.starts.2 {
                assert!(place(name).is_some(), "{} starts {name}", program.name);
            }
        }
        for role in [Role::Web, Role::Database, Role::Bastion, Role::Workstation, Role::Build] {
            for (name, daemon, _) in beginnings(role) {
                assert!(place(name).is_some(), "{name}");
                assert!(role.daemons().contains(daemon), "{daemon} of {}", role.name());
            }
        }
    }
}

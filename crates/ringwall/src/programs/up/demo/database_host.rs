use anyhow::{Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Method};
use ringwall_event::Timestamp;
use ringwall_server_client::{HttpClient, Trust};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A database server that a Watcher agent watches; now and then something known to be bad shows up
/// in its process list, until the order to kill it comes.
pub(super) struct DatabaseHost {
    http: HttpClient,
    intruder: Option<i64>,
    /// Pids that were ordered to end, and did.
    ended: BTreeSet<i64>,
}

const NAME: &str = "demo-db-1";
const TIMEOUT: Duration = Duration::from_secs(10);
/// A known-bad name shows up at the fourth report, and again after this many: every five minutes.
const INTRUDER_EVERY: u64 = 50;
const INTRUDER_FIRST: u64 = 3;
/// From the fifteenth report on a program runs that was never seen here before.
const NEW_PROGRAM_FROM: u64 = 14;

impl DatabaseHost {
    pub(super) fn new(root: &str, trust: &Trust) -> Result<Self> {
        Ok(Self {
            http: HttpClient::trusting(root, TIMEOUT, trust)?,
            intruder: None,
            ended: BTreeSet::new(),
        })
    }

    pub(super) async fn report(&mut self, report: u64, now: Timestamp) -> Result<()> {
        if report % INTRUDER_EVERY == INTRUDER_FIRST {
            self.intruder = Some(6606 + i64::try_from(report).unwrap_or(0));
        }
        let body = Bytes::from(picture(report, self.intruder, &self.ended, now).to_string());
        self.send(Method::POST, "/api/v1/collect", body).await?;
        let commands =
            self.send(Method::GET, &format!("/api/v1/commands?host={NAME}"), Bytes::new()).await?;
        let commands: Vec<Value> = serde_json::from_slice(&commands)?;
        let targets = commands.iter().filter_map(|command| command["target"].as_str());
        self.ended.extend(targets.filter_map(|pid| pid.parse::<i64>().ok()));
        Ok(())
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let answer = self.http.send(method, path, HeaderMap::new(), body).await?;
        if !answer.status.is_success() {
            bail!("the server answers {} to {path}", answer.status);
        }
        Ok(answer.body)
    }
}

fn picture(report: u64, intruder: Option<i64>, ended: &BTreeSet<i64>, now: Timestamp) -> Value {
    let busy = |phase: u64| ((report + phase) % 9) as f64 * 3.5;
    let process = |pid: i64, name: &str, line: &str, user: &str, cpu: f64, memory: f64| {
        json!({
            "pid": pid, "name": name, "command_line": line, "user": user,
            "cpu_percent": cpu, "memory_percent": memory,
        })
    };
    let mut processes = vec![
        process(1, "systemd", "/sbin/init", "root", 0.0, 0.1),
        process(411, "sshd", "sshd: /usr/sbin/sshd -D", "root", 0.0, 0.1),
        process(702, "postgres", "/usr/lib/postgresql/17/bin/postgres", "postgres", busy(0), 6.2),
        process(718, "postgres", "postgres: checkpointer", "postgres", busy(3), 1.9),
        process(719, "postgres", "postgres: walwriter", "postgres", busy(5), 1.1),
        process(
            955,
            "pgbouncer",
            "/usr/sbin/pgbouncer -d /etc/pgbouncer.ini",
            "postgres",
            1.4,
            0.4,
        ),
        process(1203, "node_exporter", "/usr/bin/node_exporter", "prometheus", 0.3, 0.3),
    ];
    if report >= NEW_PROGRAM_FROM {
        processes.push(process(2301, "pg_basebackup", "pg_basebackup -D -", "backup", 11.0, 0.6));
    }
    if let Some(pid) = intruder {
        processes.push(process(pid, "mimikatz.exe", "mimikatz.exe (demo)", "postgres", 37.0, 0.8));
    }
    processes.retain(|process| process["pid"].as_i64().is_none_or(|pid| !ended.contains(&pid)));
    // Addresses that are set aside for examples: RFC 5737.
    let connection = |pid: i64, port: u16, remote: &str, remote_port: u16| {
        json!({
            "local_address": "192.0.2.21", "local_port": port, "remote_address": remote,
            "remote_port": remote_port, "status": "ESTABLISHED", "pid": pid,
        })
    };
    json!({
        "hostname": NAME,
        "timestamp": now.to_naive_iso(),
        "processes": processes,
        "connections": [
            connection(702, 5432, "192.0.2.10", 40112),
            connection(955, 6432, "192.0.2.11", 40988),
            connection(411, 22, "198.51.100.4", 51510),
        ],
        "system_info": {
            "cpu_count": 16, "memory_total": 68_719_476_736_u64,
            "memory_available": 41_231_686_041_u64,
            "boot_time": now.plus_seconds(-864_000).as_seconds() as f64, "platform": "Linux",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_killed_is_gone() {
        check(None, &[], &["postgres", "pgbouncer"], &["mimikatz.exe"]);
        check(Some(6609), &[], &["postgres", "mimikatz.exe"], &[]);
        check(Some(6609), &[6609, 955], &["postgres"], &["mimikatz.exe", "pgbouncer"]);
    }

    #[track_caller]
    fn check(intruder: Option<i64>, ended: &[i64], there: &[&str], gone: &[&str]) {
        let now = Timestamp::from_micros(1_792_483_200_000_000);
        let picture = picture(3, intruder, &ended.iter().copied().collect(), now);
        let processes = picture["processes"].as_array().unwrap();
        let has = |name: &&str| processes.iter().any(|process| process["name"] == **name);
        assert!(there.iter().all(has) && !gone.iter().any(has), "{processes:?}");
    }
}

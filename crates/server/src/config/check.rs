//! Whether what is set makes sense together.

use super::Config;
use ringwall_event::{Network, Source};
use ringwall_lifecycle::config::{ConfigError, Loaded};

/// Browsers forget cookies after 400 days.
const SESSION_SECONDS_MAX: i64 = 400 * 86_400;
/// Host agents take no command that is good for longer than a day.
const COMMAND_SECONDS_MAX: i64 = 86_400;

impl Config {
    /// Whether the values make sense together.
    ///
    /// # Errors
    /// At the first that does not, with its place and a way out.
    pub fn check(loaded: &Loaded<Self>) -> Result<(), ConfigError> {
        let config = &loaded.value;
        let refuse = |field: &str, why: &str| Err(loaded.error(field, why));
        let dialects = &config.dialects;
        for (field, address, own) in [
            ("server.listen", Some(config.server.listen), None),
            (
                "dialects.sysscore.listen",
                dialects.sysscore.listen_if_enabled(),
                dialects.sysscore.tls,
            ),
            ("dialects.watcher.listen", dialects.watcher.listen_if_enabled(), dialects.watcher.tls),
        ] {
            let Some(address) = address else { continue };
            // What a dialect says for itself alone is said in so many words.
            let is_accepted = config.server.allow_plaintext_beyond_loopback || own.is_some();
            if address.ip().to_canonical().is_loopback()
                || is_accepted
                || config.speaks_tls(own, address)
            {
                continue;
            }
            return Err(loaded
                .error(field, format!("{address} is reached by other machines, without TLS"))
                .hint(
                    "leave `enabled` under [tls] at \"auto\", or listen on 127.0.0.1 and put a reverse \
                     proxy with TLS in front, or accept the risk with \
                     `allow_plaintext_beyond_loopback = true` under [server]",
                ));
        }
        let tls = &config.tls;
        if tls.certificate.is_some() != tls.key.is_some() {
            return refuse("tls.certificate", "`certificate` and `key` belong together");
        }
        if tls.authority.is_some() && tls.certificate.is_none() {
            return refuse("tls.authority", "belongs to a `certificate` of your own");
        }
        for network in &config.dialects.watcher.allow {
            if network.parse::<Network>().is_err() {
                return Err(loaded
                    .error("dialects.watcher.allow", format!("not a network: `{network}`"))
                    .hint("as in \"192.0.2.7\" or \"192.0.2.0/24\" or \"2001:db8::/32\""));
            }
        }
        for network in &config.protected.networks {
            if network.parse::<Network>().is_err() {
                return Err(loaded
                    .error("protected.networks", format!("not a network: `{network}`"))
                    .hint("as in \"192.0.2.7\" or \"192.0.2.0/24\" or \"2001:db8::/32\""));
            }
        }
        for path in config.protected.paths.iter().flatten() {
            if !path.starts_with('/') {
                return refuse("protected.paths", &format!("not an absolute path: `{path}`"));
            }
        }
        let commands = &config.commands;
        for (field, prefix, width) in [
            ("commands.block_prefix_v4_min", commands.block_prefix_v4_min, 32),
            ("commands.block_prefix_v6_min", commands.block_prefix_v6_min, 128),
        ] {
            if !(1..=width).contains(&prefix) {
                return refuse(field, &format!("not within 1 and {width}"));
            }
        }
        if !(0.0..=100.0).contains(&config.detection.risk_threshold) {
            return refuse("detection.risk_threshold", "not within 0 and 100");
        }
        for (source, threshold) in &config.detection.risk_thresholds {
            if Source::parse(source).is_none() {
                return Err(loaded
                    .error("detection.risk_thresholds", format!("not a host: `{source}`"))
                    .hint("as in \"sysscore:agent-1\""));
            }
            if !(0.0..=100.0).contains(threshold) {
                return refuse("detection.risk_thresholds", "not within 0 and 100");
            }
        }
        config.webhooks.check(loaded)?;
        if !(1..=19).contains(&config.archive.compression_level) {
            return refuse("archive.compression_level", "not within 1 and 19");
        }
        let (limits, query) = (&config.limits, &config.query);
        for (field, value, min) in [
            ("server.checkpoint_seconds", config.server.checkpoint_seconds, 1),
            ("sign_in.session_idle_seconds", config.sign_in.session_idle_seconds, 60),
            ("sign_in.session_seconds", config.sign_in.session_seconds, 60),
            ("detection.command_seconds", config.detection.command_seconds, 1),
            ("detection.watcher_lease_seconds", config.detection.watcher_lease_seconds, 1),
            ("commands.block_seconds_max", saturated(commands.block_seconds_max), 1),
            ("archive.after_seconds", config.archive.after_seconds, 0),
            ("archive.intake_events_min", saturated(config.archive.intake_events_min), 1),
            ("archive.file_events_max", saturated(config.archive.file_events_max), 4),
            ("limits.repeated_batch_seconds", limits.repeated_batch_seconds, 1),
            ("limits.repeated_event_seconds", limits.repeated_event_seconds, 1),
            ("limits.body_bytes_max", as_i64(limits.body_bytes_max), 1024),
            ("limits.connections_max", as_i64(limits.connections_max), 1),
            ("limits.queue_batches_max", as_i64(limits.queue_batches_max), 1),
            ("limits.queue_bytes_max", as_i64(limits.queue_bytes_max), 1 << 20),
            ("limits.hosts_max", as_i64(limits.hosts_max), 1),
            ("limits.repeated_events_max", as_i64(limits.repeated_events_max), 1),
            ("query.concurrent_max", as_i64(query.concurrent_max), 1),
            ("query.memory_bytes_max", saturated(query.memory_bytes_max), 64 << 20),
            ("query.time_seconds_max", saturated(query.time_seconds_max), 1),
            ("query.rows_max", saturated(query.rows_max), 1),
        ] {
            if value < min {
                return refuse(field, &format!("less than {min}"));
            }
        }
        if config.sign_in.session_seconds > SESSION_SECONDS_MAX {
            return refuse("sign_in.session_seconds", &format!("more than {SESSION_SECONDS_MAX}"));
        }
        if config.detection.command_seconds > COMMAND_SECONDS_MAX {
            return refuse(
                "detection.command_seconds",
                &format!("more than {COMMAND_SECONDS_MAX}: host agents refuse such commands"),
            );
        }
        if limits.queue_bytes_max < limits.body_bytes_max {
            return refuse("limits.queue_bytes_max", "less than `body_bytes_max`");
        }
        Ok(())
    }
}

fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn as_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::dialects::WatcherSection;
    use ringwall_lifecycle::config::parse;

    #[test]
    fn beyond_loopback_only_whoever_says_so() {
        check("", Ok(()));
        check("[server]\nlisten = \"127.0.0.2:0\"", Ok(()));
        check("[server]\nlisten = \"[::ffff:127.0.0.1]:0\"", Ok(()));
        check("[server]\nlisten = \"0.0.0.0:7400\"", Ok(()));
        check("[dialects.watcher]\nlisten = \"[::]:9000\"", Ok(()));
        let never = "[tls]\nenabled = \"never\"\n";
        check(never, Ok(()));
        check(
            &format!("{never}[server]\nlisten = \"0.0.0.0:7400\""),
            Err("server.listen: 0.0.0.0:7400 is reached by other machines, without TLS"),
        );
        let watcher = "[dialects.watcher]\nlisten = \"[::]:9000\"\n";
        check(
            &format!("{never}{watcher}"),
            Err("dialects.watcher.listen: [::]:9000 is reached by other machines, without TLS"),
        );
        check(&format!("{never}{watcher}tls = \"always\""), Ok(()));
        check(&format!("{watcher}tls = \"never\""), Ok(()));
        check(&format!("{never}{watcher}enabled = false"), Ok(()));
        check("[server]\nlisten = \"0.0.0.0:1\"\nallow_plaintext_beyond_loopback = true", Ok(()));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        check("[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"", Ok(()));
        check(
            "[tls]\nkey = \"k.pem\"",
            Err("tls.certificate: `certificate` and `key` belong together"),
        );
        check(
            "[tls]\nauthority = \"a.pem\"",
            Err("tls.authority: belongs to a `certificate` of your own"),
        );
        check("[detection]\nrisk_threshold = 100", Ok(()));
        check("[detection]\ncommand_seconds = 86400", Ok(()));
        check(
            "[detection]\nrisk_threshold = nan",
            Err("detection.risk_threshold: not within 0 and 100"),
        );
        check("[archive]\nafter_seconds = 0\nintake_events_min = 1", Ok(()));
        check(
            "[archive]\ncompression_level = 22",
            Err("archive.compression_level: not within 1 and 19"),
        );
        check("[archive]\nafter_seconds = -1", Err("archive.after_seconds: less than 0"));
        check("[limits]\nhosts_max = 0", Err("limits.hosts_max: less than 1"));
        check(
            "[limits]\nqueue_bytes_max = 1048576",
            Err("limits.queue_bytes_max: less than `body_bytes_max`"),
        );
        check(
            "[dialects.watcher]\nallow = [\"10.0.0.0/33\"]",
            Err("dialects.watcher.allow: not a network: `10.0.0.0/33`"),
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(), &str>) {
        let loaded = parse::<Config>("c.toml", text).unwrap();
        let checked = Config::check(&loaded).map_err(|error| error.to_string());
        let expected = expected.map_err(|why| format!("configuration: {why}"));
        assert_eq!(checked, expected, "text {text:?}");
    }

    #[test]
    fn watcher_clients_are_let_in_by_address() {
        let text =
            "[dialects.watcher]\nallow = [\"192.0.2.0/24\", \"198.51.100.7\", \"2001:db8::/32\"]";
        let watcher = parse::<Config>("c.toml", text).unwrap().value.dialects.watcher;
        for (client, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(watcher.admits(client.parse().unwrap()), expected, "client {client}");
        }
        let all = WatcherSection { allow: vec!["0.0.0.0/0".to_owned()], ..watcher };
        assert!(all.admits("203.0.113.1".parse().unwrap()));
        assert!(!all.admits("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn every_field_is_explained() {
        let explained = Config::explain(&Loaded::default()).unwrap();
        assert!(explained.iter().all(|field| field.doc.ends_with('.')));
        let written = serde_json::to_value(Config::default()).unwrap();
        assert_eq!(explained.len(), leaves(&written), "{written:#}");
    }

    fn leaves(value: &serde_json::Value) -> usize {
        // An empty table is a field whose keys people choose.
        let fields = value.as_object().filter(|fields| !fields.is_empty());
        fields.map_or(1, |fields| fields.values().map(leaves).sum())
    }
}

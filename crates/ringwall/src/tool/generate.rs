//! Made-up events of made-up hosts: into an archive, or through a running server.

mod load;
mod meter;
mod send;

use super::{Asking, pick};
use crate::discovery::Connect;
use crate::output::{
    Cell, Column, Fields, Output, Style, Table, bytes, clock, count, duration, now,
};
use anyhow::{Context as _, Result};
use clap::Args;
use meter::Meter;
use ringwall_event::Timestamp;
use ringwall_event_generator::{Generator, NeedleKind, Settings};
use ringwall_lifecycle::{Exit, Failure, Shutdown, logging};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Make up the events of many hosts, to try things out or to measure
///
/// Web servers, databases, bastions, workstations and build machines that do not exist do what such
/// machines do. The same seed, numbers and end give the same events. They are written straight into
/// the archive of a data directory that no server is using, or sent through a running server with
/// --send.
///
/// A few things are planted to be found: a command line, an address, and the SHA-256 of a program. The
/// answer says which, and in how many events they are.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many events: 50000, 200k, 10M
    #[arg(long, value_name = "EVENTS", value_parser = amount, default_value = "1M")]
    events: u64,
    /// How many hosts report them
    #[arg(long, value_name = "HOSTS", default_value_t = 100)]
    hosts: u32,
    /// Another number gives other events
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Over how many days they are spread
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// The moment of the last of them: 10m, 2h, 7d ago, or a date and time; now where it is absent
    #[arg(long, value_name = "MOMENT")]
    end: Option<String>,
    /// Stands before the name of each host
    #[arg(long, value_name = "TEXT", default_value = "gen-")]
    host_prefix: String,
    /// Send them through a running server, as host agents do
    ///
    /// Each host is enrolled, and forgotten at the end.
    #[arg(long)]
    send: bool,
    /// Send at most so many events a second
    ///
    /// Without --days and --end they then happen while they are sent.
    #[arg(long, value_name = "EVENTS", value_parser = amount, requires = "send")]
    rate: Option<u64>,
    /// How many requests are under way at once
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 8,
        requires = "send",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    connections: u16,
    /// Where a host agent of such a name is enrolled, take its place
    #[arg(long, requires = "send")]
    replace_keys: bool,
    #[command(flatten)]
    connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall generate --events 10M --hosts 200 --days 30 --data-dir ./try
  ringwall generate --send --events 100k
  ringwall generate --send --rate 500 --events 1M --hosts 20
  ringwall generate --events 1M --seed 7 --end 2026-01-31T00:00:00Z --json";

const DAY_SECONDS: i64 = 86_400;

/// `50000`, `200k`, `10M`.
fn amount(text: &str) -> Result<u64, String> {
    let wrong = || "a number, as in 50000, 200k or 10M".to_owned();
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (text.get(..text.len() - 1), 1000),
        Some(b'm' | b'M') => (text.get(..text.len() - 1), 1_000_000),
        _ => (Some(text), 1),
    };
    let number: u64 = digits.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(factor).filter(|number| *number > 0).ok_or_else(wrong)
}

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    if std::env::var_os("RINGWALL_LOG").is_some() {
        logging::start(logging::LogFormat::Text, tracing::Level::WARN)
            .map_err(anyhow::Error::msg)?;
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?
        .block_on(generate(arguments))
}

async fn generate(arguments: Arguments) -> Result<Exit> {
    let out = Output::new(arguments.connect.json);
    let settings = settings(&arguments, now())?;
    let generator = Generator::new(settings).map_err(|error| Failure::new(error.to_string()))?;
    let meter = Arc::new(Meter::new(arguments.events));
    let stop = Shutdown::on_signals()?;
    let started = Instant::now();
    let outcome = if arguments.send {
        let asking = Asking::new(&arguments.connect)?;
        let way = send::Way {
            connections: arguments.connections,
            rate: arguments.rate,
            replace_keys: arguments.replace_keys,
        };
        send::run(&asking, &generator, &way, &meter, &stop).await?
    } else {
        let data_dir = load::data_dir(&arguments.connect)?;
        load::run(data_dir, &generator, &meter, &stop).await?
    };
    let settings = generator.settings();
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary {
        events: meter.done(),
        hosts: settings.hosts,
        seed: settings.seed,
        since: settings.start,
        until: settings.end,
        outcome,
        seconds: (seconds * 1000.0).round() / 1000.0,
        events_per_second: (meter.done() as f64 / seconds.max(0.001)).round(),
        needles: generator
            .needles()
            .into_iter()
            .map(|needle| Planted {
                kind: match needle.kind {
                    NeedleKind::CommandLine => "command line",
                    NeedleKind::Address => "address",
                    NeedleKind::Sha256 => "sha256",
                    _ => "other",
                },
                value: needle.value,
                events: needle.occurrences.len() as u64,
            })
            .collect(),
    };
    out.one(&summary, |summary| summary.render(&out))?;
    if stop.is_asked() {
        let told =
            format!("stopped after {} of {} events", count(meter.done()), count(arguments.events));
        return Err(Failure::new(told).into());
    }
    Ok(Exit::Yes)
}

fn settings(arguments: &Arguments, now: Timestamp) -> Result<Settings, Failure> {
    let prefix = &arguments.host_prefix;
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if prefix.len() > 64 || !prefix.chars().all(is_sound) {
        return Err(Failure::new(format!("not the beginning of a host's name: `{prefix}`"))
            .hint("letters, digits, hyphens, underscores and dots, at most 64"));
    }
    let (start, end) = match (arguments.rate, arguments.days, &arguments.end) {
        // They happen while they are sent.
        (Some(rate), None, None) => {
            let seconds = i64::try_from(arguments.events / rate).unwrap_or(i64::MAX);
            (now, now.plus_seconds(seconds.saturating_add(1)))
        }
        (_, days, end) => {
            let end = match end {
                Some(text) => pick::moment(text, now)?,
                None => now,
            };
            (end.plus_seconds(-DAY_SECONDS * i64::from(days.unwrap_or(1))), end)
        }
    };
    Ok(Settings {
        seed: arguments.seed,
        hosts: arguments.hosts,
        events: arguments.events,
        start,
        end,
        host_prefix: prefix.clone(),
    })
}

/// What became of the events.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Loaded {
        /// Files that were added to the archive.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
    Sent {
        /// How many reports they came in.
        reports: u64,
        /// How many events the server knew already.
        duplicates: u64,
        /// How often a report had to be sent again.
        repeated: u64,
    },
}

#[derive(Serialize)]
struct Summary {
    events: u64,
    hosts: u32,
    seed: u64,
    since: Timestamp,
    until: Timestamp,
    #[serde(flatten)]
    outcome: Outcome,
    seconds: f64,
    events_per_second: f64,
    needles: Vec<Planted>,
}

#[derive(Serialize)]
struct Planted {
    kind: &'static str,
    value: String,
    events: u64,
}

impl Summary {
    fn render(&self, out: &Output) -> String {
        let fields = Fields::default()
            .styled("events", count(self.events), Style::Strong)
            .with("hosts", count(self.hosts.into()))
            .with("seed", self.seed.to_string())
            .with("from", format!("{} UTC", clock(self.since)))
            .with("to", format!("{} UTC", clock(self.until)));
        let fields = match self.outcome {
            Outcome::Loaded { files, bytes: size } => {
                let each = size as f64 / (self.events.max(1) as f64);
                let size = format!("{}, {}, {each:.1} bytes an event", count(files), bytes(size));
                fields.with("files", size)
            }
            Outcome::Sent { reports, duplicates, repeated } => fields
                .with("reports", count(reports))
                .with("known already", count(duplicates))
                .with("sent again", count(repeated)),
        };
        let seconds = self.seconds as i64;
        let rate = count(self.events_per_second as u64);
        let fields = fields.with("took", format!("{}, {rate} events/s", duration(seconds)));
        let columns = vec![
            Column::new("PLANTED"),
            Column::new("WHAT").flexible(),
            Column::new("EVENTS").right(),
        ];
        let table = Table::of(columns, &self.needles, |needle| {
            vec![Cell::new(needle.kind), Cell::new(&needle.value), Cell::new(count(needle.events))]
        });
        format!("{}\n{}", fields.render(out.paint), table.render(out.paint, out.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn amounts_may_be_short() {
        check("50000", Some(50_000));
        check("200k", Some(200_000));
        check("10M", Some(10_000_000));
        check("0", None);
        check("M", None);
        check("", None);
        check("-1", None);
        check("99999999999999M", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(amount(text).ok(), expected, "{text:?}");
    }

    #[test]
    fn they_end_now_or_happen_while_they_are_sent() {
        let now = Timestamp::from_micros(1_792_483_200_000_000);
        check_span("", now.plus_seconds(-86_400), now);
        check_span("--days 3", now.plus_seconds(-3 * 86_400), now);
        let end = Timestamp::from_micros(1_792_483_200_000_000 - 7_200_000_000);
        check_span("--end 2h", end.plus_seconds(-86_400), end);
        check_span("--send --rate 100 --events 1k", now, now.plus_seconds(11));
        check_span("--send --rate 100 --days 1", now.plus_seconds(-86_400), now);
    }

    #[track_caller]
    fn check_span(line: &str, start: Timestamp, end: Timestamp) {
        let now = Timestamp::from_micros(1_792_483_200_000_000);
        let words = ["x"].into_iter().chain(line.split_whitespace());
        let arguments = Line::try_parse_from(words).unwrap().arguments;
        let settings = settings(&arguments, now).unwrap();
        assert_eq!((settings.start, settings.end), (start, end), "{line}");
    }

    #[test]
    fn names_of_hosts_stay_names() {
        for (prefix, is_good) in [("", true), ("lab-", true), ("a b", false), ("x\n", false)] {
            let words = ["x", "--host-prefix", prefix];
            let arguments = Line::try_parse_from(words).unwrap().arguments;
            assert_eq!(settings(&arguments, now()).is_ok(), is_good, "{prefix:?}");
        }
    }
}

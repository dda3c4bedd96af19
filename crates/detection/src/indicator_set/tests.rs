use super::*;
use crate::{IndicatorKind, IndicatorOrigin, IndicatorValue};
use ringwall_event::Timestamp;

#[test]
fn names_match_in_any_case_and_nothing_but_whole() {
    let set = set(&[("process", "evil.sh"), ("process", "nc")]);
    check_process(&set, process("evil.sh", None, None), &[("evil.sh", MatchedOn::Name)]);
    check_process(&set, process("EVIL.sh", None, None), &[("evil.sh", MatchedOn::Name)]);
    check_process(&set, process("ncdu", None, None), &[]);
    check_process(&set, process("evil.sh.bak", None, None), &[]);
    check_process(&set, process("", None, None), &[]);
}

#[test]
fn flaw_9_a_renamed_process_is_known_by_its_program_and_script() {
    let set = set(&[("process", "evil.sh")]);
    let by_file = process("harmless", Some("/tmp/evil.sh"), None);
    check_process(&set, by_file, &[("evil.sh", MatchedOn::Executable)]);
    let deleted = process("harmless", Some("/tmp/evil.sh (deleted)"), None);
    check_process(&set, deleted, &[("evil.sh", MatchedOn::Executable)]);
    let script = process("sh", Some("/usr/bin/dash"), Some("/bin/sh /tmp/evil.sh"));
    check_process(&set, script, &[("evil.sh", MatchedOn::Script)]);
    let reported = process("sh", None, Some("sh evil.sh"));
    check_process(&set, reported, &[("evil.sh", MatchedOn::Script)]);
    let windows = process("x", Some(r"C:\Temp\Evil.sh"), None);
    check_process(&set, windows, &[("evil.sh", MatchedOn::Executable)]);
}

#[test]
fn flaw_9_a_harmless_program_that_reads_a_listed_file_does_not_match() {
    let set = set(&[("process", "evil.sh")]);
    for (name, line) in [("cat", "cat evil.sh"), ("sh", "sh -c evil.sh"), ("sh", "sh a evil.sh")] {
        check_process(&set, process(name, None, Some(line)), &[]);
    }
    check_process(&set, process("sh", Some("/usr/bin/cat"), Some("sh evil.sh")), &[]);
}

#[test]
fn names_cut_by_the_kernel() {
    let long = "a-very-long-name-of-a-tool";
    let cut = "a-very-long-nam";
    let set = set(&[("process", long)]);
    check_process(&set, process(cut, None, None), &[(long, MatchedOn::CutName)]);
    check_process(&set, process("a-very-long-na", None, None), &[]);
    // The program's file name tells the rest, and so do the arguments.
    let other = process(cut, Some("/opt/a-very-long-name-of-another"), None);
    check_process(&set, other, &[]);
    let other = process(cut, None, Some("/opt/a-very-long-name-of-another -v"));
    check_process(&set, other, &[]);
    let same = process(cut, None, Some("/opt/a-very-long-name-of-a-tool -v"));
    check_process(&set, same, &[(long, MatchedOn::Name)]);
    assert!(MatchedOn::Name.is_certain() && !MatchedOn::CutName.is_certain());
}

#[test]
fn flaw_15_29_paths_match_by_component_and_never_as_substrings() {
    let set = set(&[("path", "/usr/bin/nc"), ("path", "/tmp/evil"), ("path", r"C:\Temp")]);
    let file = |path: &str| process("x", Some(path), None);
    check_process(&set, file("/usr/bin/nc"), &[("/usr/bin/nc", MatchedOn::Executable)]);
    check_process(&set, file("/usr//bin/./nc"), &[("/usr/bin/nc", MatchedOn::Executable)]);
    check_process(&set, file("/usr/bin/ncdu"), &[]);
    check_process(&set, file("/usr/bin"), &[]);
    check_process(&set, file("/"), &[]);
    check_process(&set, file("/tmp/evil/bin/x"), &[("/tmp/evil", MatchedOn::Executable)]);
    check_process(&set, file("/srv/tmp/evil/x"), &[]);
    check_process(&set, file(r"c:\TEMP\a\b.exe"), &[("c:/temp", MatchedOn::Executable)]);
    let script = process("sh", None, Some("sh /tmp/evil/run.sh"));
    check_process(&set, script, &[("/tmp/evil", MatchedOn::Script)]);
}

#[test]
fn digests() {
    let digest = "ab".repeat(32);
    let set = set(&[("hash", &digest)]);
    let listed =
        Process { executable_sha256: Some("AB".repeat(32).into()), ..process("x", None, None) };
    check_process(&set, listed, &[(&digest, MatchedOn::Digest)]);
}

#[test]
fn addresses_match_alone_and_by_network() {
    let set = set(&[
        ("address", "203.0.113.9"),
        ("address", "198.51.100.0/24"),
        ("address", "198.51.0.0/16"),
        ("address", "2001:db8::/32"),
    ]);
    check_remote(&set, "203.0.113.9", &["203.0.113.9"]);
    check_remote(&set, "::ffff:203.0.113.9", &["203.0.113.9"]);
    check_remote(&set, "203.0.113.10", &[]);
    check_remote(&set, "198.51.100.7", &["198.51.100.0/24", "198.51.0.0/16"]);
    check_remote(&set, "198.51.101.7", &["198.51.0.0/16"]);
    check_remote(&set, "2001:db8:1::7", &["2001:db8::/32"]);
    check_remote(&set, "[2001:db8::7%eth0]", &["2001:db8::/32"]);
    check_remote(&set, "2001:db9::7", &[]);
    check_remote(&set, "nonsense", &[]);
}

#[test]
fn domains_match_by_label() {
    let set = set(&[("domain", "evil.example")]);
    check_remote(&set, "evil.example", &["evil.example"]);
    check_remote(&set, "C2.Evil.Example.", &["evil.example"]);
    check_remote(&set, "notevil.example", &[]);
    check_remote(&set, "evil.example.org", &[]);
    check_remote(&set, "example", &[]);
}

#[test]
fn hosts_among_the_arguments_match_without_certainty() {
    let set = set(&[("domain", "evil.example"), ("address", "203.0.113.0/24")]);
    let line = "curl http://c2.evil.example/x 203.0.113.9:80";
    check_process(
        &set,
        process("curl", None, Some(line)),
        &[("evil.example", MatchedOn::CommandLine), ("203.0.113.0/24", MatchedOn::CommandLine)],
    );
    assert!(!MatchedOn::CommandLine.is_certain());
}

#[test]
fn of_two_with_one_value_the_later_counts() {
    let twice = vec![indicator("process", "nc"), indicator("process", "NC").with_note("mine")];
    let set = IndicatorSet::new(twice);
    assert_eq!(set.indicators().len(), 1);
    assert_eq!(set.match_name("nc")[0].indicator.note.as_deref(), Some("mine"));
}

#[track_caller]
fn check_process(set: &IndicatorSet, process: Process, expected: &[(&str, MatchedOn)]) {
    let found: Vec<_> = set
        .match_process(&process)
        .iter()
        .map(|found| (found.indicator.value().to_string(), found.on))
        .collect();
    let expected: Vec<_> = expected.iter().map(|(value, on)| ((*value).to_owned(), *on)).collect();
    assert_eq!(found, expected, "{process:?}");
}

#[track_caller]
fn check_remote(set: &IndicatorSet, remote: &str, expected: &[&str]) {
    let connection = Connection { remote_address: Some(remote.into()), ..Connection::default() };
    let mut found: Vec<_> = set
        .match_connection(&connection)
        .iter()
        .map(|found| found.indicator.value().to_string())
        .collect();
    found.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{remote:?}");
}

fn process(name: &str, executable: Option<&str>, line: Option<&str>) -> Process {
    Process {
        pid: 42,
        name: name.into(),
        executable: executable.map(Into::into),
        command_line: line.map(Into::into),
        ..Process::default()
    }
}

fn set(list: &[(&str, &str)]) -> IndicatorSet {
    IndicatorSet::new(list.iter().map(|(kind, value)| indicator(kind, value)).collect())
}

fn indicator(kind: &str, value: &str) -> Indicator {
    let kind = IndicatorKind::from_name(kind).expect("a kind");
    let value = IndicatorValue::parse(kind, value).expect("a value");
    Indicator::new(value, IndicatorOrigin::User, Timestamp::default())
}

/// The fast matcher agrees with one that asks each indicator in turn, in the plainest way.
mod agreement {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn plain_path(listed: &str, path: &str) -> bool {
        let parts = |path: &str| -> Vec<String> {
            path.split('/')
                .filter(|part| !part.is_empty() && *part != ".")
                .map(str::to_owned)
                .collect()
        };
        parts(path).starts_with(&parts(listed))
    }

    fn plain_address(listed: &str, address: IpAddr) -> bool {
        let (network, prefix) = match listed.split_once('/') {
            Some((network, prefix)) => (network, prefix.parse::<usize>().ok()),
            None => (listed, None),
        };
        let bits = |address: IpAddr| -> Vec<u8> {
            match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            }
        };
        let (network, address) =
            (bits(network.parse().expect("an address")), bits(address.to_canonical()));
        let prefix = prefix.unwrap_or(network.len() * 8);
        network.len() == address.len()
            && (0..prefix)
                .all(|bit| (network[bit / 8] ^ address[bit / 8]) & (0x80 >> (bit % 8)) == 0)
    }

    fn plain_domain(listed: &str, host: &str) -> bool {
        let host = host.to_lowercase();
        host == listed || host.ends_with(&format!(".{listed}"))
    }

    fn path() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]{1,2}|\\.", 1..5)
            .prop_map(|parts| format!("/{}", parts.join("/")))
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0u32..32).prop_map(|low| IpAddr::V4(Ipv4Addr::from(0xcb00_7100 + low))),
            (0u128..32).prop_map(|low| IpAddr::V6(Ipv6Addr::from((0x2001_0db8 << 96) + low))),
            (0u32..32)
                .prop_map(|low| { IpAddr::V6(Ipv4Addr::from(0xcb00_7100 + low).to_ipv6_mapped()) }),
        ]
    }

    fn domain() -> impl Strategy<Value = String> {
        proptest::collection::vec("[abAB]{1,2}", 2..5).prop_map(|labels| labels.join("."))
    }

    fn listed(kind: IndicatorKind, texts: &[String]) -> (IndicatorSet, Vec<String>) {
        let indicators: Vec<_> = texts
            .iter()
            .filter_map(|text| IndicatorValue::parse(kind, text).ok())
            .map(|value| Indicator::new(value, IndicatorOrigin::Import, Timestamp::default()))
            .collect();
        let values = indicators.iter().map(|one| one.value().to_string()).collect();
        (IndicatorSet::new(indicators), values)
    }

    fn agree(
        found: &[IndicatorMatch<'_>],
        listed: &[String],
        plain: impl Fn(&str) -> bool,
    ) -> Result<(), TestCaseError> {
        let found: BTreeSet<_> =
            found.iter().map(|found| found.indicator.value().to_string()).collect();
        let expected: BTreeSet<_> = listed.iter().filter(|value| plain(value)).cloned().collect();
        prop_assert_eq!(found, expected);
        Ok(())
    }

    proptest! {
        #[test]
        fn over_paths(texts in proptest::collection::vec(path(), 0..12), path in path()) {
            let (set, listed) = listed(IndicatorKind::Path, &texts);
            let found = set.match_process(&process("x", Some(&path), None));
            agree(&found, &listed, |value| plain_path(value, &path))?;
        }

        #[test]
        fn over_addresses(
            texts in proptest::collection::vec((address(), 1u8..129), 0..12),
            remote in address(),
        ) {
            let texts: Vec<_> =
                texts.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect();
            let (set, listed) = listed(IndicatorKind::Address, &texts);
            let connection = Connection {
                remote_address: Some(remote.to_string().into()),
                ..Connection::default()
            };
            agree(&set.match_connection(&connection), &listed, |value| plain_address(value, remote))?;
        }

        #[test]
        fn over_domains(texts in proptest::collection::vec(domain(), 0..12), host in domain()) {
            let (set, listed) = listed(IndicatorKind::Domain, &texts);
            let connection = Connection {
                remote_address: Some(host.as_str().into()),
                ..Connection::default()
            };
            agree(&set.match_connection(&connection), &listed, |value| plain_domain(value, &host))?;
        }

        #[test]
        fn over_names(
            texts in proptest::collection::vec("[abAB]{1,3}", 0..12),
            name in "[abAB]{1,3}",
            file in "[abAB]{1,3}",
        ) {
            let (set, listed) = listed(IndicatorKind::Process, &texts);
            let found = set.match_process(&process(&name, Some(&format!("/x/{file}")), None));
            agree(&found, &listed, |value| {
                value == name.to_lowercase() || value == file.to_lowercase()
            })?;
        }
    }
}

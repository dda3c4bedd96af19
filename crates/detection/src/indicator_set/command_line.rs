//! What a command line tells: the script that an interpreter runs, the hosts it names.
//!
//! Hosts report arguments joined by blanks, so an argument with a blank in it looks like two. What
//! is read here errs towards finding nothing.

use super::process_names::file_name;

/// The longest part of a command line that is looked at, in bytes.
const LINE_BYTES_MAX: usize = 32 * 1024;

/// An interpreter, and which of its options change what the next argument is.
struct Interpreter {
    name: &'static str,
    /// Whether versions follow the name, as in `python3.12`.
    versioned: bool,
    /// One-letter options whose value is the next argument.
    valued: &'static str,
    /// One-letter options after which there is no script: code, a module, standard input.
    scriptless: &'static str,
    /// Long options whose value is the next argument.
    valued_long: &'static [&'static str],
    /// Long options after which there is no script.
    scriptless_long: &'static [&'static str],
}

impl Interpreter {
    const fn shell(name: &'static str) -> Self {
        Self {
            name,
            versioned: false,
            valued: "oO",
            scriptless: "cs",
            valued_long: &["--rcfile", "--init-file", "--init-command"],
            scriptless_long: &["--command"],
        }
    }

    const fn language(
        name: &'static str,
        valued: &'static str,
        scriptless: &'static str,
        valued_long: &'static [&'static str],
        scriptless_long: &'static [&'static str],
    ) -> Self {
        Self { name, versioned: true, valued, scriptless, valued_long, scriptless_long }
    }

    fn is_called(&self, file_name: &str) -> bool {
        let name = file_name.strip_suffix(".exe").unwrap_or(file_name);
        name.strip_prefix(self.name).is_some_and(|rest| {
            rest.is_empty()
                || (self.versioned
                    && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        })
    }
}

static INTERPRETERS: &[Interpreter] = &[
    Interpreter::shell("sh"),
    Interpreter::shell("bash"),
    Interpreter::shell("dash"),
    Interpreter::shell("ash"),
    Interpreter::shell("zsh"),
    Interpreter::shell("ksh"),
    Interpreter::shell("mksh"),
    Interpreter::shell("fish"),
    Interpreter::language("python", "WX", "cm", &["--check-hash-based-pycs"], &[]),
    Interpreter::language("pypy", "WX", "cm", &[], &[]),
    Interpreter::language("perl", "I", "eE", &[], &[]),
    Interpreter::language("ruby", "IrCE", "e", &["--encoding"], &[]),
    Interpreter::language("node", "rC", "ep", &["--require", "--import"], &["--eval", "--print"]),
    Interpreter::language("php", "cdz", "rRBES", &[], &["--run"]),
    Interpreter::language("lua", "l", "e", &[], &[]),
    Interpreter::language("tclsh", "", "", &[], &[]),
];

fn interpreter(file_name: &str) -> Option<&'static Interpreter> {
    let file_name = file_name.strip_prefix('-').unwrap_or(file_name);
    INTERPRETERS.iter().find(|interpreter| interpreter.is_called(file_name))
}

/// The script that this command line has an interpreter run, as written there.
///
/// The first argument must be an interpreter, and so must be the program where its file name is
/// known: a program that merely calls itself `sh`, or reads `evil.sh` like `cat`, runs no script.
pub(super) fn script_of<'a>(line: &'a str, executable: Option<&str>) -> Option<&'a str> {
    let mut words = bounded(line).split(' ').filter(|word| !word.is_empty());
    let first = file_name(words.next()?);
    let mut called = interpreter(first);
    if first == "busybox" {
        called = words.next().and_then(interpreter);
    }
    let called = called?;
    if let Some(executable) = executable
        && executable != "busybox"
        && interpreter(executable).is_none()
    {
        return None;
    }
    while let Some(word) = words.next() {
        if word == "--" {
            return words.next();
        }
        if let Some(long) = word.strip_prefix("--").map(|_| word) {
            let name = long.split_once('=').map_or(long, |(name, _)| name);
            if called.scriptless_long.contains(&name) {
                return None;
            }
            if called.valued_long.contains(&long) {
                words.next();
            }
            continue;
        }
        let Some(letters) = word.strip_prefix(['-', '+']) else { return Some(word) };
        if letters.is_empty() {
            return None;
        }
        // Letters after one that takes a value are that value.
        for (position, letter) in letters.char_indices() {
            if called.scriptless.contains(letter) {
                return None;
            }
            if called.valued.contains(letter) {
                if position + letter.len_utf8() == letters.len() {
                    words.next();
                }
                break;
            }
        }
    }
    None
}

/// Words that may be hosts: of addresses as in `https://user@host:port/path`, of targets as in
/// `user@host:path` and `host:port`, and words with a dot or colon as they stand.
pub(super) fn hosts_named(line: &str) -> impl Iterator<Item = &str> {
    bounded(line)
        .split(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '=' | ',' | ';' | '|'))
        .filter(|word| word.contains(['.', ':']))
        .filter_map(host_of)
}

fn host_of(word: &str) -> Option<&str> {
    let (scheme, rest) = match word.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, word),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    // A path is not a host, however it ends.
    if !scheme && (rest.starts_with(['/', '.', '-']) || authority.is_empty()) {
        return None;
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split_once(']').map(|(address, _)| address);
    }
    // More than one colon is an IPv6 address; one is before a port, or a path of rsync's.
    let host = match host.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => host,
    };
    (!host.is_empty()).then_some(host)
}

fn bounded(line: &str) -> &str {
    let mut end = line.len().min(LINE_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_runs_a_script() {
        for line in [
            "sh evil.sh",
            "/bin/sh evil.sh --flag",
            "-bash evil.sh",
            "bash -x evil.sh",
            "bash -eu -o pipefail evil.sh",
            "bash +x -- evil.sh",
            "bash --rcfile /dev/null evil.sh",
            "bash --norc evil.sh",
            "busybox sh evil.sh",
            "python3 -W ignore -u evil.sh arg",
            "python3.12 -Wignore evil.sh",
            "perl -I lib evil.sh",
            "perl -w evil.sh",
            "node --require ./hook.js evil.sh",
            "  sh   evil.sh",
        ] {
            check(line, None, Some("evil.sh"));
        }
        check("/bin/sh /tmp/evil.sh", None, Some("/tmp/evil.sh"));
        check("/bin/sh /tmp/evil.sh", Some("dash"), Some("/tmp/evil.sh"));
        check("sh /tmp/evil.sh", Some("busybox"), Some("/tmp/evil.sh"));
    }

    #[test]
    fn what_reads_or_names_a_script_does_not_run_it() {
        for line in [
            "cat evil.sh",
            "vim /tmp/evil.sh",
            "grep -r evil.sh .",
            "sh -c evil.sh",
            "bash -lc evil.sh",
            "sh -s evil.sh",
            "sh -",
            "python3 -m evil.sh",
            "perl -e evil.sh",
            "node --eval evil.sh",
            "ssh host evil.sh",
            "shred evil.sh",
            "bash",
            "python3 -W",
            "pythonista evil.sh",
            "",
        ] {
            check(line, None, None);
        }
        check("sh other.sh evil.sh", None, Some("other.sh"));
        check("sh evil.sh", Some("cat"), None);
    }

    #[track_caller]
    fn check(line: &str, executable: Option<&str>, expected: Option<&str>) {
        assert_eq!(script_of(line, executable), expected, "line {line:?}");
    }

    #[test]
    fn hosts_are_found_among_the_arguments() {
        check_hosts("curl https://user@evil.example:8443/x?y", &["evil.example"]);
        check_hosts("nc 203.0.113.9 4444", &["203.0.113.9"]);
        check_hosts("ssh root@evil.example", &["root@evil.example"].map(|_| "evil.example"));
        check_hosts("rsync -a x evil.example:/srv", &["evil.example"]);
        check_hosts("curl --proxy=http://[2001:db8::1]:80 a", &["2001:db8::1"]);
        check_hosts("ping 2001:db8::1", &["2001:db8::1"]);
        check_hosts("cat /etc/evil.example ./evil.example", &[]);
        check_hosts("cat", &[]);
    }

    #[track_caller]
    fn check_hosts(line: &str, expected: &[&str]) {
        assert_eq!(hosts_named(line).collect::<Vec<_>>(), expected, "line {line:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in ".*", executable in proptest::option::of(".*")) {
            if let Some(script) = script_of(&line, executable.as_deref()) {
                proptest::prop_assert!(line.contains(script));
            }
            proptest::prop_assert!(hosts_named(&line).all(|host| line.contains(host)));
        }
    }
}

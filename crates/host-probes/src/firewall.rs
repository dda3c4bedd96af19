//! Blocks addresses by a table of our own in the kernel's packet filter (nftables).
//!
//! All that is ours stands in the table `inet ringwall`: four sets, whose elements the kernel itself takes
//! out when their time is up, and chains that drop what comes from and goes to them, before connections
//! are tracked: what is under way is cut as well. Nobody else's rules are touched, and `nft delete table
//! inet ringwall` takes all of it back.
//!
//! What is written to `nft` is made from parsed addresses and numbers only.

use ringwall_event::Network;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Speaks to the packet filter.
#[derive(Clone, Debug)]
pub struct Firewall {
    program: Option<PathBuf>,
}

/// Why the packet filter was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirewallError {
    /// The program that speaks to it is not installed.
    #[error("this host has no `nft`: install the package nftables")]
    NoProgram,
    /// The program could not be run.
    #[error("cannot run `nft`: {0}")]
    Run(#[source] io::Error),
    /// It did not come to an end.
    #[error("`nft` took longer than {} s", PATIENCE.as_secs())]
    TooSlow,
    /// This agent may not change it.
    #[error("not permitted to change the packet filter: the agent needs CAP_NET_ADMIN")]
    NotPermitted,
    /// A network that is blocked already has some of these addresses, and others.
    #[error("{0} overlaps with a network that is blocked already")]
    Overlap(Network),
    /// The kernel or the program refused.
    #[error("`nft` refuses: {0}")]
    Refused(String),
    /// It said that all is well, and yet the block is not there.
    #[error("{0} is not in the packet filter after it was put there")]
    NotThere(Network),
}

/// What became of the end of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unblocked {
    /// Traffic passes again.
    Ended,
    /// There was no such block, or its time was up.
    NotBlocked,
}

/// Where the program is looked for; the environment is not asked.
const PLACES: [&str; 6] =
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
/// One change takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// So much of what it says is read.
const SAID_BYTES_MAX: u64 = 16 << 10;
const REFUSAL_CHARS_MAX: usize = 300;

impl Firewall {
    /// The packet filter of this host. That `nft` is missing shows when it is needed.
    pub fn of_this_host() -> Self {
        let found =
            PLACES.iter().map(|place| Path::new(place).join("nft")).find(|nft| nft.is_file());
        Self { program: found }
    }

    /// Whether addresses can be blocked here, as far as can be told without doing so.
    ///
    /// # Errors
    /// Where the program is missing or may not see the packet filter.
    pub fn check(&self) -> Result<(), FirewallError> {
        self.run(&["list", "tables"], "").map(drop)
    }

    /// Lets no traffic with these addresses pass for so many seconds, in place of what is left of an
    /// earlier block of the same.
    ///
    /// # Errors
    /// Where the packet filter could not be changed; then it is as before.
    pub fn block(&self, network: Network, seconds: u64) -> Result<(), FirewallError> {
        let mut script = frame();
        let set = set_of(network);
        // The kernel does not renew the time of an element that is there: so out and in again, all in one
        // transaction. What is taken out must be there: so in first.
        for line in [
            format!("add element inet ringwall {set} {{ {network} timeout {seconds}s }}"),
            format!("delete element inet ringwall {set} {{ {network} }}"),
            format!("add element inet ringwall {set} {{ {network} timeout {seconds}s }}"),
        ] {
            writeln!(script, "{line}").map_err(|_| FirewallError::NotThere(network))?;
        }
        match self.run(&["-f", "-"], &script) {
            Err(FirewallError::Refused(said)) if said.contains("overlaps") => {
                Err(FirewallError::Overlap(network))
            }
            other => other.map(drop),
        }?;
        if self.is_blocked(network)? { Ok(()) } else { Err(FirewallError::NotThere(network)) }
    }

    /// Lets traffic with these addresses pass again.
    ///
    /// # Errors
    /// Where the packet filter could not be changed.
    pub fn unblock(&self, network: Network) -> Result<Unblocked, FirewallError> {
        let script = format!("delete element inet ringwall {} {{ {network} }}\n", set_of(network));
        match self.run(&["-f", "-"], &script) {
            Ok(_) => Ok(Unblocked::Ended),
            Err(error) if is_missing(&error) => Ok(Unblocked::NotBlocked),
            Err(error) => Err(error),
        }
    }

    /// Ends all blocks, and takes the table out of the packet filter; whether there was one.
    ///
    /// # Errors
    /// Where the packet filter could not be changed.
    pub fn unblock_all(&self) -> Result<Unblocked, FirewallError> {
        match self.run(&["-f", "-"], "delete table inet ringwall\n") {
            Ok(_) => Ok(Unblocked::Ended),
            Err(error) if is_missing(&error) => Ok(Unblocked::NotBlocked),
            Err(error) => Err(error),
        }
    }

    /// Whether exactly this is blocked now.
    ///
    /// # Errors
    /// Where the packet filter could not be asked.
    pub fn is_blocked(&self, network: Network) -> Result<bool, FirewallError> {
        let element = format!("{{ {network} }}");
        match self.run(&["get", "element", "inet", "ringwall", set_of(network), &element], "") {
            Ok(said) => Ok(said.contains(&network.to_string())),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn run(&self, arguments: &[&str], script: &str) -> Result<String, FirewallError> {
        let program = self.program.as_ref().ok_or(FirewallError::NoProgram)?;
        let mut command = Command::new(program);
        // What it says is read: it must not depend on the language of whoever started the agent.
        command.args(arguments).env_clear().env("LC_ALL", "C").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(FirewallError::Run)?;
        let (said, complaint, success) = converse(&mut child, script)?;
        if success {
            return Ok(said);
        }
        if complaint.contains("Operation not permitted") {
            return Err(FirewallError::NotPermitted);
        }
        let line = complaint.lines().next().unwrap_or_default();
        Err(FirewallError::Refused(line.chars().take(REFUSAL_CHARS_MAX).collect()))
    }
}

/// Writes the script, waits for the end within the patience, and reads what was said.
fn converse(child: &mut Child, script: &str) -> Result<(String, String, bool), FirewallError> {
    if let Some(mut input) = child.stdin.take() {
        // A program that ends without reading says why at its other end.
        match input.write_all(script.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(FirewallError::Run(error));
            }
            _ => {}
        }
    }
    let read = |from: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(from) = from {
                // What was said until it broke off is all there is.
                drop(from.take(SAID_BYTES_MAX).read_to_end(&mut text));
            }
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let said = read(child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>));
    let complaint = read(child.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().map_err(FirewallError::Run)? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                // It may have ended just now; either way it is reaped.
                drop(child.kill());
                drop(child.wait());
                return Err(FirewallError::TooSlow);
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    // A thread that panicked has nothing to say.
    let said = said.join().unwrap_or_default();
    Ok((said, complaint.join().unwrap_or_default(), status.success()))
}

/// What the kernel says where an element, a set or the table is not there.
fn is_missing(error: &FirewallError) -> bool {
    matches!(error, FirewallError::Refused(said) if said.contains("No such file or directory"))
}

/// The set that an element stands in. Single addresses have sets of their own: one that is within a
/// network that is blocked is no conflict then.
const fn set_of_family(is_v4: bool, is_single: bool) -> &'static str {
    match (is_v4, is_single) {
        (true, true) => "addresses4",
        (true, false) => "networks4",
        (false, true) => "addresses6",
        (false, false) => "networks6",
    }
}

fn set_of(network: Network) -> &'static str {
    set_of_family(network.address().is_ipv4(), network.is_single())
}

/// Table, sets and chains; what is there already stays, but for our own rules, which are written anew.
fn frame() -> String {
    let mut script = String::from("add table inet ringwall\n");
    let mut line = |text: String| {
        script.push_str(&text);
        script.push('\n');
    };
    let sets = [(true, true), (true, false), (false, true), (false, false)];
    for (is_v4, is_single) in sets {
        let set = set_of_family(is_v4, is_single);
        let kind = if is_v4 { "ipv4_addr" } else { "ipv6_addr" };
        let flags = if is_single { "timeout" } else { "interval, timeout" };
        line(format!("add set inet ringwall {set} {{ type {kind}; flags {flags}; }}"));
    }
    for (chain, ends) in
        [("input", &["saddr"][..]), ("output", &["daddr"]), ("forward", &["saddr", "daddr"])]
    {
        // Before connections are tracked (-200): what is under way is cut as well.
        line(format!(
            "add chain inet ringwall {chain} {{ type filter hook {chain} priority -300; policy accept; }}"
        ));
        line(format!("flush chain inet ringwall {chain}"));
        for end in ends {
            for (is_v4, is_single) in sets {
                let set = set_of_family(is_v4, is_single);
                let family = if is_v4 { "ip" } else { "ip6" };
                line(format!("add rule inet ringwall {chain} {family} {end} @{set} counter drop"));
            }
        }
    }
    script
}

//! Programs that look for holes and say who they are.

use super::category::Category::Reconnaissance;
use super::place::Place;
use super::scan::{Scan, View};
use super::text::{at, places_of};

/// As they stand in `User-Agent`, in lower case. None is a part of the name of a browser, a library or a crawler.
pub(crate) const NAMES: &[&str] = &[
    "acunetix",
    "appscan",
    "arachni",
    "bsqlbf",
    "burpcollaborator",
    "cmsmap",
    "commix",
    "dirbuster",
    "dirsearch",
    "droopescan",
    "feroxbuster",
    "fimap",
    "fuzz faster u fool",
    "gobuster",
    "havij",
    "(hydra)",
    "jbrofuzz",
    "joomscan",
    "l9explore",
    "l9tcpid",
    "masscan",
    "metasploit",
    "morfeus",
    "muieblackcat",
    "n-stealth",
    "nessus",
    "netsparker",
    "nikto",
    "nmap scripting engine",
    "nmap nse",
    "nuclei",
    "openvas",
    "pangolin",
    "projectdiscovery",
    "skipfish",
    "sqlmap",
    "sqlninja",
    "w3af",
    "wapiti",
    "webinspect",
    "wfuzz",
    "whatweb",
    "wpscan",
    "xspider",
    "zgrab",
    "zmeu",
];

/// Those that add headers of their own, as `Acunetix-Product`.
const HEADERS_OF: [&str; 9] = [
    "acunetix",
    "appscan",
    "arachni",
    "nessus",
    "netsparker",
    "nikto",
    "openvas",
    "webinspect",
    "wpscan",
];

/// Whether such a program gave the header its name: it stands first, or behind `X-`.
pub(crate) fn names_header(header: &str) -> bool {
    let mut words = header.split('-').skip_while(|word| word.eq_ignore_ascii_case("x"));
    words.next().is_some_and(|word| HEADERS_OF.iter().any(|name| word.eq_ignore_ascii_case(name)))
}

/// Notes the name of a header that only such a program sends.
pub(crate) fn check_header_name(scan: &mut Scan<'_>, view: &View<'_>) {
    let words = "a header of a program that looks for holes";
    scan.hit(view, 0, (Reconnaissance, 1.0), "probe_scanner_header", words);
}

/// Looks for their names where programs name themselves.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let Place::Header(header) = scan.place else { return };
    if !header.eq_ignore_ascii_case("user-agent") {
        return;
    }
    let text = view.lower;
    for name in NAMES {
        scan.walked(text.len());
        let mut places = places_of(text, name.as_bytes());
        let is_whole = |start: usize| {
            let before = start.checked_sub(1).map_or(0, |before| at(text, before));
            !before.is_ascii_alphanumeric() && !at(text, start + name.len()).is_ascii_alphanumeric()
        };
        if let Some(start) = places.find(|&start| is_whole(start)) {
            let words = "a program that looks for holes";
            scan.hit(view, start, (Reconnaissance, 1.0), "probe_scanner", words);
            return;
        }
    }
}

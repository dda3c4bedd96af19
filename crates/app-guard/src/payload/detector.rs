//! The detector: views of a value, the prefilter over each, and the checks that it asks for.

use super::category::Category;
use super::custom::CustomPatterns;
use super::finding::Finding;
use super::place::Place;
use super::scan::{Scan, View, without_quoted_code};
use super::settings::{DetectorError, DetectorSettings};
use super::text::{find, from, trim};
use super::triggers::{self, Seen, Triggers};
use super::views::{self, Hidden};
use super::{
    body, code, json_keys, ldap, markup, paths, probes, scanners, serialized, shell, split, sql,
    templates, upload, urls, xml,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Rounds of decoding: an attack that is encoded more often than this is decoded by nobody.
const ROUNDS_MAX: usize = 5;
/// Base64 in base64.
const BASE64_DEPTH_MAX: usize = 2;

/// Finds attacks in the values of requests.
///
/// It is made once, never changes, and is cheap to clone.
#[derive(Clone, Debug)]
pub struct Detector {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    triggers: Triggers,
    custom: CustomPatterns,
    settings: DetectorSettings,
}

impl Detector {
    /// A detector with these settings.
    ///
    /// # Errors
    /// A custom pattern is refused, or the threshold is not a positive number.
    pub fn new(settings: &DetectorSettings) -> Result<Self, DetectorError> {
        if !settings.threshold.is_finite() || settings.threshold <= 0.0 {
            return Err(DetectorError::Threshold(settings.threshold));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                triggers: Triggers::new()?,
                custom: CustomPatterns::new(&settings.custom_patterns)?,
                settings: settings.clone(),
            }),
        })
    }

    /// Appends what is found in one value. What does not reach the threshold is not found.
    ///
    /// Values may come as on the wire or decoded.
    pub fn scan(&self, place: Place<'_>, value: &[u8], found: &mut Vec<Finding>) {
        self.scan_counting(place, value, found);
    }

    /// The same; returns how many bytes and tokens were gone over, which is at most a constant times the
    /// length of the value.
    pub fn scan_counting(&self, place: Place<'_>, value: &[u8], found: &mut Vec<Finding>) -> u64 {
        let Place::Header(name) = place else { return self.scan_value(place, value, found) };
        if !name.eq_ignore_ascii_case("cookie") {
            return self.scan_value(place, value, found);
        }
        // Its semicolons separate cookies, not commands.
        value.split(|&byte| byte == b';').map(|one| self.scan_value(place, one, found)).sum()
    }

    /// Appends what is found in path, query and headers, all as on the wire.
    pub fn scan_request<'a>(
        &self,
        path: &str,
        query: Option<&str>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        found: &mut Vec<Finding>,
    ) {
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !name.is_empty() {
                self.scan(Place::QueryName, name.as_bytes(), found);
            }
            if !value.is_empty() {
                self.scan(Place::QueryParameter(name), value.as_bytes(), found);
            }
        }
        self.scan(Place::Path, path.as_bytes(), found);
        for (name, value) in headers {
            self.scan(Place::Header(name), value, found);
        }
    }

    /// Begins to look at a body of that type, as it streams.
    #[must_use]
    pub fn body(&self, content_type: Option<&str>) -> body::BodyScan {
        body::BodyScan::new(self.clone(), content_type)
    }

    fn scan_value(&self, place: Place<'_>, value: &[u8], found: &mut Vec<Finding>) -> u64 {
        let mut scan = Scan::new(place, self.inner.settings.switched_off);
        self.rounds(&mut scan, value, Hidden::default(), place.has_plus_for_space(), 0);
        if let Place::Header(name) = place
            && scanners::names_header(name)
        {
            let name = name.as_bytes();
            let seen = self.inner.triggers.look(name);
            let hidden = Hidden::default();
            let view = View { original: name, lower: name, prose: name, seen, hidden };
            scanners::check_header_name(&mut scan, &view);
        }
        if !scan.hits.is_empty() && scan.weight() >= self.inner.settings.threshold {
            found.extend(scan.hits.into_iter().map(|hit| hit.into_finding(place)));
        }
        scan.steps
    }

    /// Looks at the value, then at what comes out when its encodings are taken off.
    fn rounds(
        &self,
        scan: &mut Scan<'_>,
        value: &[u8],
        mut hidden: Hidden,
        plus_is_space: bool,
        depth: usize,
    ) {
        let mut seen = self.look(scan, value, hidden);
        let mut current = Cow::Borrowed(value);
        for round in 0..ROUNDS_MAX {
            let plus = plus_is_space && round == 0 && seen & triggers::PLUS != 0;
            if seen & triggers::ENCODED == 0 && !plus {
                break;
            }
            scan.walked(current.len());
            let Some(next) = views::decode(&current, plus, &mut hidden) else { break };
            seen = self.look(scan, &next, hidden);
            current = Cow::Owned(next);
        }
        if depth >= BASE64_DEPTH_MAX {
            return;
        }
        scan.walked(value.len());
        let as_it_came = views::from_base64(value);
        let decoded = match current {
            Cow::Owned(ref last) if as_it_came.is_none() => views::from_base64(last),
            _ => as_it_came,
        };
        if let Some(text) = decoded {
            self.rounds(scan, &text, hidden, false, depth + 1);
        }
    }

    /// Runs the checks that the prefilter asks for on one view.
    fn look(&self, scan: &mut Scan<'_>, original: &[u8], hidden: Hidden) -> Seen {
        let seen = self.inner.triggers.look(original);
        scan.walked(original.len());
        if !self.inner.custom.is_empty() {
            let bare = View { original, lower: original, prose: original, seen, hidden };
            for (pattern, at) in self.inner.custom.matching(original) {
                scan.walked(original.len());
                scan.custom_hit(&bare, at, pattern);
            }
        }
        if !asks_for_checks(scan.place, seen) {
            return seen;
        }
        let lower = original.to_ascii_lowercase();
        scan.walked(original.len());
        let blanked = if quotes_code(scan.place) && lower.contains(&b'`') {
            scan.walked(original.len());
            without_quoted_code(&lower, if scan.place.is_body() { 1 } else { 2 })
        } else {
            None
        };
        let prose = blanked.as_deref().unwrap_or(&lower);
        let view = View { original, lower: &lower, prose, seen, hidden };
        run_checks(scan, &view);
        self.look_behind_comments(scan, &view);
        look_behind_lookups(scan, &view);
        seen
    }

    /// `un/**/ion`: filters that remove comments make a word of it.
    fn look_behind_comments(&self, scan: &mut Scan<'_>, view: &View<'_>) {
        if view.seen & triggers::COMMENT == 0 || !scan.wants(Category::SqlInjection) {
            return;
        }
        scan.walked(view.lower.len());
        let Some(bare) = views::without_comments(view.lower) else { return };
        let seen = self.inner.triggers.look(&bare);
        let bare = View { original: &bare, lower: &bare, prose: &bare, seen, hidden: view.hidden };
        sql::check(scan, &bare);
        if seen & triggers::MARKUP != 0 {
            markup::check(scan, &bare);
        }
    }
}

/// `${${lower:j}ndi:…}`: what Log4j makes of it.
fn look_behind_lookups(scan: &mut Scan<'_>, view: &View<'_>) {
    let Some(first) = find(view.lower, b"${") else { return };
    if view.seen & triggers::LOOKUP == 0 || find(from(view.lower, first + 2), b"${").is_none() {
        return;
    }
    scan.walked(view.lower.len().saturating_mul(2));
    let bare = views::without_lookups(view.lower);
    let bare =
        View { original: &bare, lower: &bare, prose: &bare, seen: view.seen, hidden: view.hidden };
    code::check_lookups(scan, &bare);
}

fn quotes_code(place: Place<'_>) -> bool {
    place.is_body() || matches!(place, Place::QueryParameter(_))
}

fn asks_for_checks(place: Place<'_>, seen: Seen) -> bool {
    use triggers::{
        ANGLE, CODE, LDAP, LINE_BREAK, MARKUP, NOSQL, OPERATOR, PATH, PROBE, PROTOTYPE, QUOTE,
        SCANNER, SEPARATOR, SERIALIZED, SHELL, SQL, SQL_WORD, TEMPLATE, UPLOAD, URL, VARIABLE, XML,
    };
    const ALWAYS: Seen = SQL
        | MARKUP
        | SHELL
        | PATH
        | URL
        | NOSQL
        | LDAP
        | XML
        | TEMPLATE
        | PROTOTYPE
        | CODE
        | SERIALIZED
        | UPLOAD
        | PROBE
        | VARIABLE
        | SCANNER
        | ANGLE
        | SEPARATOR
        | LINE_BREAK;
    seen & ALWAYS != 0
        || (seen & QUOTE != 0 && seen & (OPERATOR | SQL_WORD) != 0)
        || matches!(place, Place::Path | Place::FileName(_))
        || place.asks_for_command()
}

fn run_checks(scan: &mut Scan<'_>, view: &View<'_>) {
    use triggers::{
        ANGLE, CODE, LDAP, LINE_BREAK, MARKUP, NOSQL, OPERATOR, PATH, PROBE, PROTOTYPE, QUOTE,
        SCANNER, SEPARATOR, SERIALIZED, SHELL, SQL, SQL_WORD, TEMPLATE, UPLOAD, URL, VARIABLE, XML,
    };
    let seen = view.seen;
    let has = |bits: Seen| seen & bits != 0;
    let place = scan.place;
    if (has(SQL) || (has(QUOTE) && has(OPERATOR | SQL_WORD)))
        && scan.wants(Category::SqlInjection)
        && !trim(view.lower).is_empty()
    {
        sql::check(scan, view);
    }
    if has(ANGLE | MARKUP) && scan.wants(Category::CrossSiteScripting) {
        markup::check(scan, view);
    }
    if (has(SEPARATOR | SHELL) || place.asks_for_command())
        && scan.wants(Category::CommandInjection)
    {
        shell::check(scan, view);
    }
    if has(PATH) || matches!(place, Place::Path) {
        paths::check(scan, view);
    }
    if has(URL) {
        urls::check(scan, view);
    }
    if has(NOSQL) && scan.wants(Category::NoSql) {
        json_keys::check_operators(scan, view);
    }
    if has(LDAP) && scan.wants(Category::Ldap) {
        ldap::check(scan, view);
    }
    if has(XML) && scan.wants(Category::Xml) {
        xml::check(scan, view);
    }
    if has(TEMPLATE) && scan.wants(Category::Template) {
        templates::check(scan, view);
    }
    if has(LINE_BREAK) && scan.wants(Category::HttpSplitting) {
        split::check(scan, view);
    }
    if has(PROTOTYPE) && scan.wants(Category::PrototypePollution) {
        json_keys::check_prototypes(scan, view);
    }
    // `$a(…)` calls what the variable names.
    let calls_variable = has(VARIABLE) && view.lower.contains(&b'(');
    if (has(CODE) || calls_variable) && scan.wants(Category::CodeInjection) {
        code::check(scan, view);
    }
    if has(SERIALIZED) && scan.wants(Category::Deserialization) {
        serialized::check(scan, view);
    }
    if has(UPLOAD) || matches!(place, Place::FileName(_)) {
        upload::check(scan, view);
    }
    if has(PROBE) || matches!(place, Place::Path) {
        probes::check(scan, view);
    }
    if has(SCANNER) && scan.wants(Category::Reconnaissance) {
        scanners::check(scan, view);
    }
}

//! Which route a request is for, for those who configure rules in one place.

use crate::path::plain_path;
use crate::route_rules::Route;
use std::collections::HashMap;
use std::sync::Arc;

/// Routes by pattern and method: `/exactly/this`, `/orders/{id}`, `/static/{*rest}`.
///
/// A literal segment wins over a parameter, a parameter over a rest, a named method over all methods; what is
/// said of `GET` holds for `HEAD`. A path is looked up as it stands and then, if nothing fits, as it reads decoded and folded: an application
/// that decodes before it routes is not led around its rules by `%61dmin`.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    exact: HashMap<Box<str>, Vec<Target>, foldhash::fast::RandomState>,
    /// Patterns with parameters, most specific first.
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    segments: Vec<Segment>,
    targets: Vec<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    method: Option<Box<str>>,
    route: Arc<Route>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(Box<str>),
    Parameter,
    /// The rest, at least one character of it.
    Rest,
}

/// Why a pattern is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternPathError {
    /// It does not begin with a slash.
    #[error("`{0}` does not begin with `/`")]
    NoSlash(String),
    /// A brace in the middle of a segment, or without its other half.
    #[error("`{0}`: a parameter is a whole segment, such as `{{id}}` or, at the end, `{{*rest}}`")]
    Parameter(String),
    /// Two routes of the same pattern and method.
    #[error("`{0}` has rules twice")]
    Twice(String),
}

impl Routes {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the rules of a route; without a method for all methods.
    ///
    /// # Errors
    /// Where the pattern makes no sense, or has rules already.
    pub fn add(
        &mut self,
        pattern: &str,
        method: Option<&str>,
        route: Arc<Route>,
    ) -> Result<(), PatternPathError> {
        let segments = segments(pattern)?;
        let method = method.map(|method| Box::from(method.to_ascii_uppercase()));
        let target = Target { method, route };
        let literal = segments.iter().all(|segment| matches!(segment, Segment::Literal(_)));
        let targets = if literal {
            self.exact.entry(pattern.into()).or_default()
        } else {
            let at = match self.patterns.iter().position(|own| own.segments == segments) {
                Some(at) => at,
                None => {
                    let at = self.patterns.partition_point(|own| own.segments < segments);
                    self.patterns.insert(at, Pattern { segments, targets: Vec::new() });
                    at
                }
            };
            // The position was found or made just above.
            &mut self.patterns.get_mut(at).expect("the position is in the list").targets
        };
        if targets.iter().any(|own| own.method == target.method) {
            return Err(PatternPathError::Twice(pattern.to_owned()));
        }
        targets.push(target);
        // Named methods first.
        targets.sort_by_key(|target| target.method.is_none());
        Ok(())
    }

    /// The rules for a request of this method and raw path.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<&Arc<Route>> {
        if self.exact.is_empty() && self.patterns.is_empty() {
            return None;
        }
        self.find_as_it_stands(method, path).or_else(|| {
            let plain = plain_path(path)?;
            if *plain == *path { None } else { self.find_as_it_stands(method, &plain) }
        })
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        let exact = self.exact.values().flatten();
        exact.chain(self.patterns.iter().flat_map(|p| &p.targets)).map(|target| &target.route)
    }

    fn find_as_it_stands(&self, method: &str, path: &str) -> Option<&Arc<Route>> {
        if let Some(found) = self.exact.get(path).and_then(|targets| of_method(targets, method)) {
            return Some(found);
        }
        let fitting = self.patterns.iter().filter(|pattern| pattern.fits(path));
        fitting.filter_map(|pattern| of_method(&pattern.targets, method)).next()
    }
}

/// The rules for `GET` hold for `HEAD`, too, unless that has its own: whoever serves the one serves the other.
fn of_method<'t>(targets: &'t [Target], method: &str) -> Option<&'t Arc<Route>> {
    let named = |wanted: Option<&str>| {
        let target = targets.iter().find(|target| target.method.as_deref() == wanted);
        target.map(|target| &target.route)
    };
    let own = named(Some(method));
    let own = own.or_else(|| if method == "HEAD" { named(Some("GET")) } else { None });
    own.or_else(|| named(None))
}

impl Pattern {
    fn fits(&self, path: &str) -> bool {
        let Some(mut rest) = path.strip_prefix('/') else { return false };
        let mut segments = self.segments.iter().peekable();
        while let Some(segment) = segments.next() {
            if *segment == Segment::Rest {
                return !rest.is_empty();
            }
            let last = segments.peek().is_none();
            let (own, behind) = match rest.split_once('/') {
                Some((own, behind)) => (own, Some(behind)),
                None => (rest, None),
            };
            let fits = match segment {
                Segment::Literal(literal) => **literal == *own,
                Segment::Parameter => !own.is_empty(),
                Segment::Rest => true,
            };
            match (fits, behind) {
                (true, Some(behind)) if !last => rest = behind,
                (true, None) if last => return true,
                _ => return false,
            }
        }
        false
    }
}

fn segments(pattern: &str) -> Result<Vec<Segment>, PatternPathError> {
    let Some(rest) = pattern.strip_prefix('/') else {
        return Err(PatternPathError::NoSlash(pattern.to_owned()));
    };
    let wrong = || PatternPathError::Parameter(pattern.to_owned());
    let mut segments = Vec::new();
    let mut texts = rest.split('/').peekable();
    while let Some(text) = texts.next() {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let segment = match inner {
            Some(inner) if inner.starts_with('*') => Segment::Rest,
            Some(_) => Segment::Parameter,
            None => Segment::Literal(text.into()),
        };
        let name = inner.map(|inner| inner.trim_start_matches('*')).unwrap_or(text);
        let misplaced_rest = segment == Segment::Rest && texts.peek().is_some();
        if name.contains(['{', '}']) || (inner.is_some() && name.is_empty()) || misplaced_rest {
            return Err(wrong());
        }
        segments.push(segment);
    }
    Ok(segments)
}

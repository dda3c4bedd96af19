//! The agent's side: a field of the wrong type voids the whole answer, and what does not say which
//! rules it is changes nothing.

use super::{DynamicRules, EndpointRate};
use crate::validation::{Integer, Json, Members, SyntaxError};
use ringwall_event::Timestamp;

/// How many entries a list may have; more voids the answer.
const ENTRIES_MAX: usize = 100_000;

/// How long an entry may be in bytes; a longer one voids the answer.
const ENTRY_BYTES_MAX: usize = 8 << 10;

/// What a server answers to the question for rules.
#[derive(Clone, Debug, PartialEq)]
pub enum RulesAnswer {
    /// `{}`: nothing new.
    Unchanged,
    /// The rules as they are now.
    Rules(Box<DynamicRules>),
}

/// Why an answer is not rules. Nothing changes then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// Not JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// An object that does not say which rules it is: an error with status 200, or rules wrapped in
    /// something. The original takes either for rules that ask for nothing, and drops its protection.
    #[error("not rules: an object without `{0}`")]
    NotRules(&'static str),
    /// JSON, but not an object.
    #[error("not rules: not an object")]
    NotAnObject,
    /// A field of the wrong type or beyond its bounds.
    #[error("`{field}` is not {expected}")]
    WrongType {
        /// Which.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl RulesAnswer {
    /// Reads the body of an answer with status 200.
    ///
    /// # Errors
    /// Where it is neither rules nor `{}`.
    pub fn read(bytes: &[u8]) -> Result<Self, RulesError> {
        let members = Json::read(bytes)?.model().map_err(|_| RulesError::NotAnObject)?;
        if members.is_empty() {
            return Ok(Self::Unchanged);
        }
        DynamicRules::read_members(&members).map(|rules| Self::Rules(Box::new(rules)))
    }
}

impl DynamicRules {
    /// Reads the flat object, as [`RulesAnswer::read`] does, but not `{}`.
    ///
    /// # Errors
    /// Where it is not rules.
    pub fn read(bytes: &[u8]) -> Result<Self, RulesError> {
        let members = Json::read(bytes)?.model().map_err(|_| RulesError::NotAnObject)?;
        Self::read_members(&members)
    }

    fn read_members(members: &Members<'_>) -> Result<Self, RulesError> {
        for name in ["rule_id", "version"] {
            members.given(name).ok_or(RulesError::NotRules(name))?;
        }
        let absent = Self::default();
        let fields = Fields(members);
        Ok(Self {
            rule_id: fields.text("rule_id")?.unwrap_or(absent.rule_id),
            version: fields.whole("version")?.unwrap_or(absent.version),
            timestamp: fields.moment("timestamp")?,
            expires_at: fields.moment("expires_at")?,
            ttl: fields.count("ttl")?.unwrap_or(absent.ttl),
            ip_blacklist: fields.texts("ip_blacklist")?,
            ip_whitelist: fields.texts("ip_whitelist")?,
            ip_ban_duration: fields.count("ip_ban_duration")?.unwrap_or(absent.ip_ban_duration),
            blocked_countries: fields.texts("blocked_countries")?,
            whitelist_countries: fields.texts("whitelist_countries")?,
            // Zero means none: the original replaces its own only by what is not zero.
            global_rate_limit: fields.count("global_rate_limit")?.filter(|limit| *limit > 0),
            global_rate_window: fields.count("global_rate_window")?.filter(|window| *window > 0),
            endpoint_rate_limits: fields.rates("endpoint_rate_limits")?,
            blocked_cloud_providers: fields.texts("blocked_cloud_providers")?.into_iter().collect(),
            blocked_user_agents: fields.texts("blocked_user_agents")?,
            suspicious_patterns: fields.texts("suspicious_patterns")?,
            enable_penetration_detection: fields.flag("enable_penetration_detection")?,
            enable_ip_banning: fields.flag("enable_ip_banning")?,
            enable_rate_limiting: fields.flag("enable_rate_limiting")?,
            enable_rate_limit_auto_ban: fields.flag("enable_rate_limit_auto_ban")?,
            auto_ban_threshold: fields.at_least_one("auto_ban_threshold")?,
            auto_ban_duration: fields.at_least_one("auto_ban_duration")?,
            emergency_mode: fields.flag("emergency_mode")?.unwrap_or(false),
            emergency_whitelist: fields.texts("emergency_whitelist")?,
            emergency_whitelist_only: fields.flag("emergency_whitelist_only")?.unwrap_or(false),
            message: fields.text("message")?,
        })
    }
}

struct Fields<'a, 'b>(&'b Members<'a>);

impl Fields<'_, '_> {
    fn field<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(Json<'_>) -> Option<T>,
    ) -> Result<Option<T>, RulesError> {
        let wrong = RulesError::WrongType { field: name, expected };
        self.0.given(name).map(|json| read(json).ok_or(wrong)).transpose()
    }

    fn text(&self, name: &'static str) -> Result<Option<Box<str>>, RulesError> {
        self.field(name, "a text", bounded_text)
    }

    fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, RulesError> {
        self.field(name, "a date and time", |json| json.date_time().ok())
    }

    fn whole(&self, name: &'static str) -> Result<Option<i64>, RulesError> {
        self.field(name, "a whole number", whole)
    }

    fn count(&self, name: &'static str) -> Result<Option<u32>, RulesError> {
        self.field(name, "a whole number that is not negative", count)
    }

    fn at_least_one(&self, name: &'static str) -> Result<Option<u32>, RulesError> {
        self.field(name, "a whole number of at least 1", |json| {
            count(json).filter(|count| *count > 0)
        })
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, RulesError> {
        self.field(name, "true or false", |json| match json.as_text() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    fn texts(&self, name: &'static str) -> Result<Vec<Box<str>>, RulesError> {
        let read = |json: Json<'_>| {
            let items = json.list().ok().filter(|items| items.len() <= ENTRIES_MAX)?;
            items.into_iter().map(bounded_text).collect::<Option<Vec<_>>>()
        };
        Ok(self.field(name, "a list of texts", read)?.unwrap_or_default())
    }

    fn rates(
        &self,
        name: &'static str,
    ) -> Result<std::collections::BTreeMap<Box<str>, EndpointRate>, RulesError> {
        let read = |json: Json<'_>| {
            let members = json.dictionary().ok().filter(|members| members.len() <= ENTRIES_MAX)?;
            members
                .iter()
                .map(|(path, rate)| {
                    (path.len() <= ENTRY_BYTES_MAX).then_some(())?;
                    let [requests, seconds] = rate.list().ok()?.try_into().ok()?;
                    let window_seconds = count(seconds)?;
                    Some((path.into(), EndpointRate { requests: count(requests)?, window_seconds }))
                })
                .collect()
        };
        Ok(self.field(name, "an object of `[requests, seconds]`", read)?.unwrap_or_default())
    }
}

fn bounded_text(json: Json<'_>) -> Option<Box<str>> {
    json.text().ok().filter(|text| text.len() <= ENTRY_BYTES_MAX).map(Into::into)
}

fn whole(json: Json<'_>) -> Option<i64> {
    match json.integer().ok()? {
        Integer::Fits(number) => Some(number),
        Integer::TooLarge => None,
    }
}

fn count(json: Json<'_>) -> Option<u32> {
    whole(json).and_then(|number| number.try_into().ok())
}

use super::security_headers::check_header;
use ringwall_inspection::{Headers, Reply};
use serde::Deserialize;
use std::borrow::Cow;

/// Who may call from pages of other origins.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins such as `https://shop.example`, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request headers beyond the ones that are always allowed, or `*`.
    pub allow_headers: Vec<String>,
    /// Whether cookies and authentication may be sent.
    pub allow_credentials: bool,
    /// Answer headers that pages may read.
    pub expose_headers: Vec<String>,
    /// How many seconds a browser may remember a preflight.
    pub max_age: u32,
}

impl Default for CorsSettings {
    fn default() -> Self {
        Self {
            allow_origins: vec!["*".to_owned()],
            allow_methods: ["GET", "POST", "PUT", "DELETE", "OPTIONS"].map(str::to_owned).to_vec(),
            allow_headers: vec!["*".to_owned()],
            allow_credentials: false,
            expose_headers: Vec::new(),
            max_age: 600,
        }
    }
}

/// Why cross-origin settings are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsError {
    /// Every page in the world could act as the person who is signed in.
    #[error("`allow_origins` of `*` together with `allow_credentials`")]
    WildcardWithCredentials,
    /// Not a scheme and a host.
    #[error("`{0}` is not an origin such as `https://shop.example`")]
    Origin(String),
    /// Not a method or a header name.
    #[error("`{0}` is not a method or a header name")]
    Name(String),
}

/// Checked cross-origin settings: answers preflights, and adds headers to answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Cors {
    settings: CorsSettings,
    any_origin: bool,
    any_method: bool,
    any_header: bool,
    exposed: String,
}

type Pair = (Cow<'static, str>, Cow<'static, str>);

/// Request headers that need no permission.
const SIMPLE_HEADERS: [&str; 4] = ["accept", "accept-language", "content-language", "content-type"];

/// Methods that `*` stands for.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl Cors {
    /// Checks the settings.
    ///
    /// # Errors
    /// See [`CorsError`].
    pub fn new(settings: CorsSettings) -> Result<Self, CorsError> {
        let has_star = |list: &[String]| list.iter().any(|entry| entry == "*");
        let any_origin = has_star(&settings.allow_origins);
        if any_origin && settings.allow_credentials {
            return Err(CorsError::WildcardWithCredentials);
        }
        for origin in &settings.allow_origins {
            let host = origin.split_once("://").map(|(_, host)| host);
            let fine = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']));
            if origin != "*" && origin != "null" && !fine {
                return Err(CorsError::Origin(origin.clone()));
            }
        }
        let names = [&settings.allow_methods, &settings.allow_headers, &settings.expose_headers];
        for name in names.into_iter().flatten() {
            check_header(name, "").map_err(|_| CorsError::Name(name.clone()))?;
        }
        let (any_method, any_header) =
            (has_star(&settings.allow_methods), has_star(&settings.allow_headers));
        let exposed = settings.expose_headers.join(", ");
        Ok(Self { settings, any_origin, any_method, any_header, exposed })
    }

    /// Whether a request is a preflight: a browser asking whether it may send another.
    #[must_use]
    pub fn is_preflight(method: &str, headers: Headers<'_>) -> bool {
        method == "OPTIONS"
            && headers.get("origin").is_some()
            && headers.get("access-control-request-method").is_some()
    }

    /// The answer to a preflight: 200, or 400 naming what is not allowed.
    #[must_use]
    pub fn preflight(&self, headers: Headers<'_>) -> Reply {
        let mut wrong = Vec::new();
        let origin = headers.get_text("origin").unwrap_or_default();
        let mut pairs: Vec<Pair> = vec![("vary".into(), "Origin".into())];
        match self.allowed_origin(origin) {
            Some(allowed) => pairs.push(("access-control-allow-origin".into(), allowed)),
            None => wrong.push("origin"),
        }
        let method = headers.get_text("access-control-request-method").unwrap_or_default();
        let listed = self.settings.allow_methods.iter().any(|own| own == method);
        if !(listed || self.any_method && METHODS.contains(&method)) {
            wrong.push("method");
        }
        let asked = headers.get_text("access-control-request-headers").unwrap_or_default();
        let fine = |name: &str| {
            check_header(name, "").is_ok() && (self.any_header || self.allows_header(name))
        };
        if !asked.split(',').map(str::trim).filter(|name| !name.is_empty()).all(fine) {
            wrong.push("headers");
        }
        if !wrong.is_empty() {
            // Without the headers that allow, so that no browser reads a refusal as a yes.
            let mut reply = Reply::new(400, format!("Disallowed CORS: {}", wrong.join(", ")));
            reply.headers.push(("vary".into(), "Origin".into()));
            return reply;
        }
        let methods = if self.any_method {
            METHODS.join(", ")
        } else {
            self.settings.allow_methods.join(", ")
        };
        pairs.push(("access-control-allow-methods".into(), methods.into()));
        pairs.push(("access-control-max-age".into(), self.settings.max_age.to_string().into()));
        let headers = if self.any_header {
            asked.to_owned()
        } else {
            let mut names: Vec<&str> = SIMPLE_HEADERS.to_vec();
            names.extend(self.settings.allow_headers.iter().map(String::as_str));
            names.join(", ")
        };
        if !headers.is_empty() {
            pairs.push(("access-control-allow-headers".into(), headers.into()));
        }
        if self.settings.allow_credentials {
            pairs.push(("access-control-allow-credentials".into(), "true".into()));
        }
        let mut reply = Reply::new(200, "OK");
        reply.headers = pairs;
        reply
    }

    /// What the answer to a request from a page carries.
    #[must_use]
    pub fn answer_headers(&self, origin: Option<&str>) -> Vec<Pair> {
        let Some(origin) = origin else { return Vec::new() };
        let mut pairs: Vec<Pair> = Vec::with_capacity(4);
        if !self.any_origin {
            pairs.push(("vary".into(), "Origin".into()));
        }
        let Some(allowed) = self.allowed_origin(origin) else { return pairs };
        pairs.push(("access-control-allow-origin".into(), allowed));
        if self.settings.allow_credentials {
            pairs.push(("access-control-allow-credentials".into(), "true".into()));
        }
        if !self.exposed.is_empty() {
            pairs.push(("access-control-expose-headers".into(), self.exposed.clone().into()));
        }
        pairs
    }

    fn allowed_origin(&self, origin: &str) -> Option<Cow<'static, str>> {
        if origin.is_empty() {
            return None;
        }
        if self.any_origin {
            return Some(Cow::Borrowed("*"));
        }
        let listed = self.settings.allow_origins.iter().find(|own| own.as_str() == origin);
        listed.map(|own| Cow::Owned(own.clone()))
    }

    fn allows_header(&self, name: &str) -> bool {
        let own = self.settings.allow_headers.iter().map(String::as_str);
        own.chain(SIMPLE_HEADERS).any(|own| own.eq_ignore_ascii_case(name))
    }
}

use anyhow::{Context, bail};
use http::HeaderValue;

/// Whose pages may ask the SysScore API: `CORS_ORIGINS` of its documents. Any, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum AllowedOrigins {
    /// Those of any site.
    #[default]
    Any,
    /// These, as browsers send them.
    Listed(Vec<HeaderValue>),
}

const ORIGINS_MAX: usize = 1000;

impl AllowedOrigins {
    /// Reads a JSON list of origins, as in `["https://soc.example.com"]`; `"*"` among them is any.
    ///
    /// # Errors
    /// Where it is none, or names what no browser sends as an origin.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let listed: Vec<String> = serde_json::from_str(text).ok().context(
            "CORS_ORIGINS: expected a JSON list of origins, as in [\"https://soc.example.com\"]",
        )?;
        if listed.len() > ORIGINS_MAX {
            bail!("CORS_ORIGINS: more than {ORIGINS_MAX} origins");
        }
        if listed.iter().any(|origin| origin == "*") {
            return Ok(Self::Any);
        }
        let origins = listed.iter().map(|origin| {
            let header = is_origin(origin).then(|| HeaderValue::try_from(origin.as_str()).ok());
            header.flatten().with_context(|| {
                format!("CORS_ORIGINS: `{origin}` is no origin: a scheme, a host, perhaps a port")
            })
        });
        Ok(Self::Listed(origins.collect::<anyhow::Result<_>>()?))
    }

    /// What stands in `Access-Control-Allow-Origin` for a page of this origin; none where it may not ask.
    pub(super) fn answer(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(origins) => origins.iter().find(|listed| *listed == origin).cloned(),
        }
    }

    /// Whether the answer depends on who asks, which caches must know.
    pub(super) const fn depends_on_origin(&self) -> bool {
        matches!(self, Self::Listed(_))
    }
}

/// The form in which browsers send it (RFC 6454 §6.2): no path, no slash at the end, no capitals.
fn is_origin(text: &str) -> bool {
    let Ok(address) = text.parse::<http::Uri>() else { return false };
    let is_whole = address.scheme().is_some() && address.authority().is_some();
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let has_more = rest.contains(['/', '?', '#', '@']);
    is_whole && !has_more && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_nothing_is_guessed() {
        let listed = |origins: &[&'static str]| {
            let origins = origins.iter().map(|origin| HeaderValue::from_static(origin));
            Some(AllowedOrigins::Listed(origins.collect()))
        };
        check(r#"["*"]"#, Some(AllowedOrigins::Any));
        check(r#"["https://a.example", "*"]"#, Some(AllowedOrigins::Any));
        check("[]", listed(&[]));
        let two = ["https://a.example", "http://localhost:5173"];
        check(r#"["https://a.example", "http://localhost:5173"]"#, listed(&two));
        for wrong in [
            "https://a.example",
            "*",
            "",
            "[1]",
            r#"["a.example"]"#,
            r#"["https://a.example/"]"#,
            r#"["https://a.example/path"]"#,
            r#"["https://A.example"]"#,
            r#"["https://u@a.example"]"#,
            r#"["null"]"#,
            r#"["https://a.example\n"]"#,
        ] {
            check(wrong, None);
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Option<AllowedOrigins>) {
        assert_eq!(AllowedOrigins::read(text).ok(), expected, "{text}");
    }
}

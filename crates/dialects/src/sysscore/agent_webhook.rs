use crate::validation::{Fault, Json, Place, Refusals};

/// The webhook that the metadata of a registration names.
///
/// The original's documents point to the metadata for it and give no field name; these are read:
/// `webhook_url`, a text, or `webhook`, a text or `{"url": …, "threshold": …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentWebhook {
    /// Where to post.
    pub url: Box<str>,
    /// The risk, 0 to 100, from which its processes are told of; none: as for all.
    pub threshold: Option<f64>,
}

const URL_FIELD: &str = "webhook_url";
const WEBHOOK_FIELD: &str = "webhook";
const URL_CHARS_MAX: usize = 2048;
const THRESHOLD_MAX: f64 = 100.0;

impl AgentWebhook {
    /// Reads it from the JSON text of the metadata; none where no webhook is named there.
    ///
    /// # Errors
    /// Where the fields are there and hold something else: the body of a 422.
    pub fn read(metadata: &str) -> Result<Option<Self>, Refusals> {
        let json = Json::read(metadata.as_bytes()).map_err(|error| Refusals::of_syntax(&error))?;
        let body = Place::of("body");
        let place = body.field("metadata");
        let mut refusals = Refusals::default();
        let Some(model) = refusals.check(&place, json, json.model()) else {
            return Err(refusals);
        };
        let found = match model.given(WEBHOOK_FIELD) {
            Some(webhook) => {
                let place = place.field(WEBHOOK_FIELD);
                match webhook.model() {
                    Ok(inner) => {
                        let url = refusals.required(&place, webhook, &inner, "url", url);
                        let threshold = refusals.optional(&place, &inner, "threshold", threshold);
                        url.map(|url| Self { url, threshold })
                    }
                    Err(_) => refusals
                        .check(&place, webhook, url(webhook))
                        .map(|url| Self { url, threshold: None }),
                }
            }
            None => refusals
                .optional(&place, &model, URL_FIELD, url)
                .map(|url| Self { url, threshold: None }),
        };
        if refusals.is_empty() { Ok(found) } else { Err(refusals) }
    }

    /// The body of a 422 where the address is none that can be posted to.
    pub fn refusal(&self, why: &str) -> Refusals {
        let mut refusals = Refusals::default();
        let fault = Fault::with_reason("url_parsing", "Input should be a valid URL", why);
        let body = Place::of("body");
        let place = body.field("metadata");
        // The address may hold credentials: it is not repeated.
        refusals.push(&place.field(URL_FIELD), &fault, "null");
        refusals
    }
}

fn url(json: Json<'_>) -> Result<Box<str>, Fault> {
    let text = json.text()?;
    if text.chars().nth(URL_CHARS_MAX).is_some() {
        return Err(Fault::too_long(URL_CHARS_MAX));
    }
    Ok(text.into())
}

fn threshold(json: Json<'_>) -> Result<f64, Fault> {
    let number = json.number()?;
    if number < 0.0 {
        return Err(Fault::below(0.0));
    }
    // Not a number is above nothing and below nothing.
    if number <= THRESHOLD_MAX { Ok(number) } else { Err(Fault::above(THRESHOLD_MAX)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_is_read() {
        let url = "https://example.com/hook";
        check("{}", None);
        check(r#"{"webhook_url": null, "webhook": null}"#, None);
        check(&format!(r#"{{"webhook_url": "{url}"}}"#), Some((url, None)));
        check(&format!(r#"{{"webhook": "{url}"}}"#), Some((url, None)));
        check(&format!(r#"{{"webhook": {{"url": "{url}"}}}}"#), Some((url, None)));
        check(
            &format!(r#"{{"webhook": {{"url": "{url}", "threshold": 50}}, "webhook_url": "x"}}"#),
            Some((url, Some(50.0))),
        );
    }

    #[track_caller]
    fn check(metadata: &str, expected: Option<(&str, Option<f64>)>) {
        let expected = expected.map(|(url, threshold)| AgentWebhook { url: url.into(), threshold });
        assert_eq!(AgentWebhook::read(metadata).expect("fine"), expected, "{metadata}");
    }

    #[test]
    fn what_is_something_else_is_refused_in_its_place() {
        for (metadata, place) in [
            (r#"{"webhook_url": 5}"#, r#"["body","metadata","webhook_url"]"#),
            (r#"{"webhook": []}"#, r#"["body","metadata","webhook"]"#),
            (r#"{"webhook": {}}"#, r#"["body","metadata","webhook","url"]"#),
            (
                r#"{"webhook": {"url": "https://x", "threshold": 101}}"#,
                r#"["body","metadata","webhook","threshold"]"#,
            ),
            (
                r#"{"webhook": {"url": "https://x", "threshold": -1}}"#,
                r#"["body","metadata","webhook","threshold"]"#,
            ),
        ] {
            let body = AgentWebhook::read(metadata).expect_err("refused").to_body();
            assert!(body.contains(place), "{body}");
        }
    }
}

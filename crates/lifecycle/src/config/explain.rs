use super::{Loaded, Section};
use toml::{Table, Value};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The default.
    Default,
    /// This line of the file.
    File {
        /// The line, from 1.
        line: usize,
    },
    /// Something outside the file, as in `--data-dir`.
    Override(String),
}

/// A field, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The section's dotted name.
    pub section: &'static str,
    /// What the section is about.
    pub about: String,
    /// The field's name in its section.
    pub field: &'static str,
    /// What it does.
    pub doc: String,
    /// Its value, in the notation of TOML; none where it is not set.
    pub value: Option<String>,
    /// Its default, in the notation of TOML; none where it has none.
    pub default: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Explains the fields of one section of a configuration.
///
/// # Errors
/// Where a value has no notation in TOML.
pub fn explain<T, S: Section>(
    loaded: &Loaded<T>,
    section: &S,
) -> Result<Vec<Explained>, toml::ser::Error> {
    let values = Table::try_from(section)?;
    let defaults = Table::try_from(S::default())?;
    let fields = S::fields();
    Ok(fields
        .into_iter()
        .map(|field| Explained {
            section: S::NAME,
            about: paragraph(S::ABOUT),
            field: field.name,
            doc: paragraph(field.doc),
            value: values.get(field.name).map(Value::to_string),
            default: defaults.get(field.name).map(Value::to_string),
            origin: loaded
                .origins
                .get(&format!("{}.{}", S::NAME, field.name))
                .cloned()
                .unwrap_or(Origin::Default),
        })
        .collect())
}

/// The lines of a doc comment as one text, a line feed between its paragraphs.
fn paragraph(doc: &str) -> String {
    let paragraphs: Vec<String> = doc
        .split("\n\n")
        .map(|lines| lines.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    paragraphs.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::config_section;
    use serde::{Deserialize, Serialize};
    use std::net::SocketAddr;

    config_section! {
        /// Where it listens.
        pub(super) struct Listen in "server.listen" {
            /// Address and port. Default: the loopback
            /// address.
            ///
            /// Second paragraph.
            pub address: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 7400)),
            /// Who.
            pub names: Vec<String> = vec!["a".to_owned()],
            /// Maybe.
            pub limit: Option<u32> = None,
        }
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Server {
        listen: Listen,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        server: Server,
    }

    #[test]
    fn fields_are_explained_with_their_origin() {
        let mut loaded =
            parse::<Config>("c.toml", "# x\n[server.listen]\nnames = [\"b\"]\n").unwrap();
        loaded.overridden("server.listen.limit", "--limit");
        loaded.value.server.listen.limit = Some(3);
        let fields = explain(&loaded, &loaded.value.server.listen).unwrap();
        let row = |index: usize| {
            let field: &Explained = &fields[index];
            (field.value.as_deref(), field.default.as_deref(), field.origin.clone())
        };
        let address = Some("\"127.0.0.1:7400\"");
        assert_eq!(row(0), (address, address, Origin::Default));
        assert_eq!(row(1), (Some("[\"b\"]"), Some("[\"a\"]"), Origin::File { line: 3 }));
        assert_eq!(row(2), (Some("3"), None, Origin::Override("--limit".to_owned())));
        assert_eq!(
            fields[0].doc,
            "Address and port. Default: the loopback address.\nSecond paragraph."
        );
        assert_eq!(fields[0].about, "Where it listens.");
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        check("[server.lisen]\n", "1:9: unknown field `lisen`", Some("did you mean `listen`?"));
        check("nonsense = 1\n", "1:1: unknown field `nonsense`", Some("known here: server"));
        check(
            "[server.listen]\naddress = \"localhost\"\n",
            "2:11: not an address and a port",
            Some("as in \"127.0.0.1:7400\" or \"[::1]:7400\""),
        );
        check(
            "[server.listen]\n  limit = \"é\"\n",
            "2:11: invalid type: string \"é\", expected a whole number of 0 or more",
            None,
        );
        check(
            "[server.listen]\nnames = true",
            "2:9: invalid type: boolean `true`, expected a list",
            None,
        );
    }

    #[track_caller]
    fn check(text: &str, message: &str, hint: Option<&str>) {
        let error = parse::<Config>("c.toml", text).unwrap_err();
        assert_eq!(error.to_string(), format!("c.toml:{message}"));
        assert_eq!(error.hint.as_deref(), hint);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,200}") {
            drop(parse::<Config>("c.toml", &text));
        }
    }
}

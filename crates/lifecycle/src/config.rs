//! One TOML file, one struct: read strictly, explained field by field.
//!
//! A program describes its sections with [`config_section!`](crate::config_section); each field's
//! doc comment is its reference, and its value there the default. The file may leave out whatever
//! it does not change.
//!
//! ```
//! use ringwall_lifecycle::{config, config_section};
//! use serde::{Deserialize, Serialize};
//!
//! config_section! {
//!     /// What the kettle does.
//!     pub struct Kettle in "kettle" {
//!         /// When to stop, in degrees Celsius.
//!         pub stop_at: u32 = 100,
//!     }
//! }
//!
//! #[derive(Debug, Default, Serialize, Deserialize)]
//! #[serde(deny_unknown_fields, default)]
//! struct Config { kettle: Kettle }
//!
//! let error = config::parse::<Config>("k.toml", "[kettle]\nstopat = 90\n").unwrap_err();
//! assert_eq!(error.to_string(), "k.toml:2:1: unknown field `stopat`");
//! assert_eq!(error.hint.unwrap(), "did you mean `stop_at`?");
//! ```

mod error;
mod explain;
mod section;

pub use error::ConfigError;
pub use explain::{Explained, Origin, explain};
pub use section::{FieldDoc, Section};

use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How long a file can be, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;

/// A configuration and where its values come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded<T> {
    /// The values.
    pub value: T,
    /// The file, where there was one.
    pub path: Option<PathBuf>,
    /// Where each field that is not at its default was set, by its dotted name.
    pub origins: BTreeMap<String, Origin>,
}

impl<T> Loaded<T> {
    /// Notes that something outside the file decided a field, as in `--data-dir`.
    pub fn overridden(&mut self, field: &str, by: &str) {
        self.origins.insert(field.to_owned(), Origin::Override(by.to_owned()));
    }

    /// An error about a field, at the place where it was set.
    pub fn error(&self, field: &str, message: impl AsRef<str>) -> ConfigError {
        let place = match (self.origins.get(field), &self.path) {
            (Some(Origin::File { line }), Some(path)) => format!("{}:{line}", path.display()),
            (Some(Origin::Override(by)), _) => by.clone(),
            _ => "configuration".to_owned(),
        };
        ConfigError { message: format!("{place}: {field}: {}", message.as_ref()), hint: None }
    }
}

/// Reads a file.
///
/// # Errors
/// Where it cannot be read, or is not what `T` knows; with the line and column.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Loaded<T>, ConfigError> {
    let place = path.display().to_string();
    let failed = |why: String| ConfigError { message: format!("{place}: {why}"), hint: None };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(failed(format!("more than {BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("not UTF-8".to_owned()))?;
    let mut loaded = parse(&place, &text)?;
    loaded.path = Some(path.to_owned());
    Ok(loaded)
}

/// Reads a text; `place` is what errors call it.
///
/// # Errors
/// Where it is not what `T` knows; with the line and column.
pub fn parse<T: DeserializeOwned>(place: &str, text: &str) -> Result<Loaded<T>, ConfigError> {
    let value = toml::from_str(text).map_err(|error| ConfigError::of_toml(place, text, &error))?;
    let mut origins = BTreeMap::new();
    let table = toml::de::DeTable::parse(text)
        .map_err(|error| ConfigError::of_toml(place, text, &error))?;
    collect_origins("", table.get_ref(), text, &mut origins);
    Ok(Loaded { value, path: None, origins })
}

fn collect_origins(
    prefix: &str,
    table: &toml::de::DeTable<'_>,
    text: &str,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            toml::de::DeValue::Table(table) => {
                collect_origins(&format!("{name}."), table, text, origins);
            }
            _ => {
                let (line, _) = error::line_and_column(text, key.span().start);
                origins.insert(name, Origin::File { line });
            }
        }
    }
}

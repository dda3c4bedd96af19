//! [`Source`] as the one text `dialect:name`, for `#[serde(with = …)]`.

use ringwall_event::Source;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
}

fn parse<E: serde::de::Error>(text: &str) -> Result<Source, E> {
    Source::parse(text)
        .ok_or_else(|| E::custom(format!("not of the form `dialect:name`: `{}`", shortened(text))))
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The same where it may be missing.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serializer, Source, parse};

    pub(crate) fn serialize<S: Serializer>(
        source: &Option<Source>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match source {
            Some(source) => serializer.collect_str(source),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Source>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| parse(&text)).transpose()
    }
}

/// A list of them.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Serializer, Source, parse};

    pub(crate) fn serialize<S: Serializer>(
        sources: &[Source],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(sources.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Source>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| parse(text)).collect()
    }
}

/// A list of them that may be missing.
pub(crate) mod optional_list {
    use super::{Deserializer, Serializer, Source, list};

    pub(crate) fn serialize<S: Serializer>(
        sources: &Option<Vec<Source>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match sources {
            Some(sources) => list::serialize(sources, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<Source>>, D::Error> {
        list::deserialize(deserializer).map(Some)
    }
}

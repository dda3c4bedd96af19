//! Where in a request a value stood, and what is looked for there.

use super::category::{Category, CategorySet};
use super::scanners::names_header;
use super::text::contains_ignoring_case;
use std::fmt;

/// Where a value stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place<'a> {
    /// The path, as on the wire.
    Path,
    /// The name of a query parameter.
    QueryName,
    /// The value of the query parameter of this name, decoded or as on the wire.
    QueryParameter(&'a str),
    /// The value of the header of this name.
    Header(&'a str),
    /// The name of a field of a form, or a key of a JSON object.
    BodyName,
    /// The value of a field of a form or of a JSON object; the name is the path to it.
    BodyField(&'a str),
    /// A body, or a piece of one, that has no fields.
    Body,
    /// The name under which a file is uploaded, in the field of this name.
    FileName(&'a str),
    /// The content of an uploaded file, in the field of this name.
    FileContent(&'a str),
}

/// Headers that hold addresses and links of the client's own side.
const ADDRESS_HEADERS: [&str; 17] = [
    "host",
    "origin",
    "referer",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-server",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-original-host",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
];

impl<'a> Place<'a> {
    /// The categories that are not looked for here.
    #[must_use]
    pub fn excluded(self) -> CategorySet {
        const IN_HEADERS: CategorySet = CategorySet::of(&[
            Category::SensitiveFile,
            Category::CmsProbing,
            Category::Reconnaissance,
        ]);
        const IN_PATH: CategorySet =
            CategorySet::of(&[Category::CommandInjection, Category::FileUpload]);
        const ADDRESSES: CategorySet = CategorySet::of(&[Category::ServerSideRequest]);
        // A file may be about anything; what counts is whether something would execute it.
        const IN_FILES: CategorySet = CategorySet::of(&[
            Category::SqlInjection,
            Category::DirectoryTraversal,
            Category::PathTraversal,
            Category::CommandInjection,
            Category::FileInclusion,
            Category::Ldap,
            Category::ServerSideRequest,
            Category::NoSql,
            Category::Template,
            Category::HttpSplitting,
            Category::SensitiveFile,
            Category::CmsProbing,
            Category::Reconnaissance,
            Category::PrototypePollution,
        ]);
        match self {
            Self::Path => IN_PATH,
            // There programs say what they are.
            Self::Header(name) if name.eq_ignore_ascii_case("user-agent") => {
                CategorySet::of(&[Category::SensitiveFile, Category::CmsProbing])
            }
            // There the name itself is what was looked for.
            Self::Header(name) if names_header(name) => {
                CategorySet::of(&[Category::SensitiveFile, Category::CmsProbing])
            }
            Self::Header(name) => {
                if ADDRESS_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    IN_HEADERS.union(ADDRESSES)
                } else {
                    IN_HEADERS
                }
            }
            Self::FileContent(_) => IN_FILES,
            _ => CategorySet::EMPTY,
        }
    }

    /// Whether `+` may stand for a space here.
    pub(crate) fn has_plus_for_space(self) -> bool {
        matches!(self, Self::QueryName | Self::QueryParameter(_) | Self::BodyName)
    }

    /// Whether the value is the name of something.
    pub(crate) fn is_name(self) -> bool {
        matches!(self, Self::QueryName | Self::BodyName)
    }

    /// Whether people write prose here, with line breaks, quotes and code in backticks.
    pub(crate) fn is_body(self) -> bool {
        matches!(self, Self::BodyField(_) | Self::Body)
    }

    /// The name of the parameter, header or field; empty where there is none.
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::QueryParameter(name)
            | Self::Header(name)
            | Self::BodyField(name)
            | Self::FileName(name)
            | Self::FileContent(name) => name,
            Self::Path | Self::QueryName | Self::BodyName | Self::Body => "",
        }
    }

    /// Whether the name of the place, or the last part of the path to it, is one of these.
    pub(crate) fn is_named(self, names: &[&str]) -> bool {
        let name = self.name();
        let name = name.rsplit('.').next().unwrap_or(name);
        names.iter().any(|one| name.eq_ignore_ascii_case(one))
    }

    /// Whether the name of the place is one that back doors have for the command to run.
    pub(crate) fn asks_for_command(self) -> bool {
        matches!(self, Self::QueryParameter(_) | Self::BodyField(_))
            && self.is_named(&["cmd", "exec", "command", "execute", "shell", "run"])
    }

    /// Whether the last part of the name says that code is written here: `code`, `sourceCode`, `snippet`. Other codes,
    /// as `zip_code` and `promo-code`, and other names with these letters, as `description`, are none.
    pub(crate) fn is_for_code(self) -> bool {
        const WHOLE: [&str; 7] =
            ["snippet", "snippets", "example", "examples", "script", "scripts", "sourcecode"];
        const OF_CODE: [&str; 14] = [
            "source",
            "program",
            "sample",
            "snippet",
            "example",
            "block",
            "editor",
            "html",
            "css",
            "js",
            "javascript",
            "python",
            "java",
            "sql",
        ];
        let name = self.name().trim_end_matches(']');
        let last = name.rsplit(['.', '[', ':']).next().unwrap_or(name);
        if last.eq_ignore_ascii_case("code") {
            return true;
        }
        let is_any =
            |word: &str, words: &[&str]| words.iter().any(|one| word.eq_ignore_ascii_case(one));
        let says_code = words_of(last).any(|word| word.eq_ignore_ascii_case("code"));
        words_of(last).any(|word| is_any(word, &WHOLE) || says_code && is_any(word, &OF_CODE))
    }

    /// Whether the name of the place holds one of these words.
    pub(crate) fn is_named_like(self, words: &[&str]) -> bool {
        let name = self.name().as_bytes();
        words.iter().any(|word| contains_ignoring_case(name, word.as_bytes()))
    }
}

/// The words of a name, which `_`, `-` or a capital letter behind a small one part.
fn words_of(name: &str) -> impl Iterator<Item = &str> {
    name.split(['_', '-', ' ']).flat_map(|piece| {
        let mut rest = piece;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let bytes = rest.as_bytes();
            let capital = bytes.iter().zip(bytes.iter().skip(1)).position(|(before, after)| {
                before.is_ascii_lowercase() && after.is_ascii_uppercase()
            });
            let (word, behind) = rest.split_at(capital.map_or(rest.len(), |before| before + 1));
            rest = behind;
            Some(word)
        })
    })
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => formatter.write_str("url_path"),
            Self::QueryName => formatter.write_str("query_param"),
            Self::QueryParameter(name) => write!(formatter, "query_param:{name}"),
            Self::Header(name) => write!(formatter, "header:{name}"),
            Self::BodyName | Self::Body => formatter.write_str("request_body"),
            Self::BodyField(name) => write!(formatter, "request_body:{name}"),
            Self::FileName(name) => write!(formatter, "file_name:{name}"),
            Self::FileContent(name) => write!(formatter, "file_content:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_for_code_are_told_by_whole_words() {
        for name in [
            "code",
            "Code",
            "post.code",
            "post[code]",
            "source_code",
            "sourceCode",
            "code-snippet",
            "codeSnippet",
            "snippet",
            "usage.example",
            "postScript",
            "build_scripts",
        ] {
            assert!(Place::BodyField(name).is_for_code(), "{name}");
        }
        for name in [
            "",
            "description",
            "subscription",
            "transcript",
            "country_code",
            "zipCode",
            "promo_code",
            "barcode",
            "code_of_conduct",
            "code.description",
            "example.com.name",
            "examplesque",
        ] {
            assert!(!Place::BodyField(name).is_for_code(), "{name}");
        }
    }
}

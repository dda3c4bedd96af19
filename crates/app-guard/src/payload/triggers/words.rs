//! Which words say that a check could find anything.
//!
//! Lower case. Bytes above ASCII are written as the character of that number.

mod code;
mod markup;
mod paths;
mod queries;
mod serialized;
mod shell;
mod sql;
mod urls;
mod xml;

use super::{
    CODE, COMMENT, LDAP, LINE_BREAK, LOOKUP, MARKUP, NOSQL, PATH, PROBE, PROTOTYPE, SCANNER,
    SERIALIZED, SHELL, SQL, SQL_WORD, Seen, TEMPLATE, UPLOAD, URL, VARIABLE, XML,
};

/// Each meaning with its words; a word may have several meanings.
pub(super) const WORDS: &[(Seen, &[&str])] = &[
    (SQL_WORD, sql::IN_PROSE),
    (SQL, sql::WORDS),
    (MARKUP, markup::WORDS),
    (SHELL, shell::WORDS),
    (PATH, paths::PARTS),
    (URL, urls::WORDS),
    (NOSQL, queries::DOCUMENT_STORES),
    (LDAP, queries::LDAP),
    (XML, xml::WORDS),
    (TEMPLATE, code::TEMPLATES),
    (PROTOTYPE, code::PROTOTYPES),
    (CODE, code::CALLS),
    (SERIALIZED, serialized::MARKS),
    (UPLOAD, paths::UPLOADED),
    (PROBE, paths::PROBED),
    (SCANNER, crate::payload::scanners::NAMES),
    // A whole request line needs no line break before it.
    (LINE_BREAK, &[" http/1.", " http/2", " http/3", "\\r\\n"]),
    (LOOKUP, &["${"]),
    (COMMENT, &["/*"]),
    (VARIABLE, &["$"]),
];

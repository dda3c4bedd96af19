//! Operators of document stores, and names that reach the prototype of all objects.

use super::category::Category::{NoSql, PrototypePollution};
use super::scan::{Scan, View};
use super::text::{
    at, contains, find, is_space, is_word, places_of, skip, skip_spaces, slice, trim, words_up_to,
};

/// Operators of MongoDB's language that change what a query finds or runs.
const OPERATORS: [&[u8]; 33] = [
    b"ne",
    b"gt",
    b"gte",
    b"lt",
    b"lte",
    b"in",
    b"nin",
    b"or",
    b"and",
    b"not",
    b"nor",
    b"where",
    b"regex",
    b"exists",
    b"expr",
    b"function",
    b"accumulator",
    b"eq",
    b"elemmatch",
    b"all",
    b"size",
    b"mod",
    b"type",
    b"lookup",
    b"out",
    b"merge",
    b"unionwith",
    b"options",
    b"func",
    b"jsonschema",
    b"set",
    b"unset",
    b"push",
];

/// Looks for operators as names, and for script that a store runs.
pub(crate) fn check_operators(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    scan.walked(text.len().saturating_mul(2));
    if scan.place.is_name() {
        let bare = trim(text);
        let is_operator = bare.strip_prefix(b"$").is_some_and(is_operator_name);
        if is_operator
            && !matches!(
                bare,
                b"$type" | b"$set" | b"$all" | b"$size" | b"$options" | b"$out" | b"$text"
            )
        {
            hit(scan, view, 0, "nosql_key", "a name that is an operator of a document store");
        } else if is_operator {
            scan.hit(
                view,
                0,
                (NoSql, 0.5),
                "nosql_key",
                "a name that is an operator of a document store",
            );
        }
    }
    for start in memchr::memchr_iter(b'$', text) {
        let end = skip(slice(text, 0, start + 24), start + 1, is_word);
        if !is_operator_name(slice(text, start + 1, end)) {
            continue;
        }
        if is_key(text, start, end) {
            hit(scan, view, start, "nosql_operator", "an operator of a document store as a key");
            return;
        }
    }
    script(scan, view);
    if !scan.place.is_body() {
        commands(scan, view);
    }
    if scan.place.is_name() && looks_into_secret(text) {
        hit(scan, view, 0, "nosql_lookup", "a lookup that tells a secret letter by letter");
    }
}

/// `password__startswith`: object mappers take the names of their lookups from names of parameters.
fn looks_into_secret(text: &[u8]) -> bool {
    let Some(start) = find(text, b"__") else { return false };
    let field = text.rsplit(|&byte| byte == b'_').next().unwrap_or_default();
    let compares = matches!(
        field,
        b"startswith"
            | b"istartswith"
            | b"endswith"
            | b"iendswith"
            | b"contains"
            | b"icontains"
            | b"regex"
            | b"iregex"
            | b"gt"
            | b"lt"
            | b"gte"
            | b"lte"
    );
    let names = [&b"password"[..], b"passwd", b"secret", b"token", b"hash", b"api_key"];
    compares && start > 0 && names.iter().any(|name| contains(text, name))
}

/// A line break, and behind it a command of Redis or a piece of its protocol.
fn commands(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for start in memchr::memchr_iter(b'\n', text) {
        let line = slice(text, start + 1, start + 65);
        let end = line.iter().position(|&byte| matches!(byte, b'\r' | b'\n'));
        let line = slice(line, 0, end.unwrap_or(line.len()));
        scan.walked(line.len());
        let digits = skip(line, 1, |byte| byte.is_ascii_digit());
        let is_length = matches!(at(line, 0), b'$' | b'*') && digits > 1 && digits == line.len();
        let mut words = line.split(|&byte| byte == b' ');
        let verb = words.next().unwrap_or_default();
        let arguments = words.count();
        let is_command = match verb {
            b"flushall" | b"flushdb" | b"bgsave" | b"bgrewriteaof" => arguments <= 1,
            b"slaveof" | b"replicaof" | b"migrate" => arguments >= 2,
            b"config" => line.starts_with(b"config set ") || line.starts_with(b"config get "),
            b"module" => line.starts_with(b"module load "),
            b"eval" => contains(line, b"redis.call"),
            b"set" | b"setex" | b"getset" | b"hset" | b"lpush" | b"rpush" | b"sadd" => {
                arguments >= 2 && end.is_some()
            }
            _ => false,
        };
        if is_length || is_command {
            hit(
                scan,
                view,
                start,
                "nosql_command",
                "a line break with a command of Redis behind it",
            );
            return;
        }
    }
}

fn is_operator_name(name: &[u8]) -> bool {
    OPERATORS.contains(&name)
}

/// `{"$ne":`, `{$ne:`, `[$ne]`, `.$where`
fn is_key(text: &[u8], start: usize, end: usize) -> bool {
    let quote = |byte: u8| matches!(byte, b'"' | b'\'' | b'\\');
    let before = {
        let window = slice(text, start.saturating_sub(8), start);
        window.iter().rev().copied().find(|&byte| !is_space(byte) && !quote(byte))
    };
    let after = skip(slice(text, 0, end + 8), end, |byte| {
        is_space(byte) || matches!(byte, b'"' | b'\'' | b'\\')
    });
    match (before, at(text, after)) {
        (Some(b'['), b']') => true,
        (Some(b'{' | b','), b':') => true,
        (None, b':') => matches!(
            slice(text, start + 1, end),
            b"where" | b"ne" | b"gt" | b"regex" | b"or" | b"nin"
        ),
        _ => false,
    }
}

/// Script of the store's own: `'; return true; var x='`, `' || 1==1//`, `this.password.match(…)`.
fn script(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let first_quote = memchr::memchr2(b'\'', b'"', text).unwrap_or(text.len());
    let returns = places_of(text, b"return").any(|start| {
        let before = slice(text, start.saturating_sub(4), start);
        let breaks = before
            .iter()
            .rev()
            .find(|byte| !is_space(**byte))
            .is_some_and(|byte| matches!(byte, b';' | b'{' | b'}'));
        let rest = slice(text, start + 6, start + 40);
        let quoted = first_quote < start;
        let value = skip(rest, 0, |byte| is_space(byte) || byte == b'(' || byte == b'!');
        let constant = [&b"true"[..], b"1", b"this.", b"'a'=='a", b"\"a\"==\"a"]
            .iter()
            .any(|word| slice(rest, value, rest.len()).starts_with(word));
        breaks
            && constant
            && (quoted
                || trim(text).starts_with(b"function")
                || trim(text).starts_with(b";")
                || trim(text).starts_with(b"}")
                || trim(text).starts_with(b"return"))
    });
    if returns {
        hit(scan, view, 0, "nosql_script", "script that makes every document match");
        return;
    }
    for part in [&b"while(true)"[..], b"while(1)", b";}while("] {
        if let Some(start) = find(text, part)
            && (first_quote < start
                || trim(text).starts_with(b"function")
                || memchr::memchr(b';', slice(text, 0, start)).is_some())
        {
            hit(scan, view, start, "nosql_script", "script that never ends");
            return;
        }
    }
    // `' || 'a'=='a`, `' && this.password`
    for start in memchr::memchr2_iter(b'\'', b'"', text) {
        let next = skip_spaces(slice(text, 0, start + 8), start + 1);
        let operator = slice(text, next, next + 2);
        if operator != b"||" && operator != b"&&" {
            continue;
        }
        let rest = slice(text, next + 2, next + 48);
        let rest = trim(rest);
        if rest.starts_with(b"this.")
            || (contains(slice(rest, 0, 16), b"==") && !contains(rest, b"("))
        {
            hit(scan, view, start, "nosql_script", "a condition of script behind a quote");
            return;
        }
    }
    for start in places_of(text, b"this.") {
        let end = skip(slice(text, 0, start + 64), start + 5, is_word);
        let rest = slice(text, end, end + 24);
        let is_match = rest.starts_with(b".match(/")
            || rest.starts_with(b".match('")
            || rest.starts_with(b"[0]") && contains(rest, b"==")
            || rest.starts_with(b".length==")
            || rest.starts_with(b".charat(")
            || rest.starts_with(b".startswith(");
        let name = slice(text, start + 5, end);
        if is_match
            && (contains(name, b"pass")
                || contains(name, b"user")
                || contains(name, b"token")
                || contains(name, b"name")
                || contains(name, b"secret"))
        {
            hit(scan, view, start, "nosql_script", "script that reads the fields of documents");
            return;
        }
    }
    for part in [
        &b"db.getcollection"[..],
        b"db.runcommand(",
        b"db.dropdatabase",
        b"db.injection.",
        b"mapreduce(",
        b"db.eval(",
    ] {
        if let Some(start) = find(text, part) {
            hit(scan, view, start, "nosql_script", "a command of a document store");
            return;
        }
    }
    // `') return 1 union match (n) …//` of graphs.
    if let Some(start) = find(text, b"match (")
        && (first_quote < start || trim(text).ends_with(b"//"))
        && (contains(text, b"return ") || contains(text, b"delete "))
    {
        hit(scan, view, start, "nosql_graph", "a query of a graph behind the value");
        return;
    }
    for part in [&b"db."[..]] {
        for start in places_of(text, part) {
            let end = skip(slice(text, 0, start + 64), start + 3, is_word);
            let verb = slice(text, end, end + 12);
            let before = start.checked_sub(1).map(|before| at(text, before));
            let broken = before.is_none_or(|byte| matches!(byte, b';' | b'\'' | b'"' | b'('));
            if end > start + 3
                && broken
                && [&b".find("[..], b".insert(", b".drop(", b".remove(", b".update(", b".delete"]
                    .iter()
                    .any(|name| verb.starts_with(name))
            {
                hit(scan, view, start, "nosql_script", "a command of a document store");
                return;
            }
        }
    }
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (NoSql, 1.0), name, words);
}

/// Looks for `__proto__` and `constructor.prototype` where they name something.
pub(crate) fn check_prototypes(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    scan.walked(text.len().saturating_mul(3));
    let mark = |scan: &mut Scan<'_>, start| {
        scan.hit(
            view,
            start,
            (PrototypePollution, 1.0),
            "prototype_name",
            "a name that reaches the prototype of all objects",
        );
    };
    // A filter that removes the word once leaves one behind: `__pro__proto__to__`.
    for name in [&b"__proto__"[..], b"__pro__proto__to__", b"__definegetter__", b"__lookupgetter__"]
    {
        for start in places_of(text, name) {
            let before = start.checked_sub(1).map_or(0, |before| at(text, before));
            let after = at(text, start + name.len());
            let accesses = matches!(after, b'.' | b'[' | b']' | b':')
                || matches!(before, b'[' | b'.' | b'{')
                || matches!((before, after), (b'"', b'"') | (b'\'', b'\''))
                || matches!(after, b'=');
            let is_all = trim(text) == name;
            if scan.place.is_name() || accesses || is_all || is_path_of_names(text) {
                mark(scan, start);
                return;
            }
        }
    }
    for start in places_of(text, b"object.prototype.") {
        let end = skip(slice(text, 0, start + 80), start + 17, is_word);
        let operator = skip_spaces(slice(text, 0, end + 4), end);
        let changes = at(text, operator) == b'=' && at(text, operator + 1) != b'=';
        // `Object.prototype.x = …` in prose has words before it.
        let is_statement = start == 0 && words_up_to(text, 4) < 4;
        if changes && (is_statement || !trim(text).contains(&b' ')) {
            mark(scan, start);
            return;
        }
    }
    for call in [&b"object.setprototypeof("[..], b"reflect.set(object.prototype"] {
        if let Some(start) = find(text, call)
            && words_up_to(text, 4) < 4
        {
            mark(scan, start);
            return;
        }
    }
    for start in places_of(text, b"prototype") {
        let before = slice(text, start.saturating_sub(24), start);
        let after = at(text, start + 9);
        let is_reached = [
            &b"constructor."[..],
            b"constructor[",
            b"constructor][",
            b"constructor['",
            b"constructor[\"",
            b"constructor']['",
            b"constructor\"][\"",
            b"constructor/",
        ]
        .iter()
        .any(|name| before.ends_with(name))
            || contains(before, b"constructor\"") && contains(before, b"{");
        // `Foo.prototype.constructor.prototype` in prose is not assigned.
        let assigns = scan.place.is_name()
            || matches!(after, b'.' | b'[' | b']' | b'"' | b'\'' | b'=' | b'/')
            || is_path_of_names(text);
        if is_reached && assigns {
            mark(scan, start);
            return;
        }
    }
}

fn is_path_of_names(text: &[u8]) -> bool {
    let text = trim(text);
    text.len() <= 128
        && text.iter().all(|&byte| is_word(byte) || matches!(byte, b'.' | b'[' | b']' | b'/'))
        && text.iter().any(|&byte| matches!(byte, b'.' | b'[' | b'/'))
}

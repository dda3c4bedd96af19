//! Expressions between the delimiters of template engines: those that compute or reach for objects, not
//! placeholders with names.

use super::category::Category::Template;
use super::scan::{Scan, View};
use super::text::{at, contains, is_space, is_word, places_of, skip, slice, trim};

/// The longest expression that is read, in bytes.
const EXPRESSION_MAX: usize = 256;

/// Delimiters, and whether what stands between them is a placeholder in so many languages that arithmetic alone
/// has to be of literals.
const DELIMITERS: [(&[u8], &[u8]); 18] = [
    (b"{{", b"}}"),
    (b"{%", b"%}"),
    (b"${", b"}"),
    (b"#{", b"}"),
    (b"<%", b"%>"),
    (b"*{", b"}"),
    (b"@{", b"}"),
    (b"~{", b"}"),
    (b"%{", b"}"),
    (b"$!{", b"}"),
    (b"@(", b")"),
    (b"[[", b"]]"),
    (b"<#", b">"),
    (b"{php}", b"{/php}"),
    (b"{=", b"}"),
    (b"[=", b"]"),
    (b"#set(", b")"),
    (b"{@", b"}"),
];

/// Looks into each pair of delimiters.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for (open, close) in DELIMITERS {
        scan.walked(text.len());
        let mut free = 0;
        for start in places_of(text, open) {
            // An expression in an expression is part of it.
            if start < free {
                continue;
            }
            let window = slice(text, start + open.len(), start + open.len() + EXPRESSION_MAX);
            let end = super::text::find(window, close);
            let expression = slice(window, 0, end.unwrap_or(window.len()));
            free = start + open.len() + expression.len().min(64);
            scan.walked(expression.len().saturating_mul(4).min(1024));
            if is_attack(open, expression, end.is_some()) {
                scan.hit(
                    view,
                    start,
                    (Template, 1.0),
                    "template_expression",
                    "an expression for a template engine",
                );
                return;
            }
        }
    }
    statements(scan, view);
}

fn is_attack(open: &[u8], expression: &[u8], is_closed: bool) -> bool {
    let expression = trim(expression);
    let expression = expression.strip_prefix(b"=").unwrap_or(expression);
    let expression = expression.strip_prefix(b"-").unwrap_or(expression);
    let expression = trim(expression);
    if expression.is_empty() {
        return false;
    }
    calls_on_literal(expression)
        || open == b"${" && at(expression, 0) == b'@' && contains(expression, b"(")
        || reaches(expression)
        || (is_closed && (computes(expression) || names_secret(open, expression)))
}

/// `'a'.toUpperCase()`, `"".getClass()`: a method of a literal.
fn calls_on_literal(expression: &[u8]) -> bool {
    let quote = at(expression, 0);
    if !matches!(quote, b'\'' | b'"') {
        return false;
    }
    let Some(length) = memchr::memchr(quote, slice(expression, 1, 64)) else { return false };
    let name = skip(slice(expression, 0, 128), length + 3, is_word);
    at(expression, length + 2) == b'.' && name > length + 3 && at(expression, name) == b'('
}

/// `.System "id"`: a method of Go, and a string for it.
fn calls_with_literal(expression: &[u8]) -> bool {
    let name = skip(expression, 1, is_word);
    at(expression, 0) == b'.'
        && name > 1
        && at(expression, name) == b' '
        && matches!(at(expression, name + 1), b'"' | b'`')
}

/// Two literals and an operator between them, and nothing that a template would have there: `7*7`, `7*'7'`.
fn computes(expression: &[u8]) -> bool {
    let is_arithmetic = expression.iter().all(|&byte| {
        byte.is_ascii_digit()
            || is_space(byte)
            || matches!(
                byte,
                b'+' | b'-'
                    | b'*'
                    | b'/'
                    | b'%'
                    | b'('
                    | b')'
                    | b'\''
                    | b'"'
                    | b'.'
                    | b'{'
                    | b'}'
                    | b'~'
                    | b'='
                    | b'<'
                    | b'>'
            )
    });
    let digits = expression.iter().filter(|byte| byte.is_ascii_digit()).count();
    let operator =
        expression.iter().position(|byte| matches!(byte, b'*' | b'+' | b'/' | b'-' | b'%'));
    if is_arithmetic && digits >= 2 && operator.is_some_and(|index| index > 0) {
        return true;
    }
    // `set x=7*7`, `set($x=7*7)`, `"a"*3`
    let mut parts = expression.split(|&byte| byte == b'*');
    let (left, right) =
        (trim(parts.next().unwrap_or_default()), trim(parts.next().unwrap_or_default()));
    left.last().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'"' | b'\''))
        && right.first().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'"' | b'\''))
}

/// Objects and functions through which an expression leaves its template.
fn reaches(expression: &[u8]) -> bool {
    const PARTS: [&[u8]; 82] = [
        b"?eval",
        b"?interpret",
        b"?api",
        b"session.set",
        b"file_excerpt",
        b"\"constructor\"",
        b"'constructor'",
        b"__",
        b"constructor.constructor",
        b".constructor(",
        b"constructor(",
        b"['constructor']",
        b"[\"constructor\"]",
        b"|attr(",
        b"| attr(",
        b"self._",
        b"lipsum",
        b"cycler.",
        b"joiner.",
        b"_self",
        b"app.request",
        b"request.application",
        b"request.environ",
        b"request.args",
        b"request.cookies",
        b"request[",
        b"url_for.",
        b"get_flashed_messages.",
        b"config.",
        b"config[",
        b"popen",
        b"system(",
        b"exec(",
        b"passthru",
        b"shell_exec",
        b"subprocess",
        b"os.",
        b"t(java",
        b"java.lang",
        b"getruntime",
        b"processbuilder",
        b"getclass",
        b"class.get",
        b".class.",
        b"class.forname",
        b"?new(",
        b"freemarker",
        b"eval(",
        b"require(",
        b"process.",
        b"globalthis",
        b"global.",
        b"child_process",
        b"file.open",
        b"file.read",
        b"io.popen",
        b"io.read",
        b"kernel.",
        b"dir.entries",
        b"dir.glob",
        b"dir[",
        b"phpinfo",
        b"file_get_contents",
        b"readfile(",
        b"|filter(",
        b"|map('",
        b"|reduce('",
        b"|sort('system",
        b"$smarty.",
        b"import os",
        b"settings.secret",
        b"env.register",
        b"setcache",
        b"source('/",
        b"include('/",
        b"#_memberaccess",
        b"@java",
        b"ognl",
        b"new java",
        b"scriptengine",
        b"runtime.exec",
        b"`id`",
    ];
    let compact: Vec<u8> = if expression.iter().any(|&byte| is_space(byte)) {
        expression
            .iter()
            .copied()
            .filter(|&byte| byte != b'\n' && byte != b'\r' && byte != b'\t')
            .collect()
    } else {
        Vec::new()
    };
    let expression = if compact.is_empty() { expression } else { &compact };
    PARTS.iter().any(|part| {
        places_of(expression, part).any(|start| {
            let before = start.checked_sub(1).map_or(0, |before| at(expression, before));
            // `pos.x` is not `os.`
            !is_word(at(part, 0))
                || !(is_word(before)
                    || before == b'.'
                        && matches!(*part, b"os." | b"config." | b"global." | b"process."))
                || matches!(*part, b"popen" | b"getruntime" | b"constructor(")
        })
    })
}

/// Whole expressions that show what the application keeps to itself.
fn names_secret(open: &[u8], expression: &[u8]) -> bool {
    match open {
        b"{{" => {
            matches!(
                expression,
                b"config"
                    | b"self"
                    | b"settings"
                    | b"request"
                    | b"this"
                    | b"_context"
                    | b"dump()"
                    | b"app"
                    | b"dump(app)"
                    | b"debug"
                    | b"_context|json_encode"
                    | b"[].map"
                    | b"config|pprint"
                    | b"$on.constructor"
            ) || expression.starts_with(b"dump(")
                || expression.starts_with(b"#with \"")
                || expression.starts_with(b"#with '")
                || expression.starts_with(b"call .")
                || calls_with_literal(expression)
                || expression.starts_with(b"range.")
                || expression.starts_with(b"this.constructor")
        }
        b"{%" => {
            matches!(expression, b"debug" | b"raw %}{{")
                || expression.starts_with(b"import ")
                || expression.starts_with(b"include '/")
                || expression.starts_with(b"include \"/")
                || expression.starts_with(b"load ") && contains(expression, b"log")
        }
        b"<%" => {
            is_command(expression)
                || contains(expression, b"request(")
                || contains(expression, b"response.write")
        }
        _ => false,
    }
}

/// `` `id` ``, `system('id')`, `File.open('/etc/passwd').read`
fn is_command(expression: &[u8]) -> bool {
    at(expression, 0) == b'`'
        || [
            &b"system"[..],
            b"exec",
            b"open(",
            b"file.",
            b"io.",
            b"dir.",
            b"kernel",
            b"eval",
            b"require",
            b"%x",
        ]
        .iter()
        .any(|word| {
            expression.starts_with(word) && memchr::memchr3(b'(', b'\'', b'"', expression).is_some()
        })
}

/// Statements of engines without closing delimiters.
fn statements(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for (start, words) in [
        (&b"#set"[..], &[&b"$class"[..], b".class", b"getclass", b"runtime", b"forname", b"*"][..]),
        (b"#evaluate", &[b"("]),
        (b"#include", &[b"(\"/", b"('/", b"/etc/"]),
        (b"#parse", &[b"(\"/", b"('/"]),
        (b"<#assign", &[b"?new", b"execute", b"freemarker"]),
        (b"<#include", &[b"/", b"file"]),
        (b"{php}", &[b""]),
        (b"{system", &[b"("]),
        (b"{if ", &[b"system(", b"phpinfo", b"exec(", b"passthru", b"readfile("]),
        (b"{fetch ", &[b"file="]),
        (b"{literal}", &[b"<script"]),
        (b"{self::", &[b"("]),
        (b"{smarty_internal", &[b"::"]),
        (b"{$smarty.", &[b"}"]),
        // A string that breaks whatever engine there is, to see which.
        (b"${{<%", &[b"%"]),
    ] {
        scan.walked(text.len());
        for at in places_of(text, start).take(64) {
            let end = skip(slice(text, 0, at + 16), at + start.len(), |byte| byte == b' ');
            let statement = slice(text, end, end + 128);
            let opens = start != b"#set"
                && start != b"#include"
                && start != b"#parse"
                && start != b"#evaluate"
                || statement.starts_with(b"(");
            if opens && words.iter().any(|word| contains(statement, word)) {
                scan.hit(
                    view,
                    at,
                    (Template, 1.0),
                    "template_statement",
                    "a statement for a template engine",
                );
                return;
            }
        }
    }
}

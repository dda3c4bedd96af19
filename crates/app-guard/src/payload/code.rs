//! Code of languages that evaluate what they are given, and lookups of a logger.

mod callees;
mod calls;

use super::category::Category::{CodeInjection, Template};
use super::scan::{Scan, View};
use super::text::{
    at, contains, find, is_space, is_word, places_of, skip, skip_spaces, slice, trim,
};
use calls::CALL_MAX;

/// Looks for code.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    scan.walked(text.len().saturating_mul(4));
    check_lookups(scan, view);
    tags(scan, view);
    calls::check(scan, view);
    callees::check(scan, view);
    backticked(scan, view);
    paths(scan, view);
    scan.walked(PATHS.iter().map(|_| text.len() / 16).sum());
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (CodeInjection, 1.0), name, words);
}

/// `${jndi:ldap://…}`, and lookups that tell secrets.
pub(crate) fn check_lookups(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for start in places_of(text, b"${") {
        let name = skip_spaces(slice(text, 0, start + 16), start + 2);
        let rest = slice(text, name, name + 64);
        let jndi = rest.starts_with(b"jndi:")
            || rest.starts_with(b"jndi${")
            || rest.starts_with(b"jnd") && contains(rest, b"${")
            || rest.starts_with(b"j${")
            || rest.starts_with(b"${") && contains(rest, b"ndi:");
        if jndi {
            hit(scan, view, start, "code_jndi", "a lookup through which Log4j loads code");
            return;
        }
        let is_script = rest.starts_with(b"script:")
            || rest.starts_with(b"url:utf")
            || rest.starts_with(b"dns:address|")
            || rest.starts_with(b"base64decoder:");
        let is_nested = rest.starts_with(b"${")
            && (contains(rest, b"lower:") || contains(rest, b"upper:") || contains(rest, b"::-"));
        let leaks = (rest.starts_with(b"env:")
            || rest.starts_with(b"sys:")
            || rest.starts_with(b"java:")
            || rest.starts_with(b"bundle:")
            || rest.starts_with(b"ctx:")
            || rest.starts_with(b"main:"))
            && !scan.place.is_body();
        if is_script || is_nested || leaks {
            hit(scan, view, start, "code_lookup", "a lookup of a logger or of a text library");
            return;
        }
    }
}

/// The longest word that makes a block of a page an attack.
const PAGE_WORD_MAX: usize = 24;

/// `<?php …`, `<%eval request`, `<!--#exec`
fn tags(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for start in places_of(text, b"<?") {
        let rest = slice(text, start + 2, start + CALL_MAX);
        let is_php = rest.starts_with(b"php") && !is_word(at(rest, 3))
            || rest.starts_with(b"=")
                && contains(rest, b"?>") | contains(rest, b"(") | contains(rest, b"`")
            || is_space(at(rest, 0)) && memchr::memchr3(b'(', b'`', b'$', rest).is_some();
        let is_only_named = at(text, start.wrapping_sub(1)) == b'`' && at(rest, 3) == b'`';
        if is_php && !is_only_named {
            hit(scan, view, start, "code_php_tag", "a block of PHP");
            return;
        }
    }
    for start in places_of(text, b"<!--#") {
        let rest = slice(text, start + 5, start + 64);
        let verbs = [&b"exec"[..], b"include", b"echo", b"printenv", b"set", b"config", b"if"];
        if verbs.iter().any(|verb| rest.starts_with(verb)) {
            hit(scan, view, start, "code_include", "a server side include");
            return;
        }
    }
    // Where one block was looked through, the next begins: blocks in blocks are looked through once.
    let mut looked_until = 0;
    for start in places_of(text, b"<%") {
        let end = start + CALL_MAX;
        let rest = slice(text, (start + 2).max(looked_until), end);
        // What stands across that border is read from before it.
        looked_until = end.saturating_sub(PAGE_WORD_MAX);
        let words = [
            &b"eval"[..],
            b"execute",
            b"request(",
            b"request.getparameter",
            b"runtime",
            b"page import",
            b"@page",
            b"@ page",
            b"response.write",
            b"createobject",
            b"server.",
        ];
        if words.iter().any(|word| contains(rest, word)) {
            hit(scan, view, start, "code_page", "a block of a server page");
            return;
        }
    }
}

/// `%x(id)`, `` `id`; `` of Ruby and PHP with an `echo`, `$_GET['x']`.
fn backticked(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for name in [
        &b"$_get["[..],
        b"$_post[",
        b"$_request[",
        b"$_cookie[",
        b"$_server[",
        b"$_files[",
        b"$globals[",
    ] {
        if let Some(start) = find(text, name) {
            hit(scan, view, start, "code_superglobal", "a variable of PHP with the request in it");
            return;
        }
    }
    for start in places_of(text, b"%x") {
        if matches!(at(text, start + 2), b'(' | b'{' | b'[' | b'|')
            && is_ruby_start(at(text, start + 3))
            && start < 64
        {
            hit(scan, view, start, "code_ruby", "a command of Ruby");
            return;
        }
    }
}

/// Names that code goes through, whatever is called.
const PATHS: [(&[u8], &[u8]); 55] = [
    (b"exec(open(", b""),
    (b"reflection.assembly", b"load"),
    (b"groovyshell(", b""),
    (b"send(:system", b""),
    (b"send(:eval", b""),
    (b"<esi:", b""),
    (b"redirect:${", b""),
    (b"redirect:%{", b""),
    (b"action:%{", b""),
    (b"child_process", b"spawn"),
    (b"constructor._load", b"("),
    (b"nashorn:", b""),
    (b"deno.run(", b""),
    (b"sys.modules[", b""),
    (b"os:cmd(", b""),
    (b"[exec ", b"]"),
    (b"php:function(", b""),
    (b".getclass()", b"forname"),
    (b"#context[", b""),
    (b"\".execute()", b""),
    (b"'.execute()", b""),
    (b"invokefunction&function=", b""),
    (b"\\think\\app/", b""),
    (b"exec(compile(", b""),
    (b"globals()[", b""),
    (b"getattr(__", b""),
    (b"vars()[", b""),
    (b"class.module.classloader", b""),
    (b"class.classloader", b""),
    (b"#_memberaccess", b""),
    (b"@java.lang.", b""),
    (b"@ognl.", b""),
    (b"ognl.ognlcontext", b""),
    (b"com.opensymphony.xwork2", b""),
    (b"xwork.methodaccessor", b""),
    (b"java.lang.runtime", b""),
    (b"java.lang.processbuilder", b""),
    (b"javax.script.scriptenginemanager", b""),
    (b"java.net.urlclassloader", b""),
    (b"process.mainmodule", b""),
    (b"global.process", b""),
    (b"globalthis.process", b""),
    (b"this.constructor.constructor", b""),
    (b"constructor.constructor(", b""),
    (b"child_process", b"exec"),
    (b"__builtins__", b""),
    (b"__subclasses__", b""),
    (b"__globals__", b""),
    (b".__class__", b"__"),
    (b"__class__.__", b""),
    (b"allow_url_include", b"="),
    (b"auto_prepend_file", b"="),
    (b"import os", b"os."),
    (b"createobject(\"wscript", b""),
    (b"system.diagnostics.process", b"("),
];

fn paths(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for (path, also) in PATHS {
        if let Some(start) = find(text, path)
            && (also.is_empty() || contains(slice(text, start + path.len(), text.len()), also))
        {
            // Engines of templates go the same way; there it has that name already.
            let in_template = scan.hits.iter().any(|hit| hit.category == Template);
            if !in_template {
                hit(scan, view, start, "code_object", "an object through which code is reached");
            }
            return;
        }
    }
    if let Some(start) = dangerous_class(scan, trim(text)) {
        hit(scan, view, start, "code_object", "an object through which code is reached");
    }
    // `;print(7*7);`, `";die("x`: short statements behind a quote.
    let bare = trim(text);
    let start =
        skip(bare, 0, |byte| matches!(byte, b'\'' | b'"' | b';' | b')' | b'}' | b' ' | b'.'));
    if start == 0 || start > 8 {
        return;
    }
    let rest = slice(bare, start, start + 64);
    let verbs = [
        &b"print("[..],
        b"die(",
        b"echo ",
        b"printf(",
        b"puts ",
        b"console.log(",
        b"system(",
        b"exit(",
    ];
    let before = slice(bare, 0, start);
    let closes = before.contains(&b';') || contains(before, b"'.") || contains(before, b"\".");
    if verbs.iter().any(|verb| rest.starts_with(verb)) && closes {
        hit(scan, view, 0, "code_statement", "a statement behind a closed string");
    }
}

/// How a command begins: with a letter or a path.
fn is_ruby_start(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'/'
}

/// A class of Java, as the whole value, with which files, programs or other code are reached.
fn dangerous_class(scan: &Scan<'_>, text: &[u8]) -> Option<usize> {
    const NAME_MAX: usize = 96;
    // People look classes up.
    let is_search =
        matches!(scan.place.name(), "q" | "s" | "query" | "search" | "term" | "keyword");
    if text.len() > NAME_MAX || is_search || !text.iter().all(|&byte| is_word(byte) || byte == b'.')
    {
        return None;
    }
    let is_dangerous = [
        &b"java.lang.process"[..],
        b"java.lang.class",
        b"java.lang.system",
        b"java.lang.thread",
        b"java.lang.reflect",
        b"java.lang.invoke",
        b"java.io.file",
        b"java.io.object",
        b"java.io.random",
        b"java.net.url",
        b"java.net.socket",
        b"java.nio.file.",
        b"java.rmi.",
        b"javax.naming.",
        b"javax.script.",
        b"javax.management.",
        b"groovy.lang.",
        b"bsh.interpreter",
        b"jdk.nashorn.",
        b"sun.misc.",
        b"sun.reflect.",
        b"org.mozilla.javascript.",
        b"com.sun.jndi.",
    ]
    .iter()
    .any(|class| text.starts_with(class));
    (is_dangerous && !text.ends_with(b"exception") && !text.ends_with(b"error")).then_some(0)
}

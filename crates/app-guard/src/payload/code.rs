//! Code of languages that evaluate what they are given, and lookups of a logger.

use super::category::Category::{CodeInjection, Template};
use super::scan::{Scan, View};
use super::text::{
    at, contains, find, is_space, is_word, places_of, skip, skip_spaces, slice, trim,
};

/// How far a call is read.
const CALL_MAX: usize = 256;

/// Looks for code.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    scan.walked(text.len().saturating_mul(4));
    check_lookups(scan, view);
    tags(scan, view);
    calls(scan, view);
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
    for start in places_of(text, b"<%") {
        let rest = slice(text, start + 2, start + CALL_MAX);
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

/// Functions that run what they are given, and which arguments make an attack of the call.
const CALLS: [(&[u8], Needs); 71] = [
    (b"process.start", Needs::Quoted),
    (b"eval", Needs::Argument),
    (b"assert", Needs::CodeArgument),
    (b"system", Needs::Quoted),
    (b"exec", Needs::Quoted),
    (b"execfile", Needs::Quoted),
    (b"shell_exec", Needs::Argument),
    (b"passthru", Needs::Argument),
    (b"popen", Needs::Argument),
    (b"proc_open", Needs::Argument),
    (b"pcntl_exec", Needs::Argument),
    (b"phpinfo", Needs::Nothing),
    (b"base64_decode", Needs::Argument),
    (b"gzinflate", Needs::Argument),
    (b"str_rot13", Needs::Argument),
    (b"create_function", Needs::Argument),
    (b"call_user_func", Needs::Argument),
    (b"call_user_func_array", Needs::Argument),
    (b"preg_replace", Needs::CodeArgument),
    (b"file_put_contents", Needs::Argument),
    (b"file_get_contents", Needs::Quoted),
    (b"highlight_file", Needs::Argument),
    (b"show_source", Needs::Argument),
    (b"readfile", Needs::Quoted),
    (b"scandir", Needs::Quoted),
    (b"putenv", Needs::Quoted),
    (b"ini_set", Needs::Quoted),
    (b"unserialize", Needs::Argument),
    (b"include", Needs::Stream),
    (b"require", Needs::Module),
    (b"require_once", Needs::Stream),
    (b"include_once", Needs::Stream),
    (b"__import__", Needs::Argument),
    (b"os.system", Needs::Argument),
    (b"os.popen", Needs::Argument),
    (b"os.execl", Needs::Argument),
    (b"os.spawnl", Needs::Argument),
    (b"os.execute", Needs::Argument),
    (b"subprocess.call", Needs::Argument),
    (b"subprocess.popen", Needs::Argument),
    (b"subprocess.run", Needs::Argument),
    (b"subprocess.check_output", Needs::Argument),
    (b"subprocess.getoutput", Needs::Argument),
    (b"commands.getoutput", Needs::Argument),
    (b"importlib.import_module", Needs::Argument),
    (b"compile", Needs::CodeArgument),
    (b"getattr", Needs::Builtin),
    (b"io.popen", Needs::Argument),
    (b"kernel.exec", Needs::Argument),
    (b"kernel.system", Needs::Argument),
    (b"kernel.open", Needs::Argument),
    (b"instance_eval", Needs::Argument),
    (b"class_eval", Needs::Argument),
    (b"execsync", Needs::Argument),
    (b"spawnsync", Needs::Argument),
    (b"spawn", Needs::Quoted),
    (b"process.binding", Needs::Argument),
    (b"process.kill", Needs::Argument),
    (b"process.exit", Needs::Breakout),
    (b"processbuilder", Needs::Argument),
    (b"getruntime", Needs::Nothing),
    (b"runtime.exec", Needs::Argument),
    (b"getenginebyname", Needs::Argument),
    (b"class.forname", Needs::Argument),
    (b"wscript.shell", Needs::Nothing),
    (b"activexobject", Needs::Argument),
    (b"loadstring", Needs::Argument),
    (b"dofile", Needs::Argument),
    (b"open", Needs::SystemFile),
    (b"function", Needs::CodeString),
    (b"sleep", Needs::Nowhere),
];

#[derive(Clone, Copy)]
enum Needs {
    /// A call as such.
    Nothing,
    /// Any argument.
    Argument,
    /// A string or a variable as argument.
    Quoted,
    /// A string with code in it.
    CodeArgument,
    /// A string or a stream that is loaded.
    Stream,
    /// One of the modules that run programs.
    Module,
    /// A name of the interpreter's own.
    Builtin,
    /// A file of the system.
    SystemFile,
    /// A string, and a call of the result.
    CodeString,
    /// The start of the value, or a closed string before it.
    Breakout,
    /// Other checks know better.
    Nowhere,
}

fn calls(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for open in memchr::memchr_iter(b'(', text) {
        let name_end = {
            let window = slice(text, open.saturating_sub(4), open);
            open - window.iter().rev().take_while(|&&byte| byte == b' ').count()
        };
        let window = slice(text, name_end.saturating_sub(32), name_end);
        let length = window.iter().rev().take_while(|&&byte| is_word(byte) || byte == b'.').count();
        let start = name_end - length;
        let name = slice(text, start, name_end);
        if name.is_empty() {
            continue;
        }
        let short = name
            .iter()
            .rposition(|&byte| byte == b'.')
            .map_or(name, |dot| slice(name, dot + 1, name.len()));
        let arguments = slice(text, open + 1, open + CALL_MAX);
        for (function, needs) in CALLS {
            let called =
                if function.contains(&b'.') { name.ends_with(function) } else { short == function };
            // `model.eval(x)`, `pattern.exec("x")`: a method of that name is everybody's.
            let is_method = short.len() < name.len()
                && !function.contains(&b'.')
                && matches!(
                    function,
                    b"eval"
                        | b"exec"
                        | b"compile"
                        | b"open"
                        | b"system"
                        | b"spawn"
                        | b"assert"
                        | b"function"
                );
            if called && !is_method && satisfied(needs, text, start, arguments, open > name_end) {
                hit(scan, view, start, "code_call", "a call of a function that runs code");
                return;
            }
        }
    }
    backticked(scan, view);
}

fn satisfied(needs: Needs, text: &[u8], start: usize, arguments: &[u8], spaced: bool) -> bool {
    let first = skip_spaces(slice(arguments, 0, 16), 0);
    let arguments = slice(arguments, first, arguments.len());
    let byte = at(arguments, 0);
    let is_empty = byte == b')' || byte == 0;
    let is_quoted = matches!(byte, b'\'' | b'"' | b'$' | b'\\' | b'`');
    let calls_inside = arguments.iter().take(64).any(|&byte| byte == b'(');
    match needs {
        Needs::Nothing => true,
        _ if is_ellipsis(arguments) => false,
        Needs::Argument => {
            !is_empty
                && !spaced
                && (is_quoted
                    || calls_inside
                    || !contains(slice(arguments, 0, 64), b" ")
                    || contains(slice(arguments, 0, 64), b"request"))
        }
        Needs::Quoted => is_quoted,
        Needs::CodeArgument => {
            (is_quoted && calls_inside && !contains(arguments, b" == "))
                || byte == b'$' && arguments.starts_with(b"$_")
                || contains(slice(arguments, 0, 64), b"/e'")
                || contains(slice(arguments, 0, 64), b"/e\"")
        }
        Needs::Stream => {
            is_quoted
                && (contains(arguments, b"://")
                    || contains(arguments, b"../")
                    || contains(arguments, b"/etc/")
                    || byte == b'$')
        }
        Needs::Module => {
            let module = slice(arguments, 0, 32);
            [
                &b"child_process"[..],
                b"'fs'",
                b"\"fs\"",
                b"'os'",
                b"\"os\"",
                b"'net'",
                b"\"net\"",
                b"'vm'",
                b"\"vm\"",
                b"node:",
                b"http'",
                b"../",
                b"php://",
            ]
            .iter()
            .any(|name| contains(module, name))
                && (contains(from_start(text, start), b")")
                    && (contains(arguments, b").")
                        || contains(
                            slice(text, start.saturating_sub(CALL_MAX), start),
                            b"process",
                        )
                        || at(text, start.wrapping_sub(1)) != b' '
                        || start == 0))
        }
        Needs::Builtin => {
            contains(slice(arguments, 0, 64), b"__")
                || contains(slice(arguments, 0, 64), b"builtins")
        }
        Needs::SystemFile => {
            is_quoted
                && (contains(slice(arguments, 0, 32), b"/etc/")
                    || contains(slice(arguments, 0, 32), b"/proc/")
                    || contains(slice(arguments, 0, 8), b"|"))
        }
        Needs::CodeString => {
            is_quoted && (contains(arguments, b")()") || contains(arguments, b")("))
        }
        Needs::Breakout => start == 0 || matches!(at(text, start - 1), b'\'' | b'"' | b';' | b'`'),
        Needs::Nowhere => false,
    }
}

fn from_start(text: &[u8], start: usize) -> &[u8] {
    slice(text, start, start + CALL_MAX)
}

/// `eval(...)`: how prose writes that there are arguments.
fn is_ellipsis(whole: &[u8]) -> bool {
    let arguments = skip(whole, 0, |byte| matches!(byte, b'"' | b'\'')).min(1);
    let arguments = slice(whole, arguments, whole.len());
    arguments.starts_with(b"...") || arguments.starts_with("…".as_bytes())
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
const PATHS: [(&[u8], &[u8]); 34] = [
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
    if verbs.iter().any(|verb| rest.starts_with(verb))
        && memchr::memchr(b';', slice(bare, 0, start)).is_some()
    {
        hit(scan, view, 0, "code_statement", "a statement behind a closed string");
    }
}

/// How a command begins: with a letter or a path.
fn is_ruby_start(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'/'
}

//! Ways out of a folder, and files of the system that nobody names by accident.

use super::category::Category::{DirectoryTraversal, FileInclusion, PathTraversal};
use super::place::Place;
use super::scan::{Scan, View};
use super::text::{at, contains, find, from, is_token, slice, trim};

/// Paths longer than this are read in part.
const PATH_MAX: usize = 4096;

/// Looks for `..` in all its spellings, and for well-known files.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    scan.walked(text.len().saturating_mul(3));
    traversal(scan, view);
    scan.walked(text.len());
    system_file(scan, view);
}

/// What was climbed out of.
#[derive(Default)]
struct Climb {
    /// The most steps up that follow each other.
    steps: usize,
    /// Where they begin.
    at: usize,
    /// Dots and separators were doubled or mixed so that a filter leaves some: `....//`, `..;/`, `.\./`.
    disguised: bool,
    /// What stands behind the last of them.
    rest: usize,
}

fn traversal(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let Some(climb) = climb(text) else { return };
    let rest = slice(text, climb.rest, climb.rest + 256);
    let reaches_system = is_system_path(rest) || names_secret(rest);
    let token = is_token(text) || matches!(scan.place, Place::Path);
    // Encodings of dots, or of anything twice, are there to get past something. Clients encode a slash.
    let encoded = view.hidden.dots
        || view.hidden.rounds >= 2
        || climb.disguised
        || (view.hidden.rounds >= 1 && matches!(scan.place, Place::Path));
    let is_attack = match climb.steps {
        0 => false,
        1 => {
            encoded && (token || reaches_system)
                || reaches_system && token
                || matches!(scan.place, Place::Path | Place::FileName(_))
        }
        2 => token && !is_relative_import(scan, text) || encoded || reaches_system,
        3 => token || encoded || reaches_system,
        _ => true,
    };
    if !is_attack {
        if climb.steps > 0 && token {
            scan.hit(view, climb.at, (DirectoryTraversal, 0.5), "path_up", "a step up in a path");
        }
        return;
    }
    if encoded {
        scan.hit(
            view,
            climb.at,
            (PathTraversal, 1.0),
            "path_up_encoded",
            "steps up in a path, in an encoding that hides them",
        );
    } else {
        scan.hit(view, climb.at, (DirectoryTraversal, 1.0), "path_up", "steps up in a path");
    }
}

/// A reference in a document or a program, not of a parameter: `../../README.md`.
fn is_relative_import(scan: &Scan<'_>, text: &[u8]) -> bool {
    let text = trim(text);
    scan.place.is_body()
        && text.starts_with(b"../")
        && [&b".md"[..], b".css", b".ts", b".tsx", b".js", b".png", b".svg", b".jpg", b".html"]
            .iter()
            .any(|end| text.ends_with(end))
}

fn climb(text: &[u8]) -> Option<Climb> {
    let mut best = Climb::default();
    let mut current = Climb::default();
    let mut index = 0;
    let mut expected = usize::MAX;
    while let Some(found) = memchr::memmem::find(from(text, index), b"..") {
        let start = index + found;
        let dots_end = super::text::skip(text, start, |byte| byte == b'.');
        let separators = separators_after(text, dots_end);
        let before = start.checked_sub(1).map_or(b'/', |before| at(text, before));
        index = dots_end;
        let is_segment = matches!(
            before,
            b'/' | b'\\'
                | b'='
                | b':'
                | b'"'
                | b'\''
                | b'('
                | b','
                | b'|'
                | b';'
                | b'@'
                | b'['
                | b'{'
                | b'>'
        ) || before <= b' ';
        // `1..5`, `wait...`
        if !is_segment {
            continue;
        }
        let dots = dots_end - start;
        let ends = dots_end >= text.len() && dots == 2;
        if separators.is_none() && !ends {
            continue;
        }
        let (end, odd) = separators.unwrap_or((dots_end, false));
        let ellipsis = dots == 3;
        if ellipsis {
            continue;
        }
        if start != expected {
            current = Climb { at: start, ..Climb::default() };
        }
        if !ends || start == expected {
            current.steps += 1;
        }
        current.disguised |= odd || dots >= 4 && end - dots_end >= 1;
        current.rest = end;
        expected = end;
        index = end.max(dots_end);
        if current.steps > best.steps || current.disguised && !best.disguised && current.steps > 0 {
            best = Climb { ..current };
        }
    }
    // `.%00./`, `./.././`: a step of one dot between is nothing.
    (best.steps > 0).then_some(best)
}

/// Where the separators behind the dots end, and whether they are of an odd kind.
fn separators_after(text: &[u8], dots_end: usize) -> Option<(usize, bool)> {
    let mut end = dots_end;
    let mut odd = false;
    // `..;/` of Tomcat, `..%00/`
    if at(text, end) == b';' && matches!(at(text, end + 1), b'/' | b'\\') {
        end += 1;
        odd = true;
    }
    let first = end;
    end = super::text::skip(slice(text, 0, first + 16), first, |byte| matches!(byte, b'/' | b'\\'));
    // `.././../`
    while at(text, end) == b'.' && matches!(at(text, end + 1), b'/' | b'\\') && end < first + 16 {
        end += 2;
    }
    let run = slice(text, first, end);
    odd |= run.len() > 2 || run.len() == 2 && run.first() != run.last();
    (end > first).then_some((end, odd))
}

/// Paths under which a system keeps its files, as they stand behind steps up.
fn is_system_path(rest: &[u8]) -> bool {
    let rest = trim(rest);
    [
        &b"etc/"[..],
        b"etc\\",
        b"proc/",
        b"windows/",
        b"windows\\",
        b"winnt/",
        b"winnt\\",
        b"boot.ini",
        b"var/",
        b"root/",
        b"home/",
        b"usr/",
        b"opt/",
        b"inetpub",
        b"apache",
        b"tmp/",
        b"dev/",
        b"sys/",
        b"system32",
        b"web-inf",
        b"meta-inf",
        b"app/",
        b"xampp",
        b"wp-config",
        b"users/",
        b"program files",
        b"win.ini",
        b"srv/",
        b"mnt/",
        b"run/",
    ]
    .iter()
    .any(|start| rest.starts_with(start))
}

fn names_secret(rest: &[u8]) -> bool {
    [
        &b".env"[..],
        b"passwd",
        b"shadow",
        b"id_rsa",
        b"config.php",
        b"web.config",
        b".htpasswd",
        b".git/",
        b".ssh/",
        b"web.xml",
        b"settings.py",
        b"database.yml",
        b".aws/",
        b"secrets",
        b"config.yml",
        b"config.json",
        b"\0",
    ]
    .iter()
    .any(|name| contains(rest, name))
        // A hidden file or folder.
        || at(rest, 0) == b'.' && at(rest, 1).is_ascii_alphabetic()
}

/// Files that are asked for by their whole path.
const FILES: [&[u8]; 69] = [
    b"/etc/passwd",
    b"/etc/shadow",
    b"/etc/group",
    b"/etc/hosts",
    b"/etc/hostname",
    b"/etc/issue",
    b"/etc/motd",
    b"/etc/sudoers",
    b"/etc/crontab",
    b"/etc/fstab",
    b"/etc/resolv.conf",
    b"/etc/ssh/",
    b"/etc/ssl/private",
    b"/etc/mysql/",
    b"/etc/my.cnf",
    b"/etc/nginx/",
    b"/etc/apache2/",
    b"/etc/httpd/",
    b"/etc/php",
    b"/etc/redis",
    b"/etc/postgresql",
    b"/etc/kubernetes/",
    b"/etc/environment",
    b"/etc/profile",
    b"/etc/os-release",
    b"/etc/security/",
    b"/etc/vsftpd",
    b"/etc/master.passwd",
    b"/etc/networks",
    b"/etc/inetd.conf",
    b"/proc/self/",
    b"/proc/version",
    b"/proc/cmdline",
    b"/proc/net/",
    b"/proc/mounts",
    b"/proc/cpuinfo",
    b"/proc/sched_debug",
    b"/var/log/",
    b"/var/run/secrets/",
    b"/run/secrets/",
    b"/var/lib/mysql",
    b"/var/www/html/",
    b"/var/mail/",
    b"/var/spool/cron",
    b"/root/.",
    b"/.ssh/id_",
    b"/.ssh/authorized_keys",
    b".bash_history",
    b"/.aws/credentials",
    b"/.kube/config",
    b"/windows/win.ini",
    b"\\windows\\win.ini",
    b"/windows/system32",
    b"\\windows\\system32",
    b"/boot.ini",
    b"\\boot.ini",
    b"\\windows\\repair\\sam",
    b"/winnt/",
    b"\\winnt\\",
    b"/web-inf/",
    b"\\inetpub\\",
    b"/inetpub/",
    b"system.ini",
    b"/dev/mem",
    b"/sys/class",
    b"/sys/devices",
    b"/sys/kernel",
    b"c:\\windows\\",
    b"c:/windows/",
];

fn system_file(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let bare = trim(text);
    // In prose a path is what is talked about.
    if !is_token(bare)
        || bare.len() > PATH_MAX
        || matches!(scan.place, Place::Header(_)) && !starts_path(bare)
    {
        return;
    }
    // `https://example.com/docs/etc/hosts` is a page.
    let url = find(slice(bare, 0, 64), b"://").is_some() && !bare.starts_with(b"file:");
    if url {
        return;
    }
    // `/./etc//passwd`, `/etc/./passwd`
    let mut flat = Vec::with_capacity(bare.len());
    let mut index = 0;
    while let Some(&byte) = bare.get(index) {
        let last = flat.last().copied();
        if byte == b'/' && last == Some(b'/') {
            index += 1;
        } else if byte == b'.' && last == Some(b'/') && at(bare, index + 1) == b'/' {
            index += 2;
        } else {
            flat.push(byte);
            index += 1;
        }
    }
    for file in FILES {
        if let Some(start) = find(&flat, file)
            && (start == 0 || is_boundary(at(&flat, start - 1)) || at(file, 0) != b'/')
        {
            // Others have folders like these of their own, in a path of theirs.
            let category = if scan.place.is_named_like(&["include", "template", "page", "lang"])
                && scan.wants(FileInclusion)
                && flat.starts_with(b"file:")
            {
                FileInclusion
            } else {
                DirectoryTraversal
            };
            scan.hit(view, 0, (category, 1.0), "path_system_file", "a file of the system");
            return;
        }
    }
    let process =
        find(&flat, b"/proc/").is_some_and(|start| start == 0 && at(&flat, 6).is_ascii_digit());
    if process {
        scan.hit(view, 0, (DirectoryTraversal, 1.0), "path_system_file", "a file of the system");
    }
}

fn starts_path(text: &[u8]) -> bool {
    matches!(at(text, 0), b'/' | b'\\' | b'.' | b'~') || at(text, 1) == b':'
}

fn is_boundary(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'-'
}

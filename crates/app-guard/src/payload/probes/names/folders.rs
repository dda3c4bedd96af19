//! Folders that are private, and those of content management systems.

use crate::payload::text::{at, slice};

use super::{CONSOLE, FILE, Judged, SECRET, SYSTEM};

/// What somebody who asks for this folder, or for what is in it, is after.
pub(super) fn folder(segment: &[u8], next: &[u8], in_path: bool) -> Option<Judged> {
    let judged = match segment {
        b".git" | b".svn" | b".hg" | b".bzr" | b"cvs"
            if segment != b"cvs" || matches!(next, b"root" | b"entries") =>
        {
            SECRET
        }
        b".aws" | b".ssh" | b".kube" | b".docker" | b".gnupg" | b".azure" | b".gcloud"
            if !next.is_empty() || in_path =>
        {
            SECRET
        }
        b"index.php" if next == b"component" && in_path => SYSTEM,
        b".idea" | b".vscode" | b".terraform" | b".circleci" | b".github" | b".config"
            if !next.is_empty() =>
        {
            FILE
        }
        b".well-known" => return None,
        b"wp-admin" | b"wp-content" | b"wp-includes" | b"wp-json" | b"wordpress"
            if segment != b"wordpress" || next.starts_with(b"wp-") || next == b"xmlrpc.php" =>
        {
            SYSTEM
        }
        b"phpmyadmin" | b"phpmyadmin2" | b"pma" | b"myadmin" | b"mysqladmin" | b"dbadmin"
        | b"phppgadmin" | b"adminer" | b"sqlmanager" | b"mysqlmanager"
            if in_path =>
        {
            SYSTEM
        }
        b"administrator"
            if matches!(
                next,
                b"index.php"
                    | b"components"
                    | b"manifests"
                    | b"language"
                    | b"modules"
                    | b"templates"
            ) && in_path =>
        {
            SYSTEM
        }
        b"sites" if next == b"default" || next == b"all" => SYSTEM,
        b"phpbb" | b"phpbb3" | b"mediawiki" | b"moodle" | b"prestashop" | b"opencart"
        | b"vbulletin" | b"modx" | b"concrete5" | b"silverstripe"
            if in_path && !next.is_empty() =>
        {
            SYSTEM
        }
        b"language" if next == b"en-gb" && in_path => SYSTEM,
        b"misc" if matches!(next, b"drupal.js" | b"ajax.js") && in_path => SYSTEM,
        b"core"
            if matches!(next, b"install.php" | b"changelog.txt" | b"authorize.php") && in_path =>
        {
            SYSTEM
        }
        b"skin" if matches!(next, b"frontend" | b"adminhtml") && in_path => SYSTEM,
        b"cms_wysiwyg" | b"widget_tabbedcontainer_tab_panel" if in_path => SYSTEM,
        b"app" if next == b"etc" && in_path => FILE,
        b"typo3" | b"typo3conf" | b"bitrix" | b"umbraco" | b"sitecore" if in_path => SYSTEM,
        b"downloader" if next == b"index.php" => SYSTEM,
        b"drupal" | b"joomla" | b"magento"
            if matches!(
                next,
                b"changelog.txt"
                    | b"readme.txt"
                    | b"administrator"
                    | b"install.php"
                    | b"sites"
                    | b"user"
            ) =>
        {
            SYSTEM
        }
        b"cgi-bin" | b"cgi-mod" | b"cgi" if in_path && (segment != b"cgi" || !next.is_empty()) => {
            CONSOLE
        }
        b"web-inf" | b"meta-inf" => SECRET,
        _ if segment.starts_with(b"phpmyadmin") && in_path => SYSTEM,
        _ => return None,
    };
    Some(judged)
}

/// Folders whose name begins with a dot are for programs on the machine: editors, assistants, tools of a build. Who
/// asks for their settings has no page in mind.
pub(super) fn hidden(segment: &[u8], behind: &[&[u8]], in_path: bool) -> Option<Judged> {
    let is_hidden = at(segment, 0) == b'.' && at(segment, 1).is_ascii_alphanumeric();
    // These are served on purpose.
    let is_served = matches!(segment, b".well-known" | b".netlify" | b".auth" | b".proxy");
    let last = behind.last()?;
    if !in_path || !is_hidden || is_served {
        return None;
    }
    let dot = last.iter().rposition(|&byte| byte == b'.');
    let extension = dot.map_or(&b""[..], |dot| slice(last, dot + 1, last.len()));
    let is_page = matches!(
        extension,
        b"js" | b"mjs" | b"css" | b"png" | b"jpg" | b"svg" | b"ico" | b"webp" | b"woff2" | b"html"
    );
    let is_setting = !extension.is_empty() && !is_page
        || matches!(
            *last,
            b"config" | b"credentials" | b"history" | b"token" | b"settings" | b"private_key"
        );
    is_setting.then_some(FILE)
}

/// What visitors of a site of WordPress get: pictures and documents, and the articles by the interface for them.
pub(super) fn public_of_system(segment: &[u8], behind: &[&[u8]]) -> bool {
    match (segment, behind) {
        (b"wp-content", [b"uploads", .., last]) => {
            let dot = last.iter().rposition(|&byte| byte == b'.');
            let extension = dot.map_or(&b""[..], |dot| slice(last, dot + 1, last.len()));
            matches!(
                extension,
                b"png"
                    | b"jpg"
                    | b"jpeg"
                    | b"gif"
                    | b"webp"
                    | b"avif"
                    | b"ico"
                    | b"pdf"
                    | b"mp3"
                    | b"mp4"
                    | b"webm"
                    | b"docx"
                    | b"xlsx"
            )
        }
        (
            b"wp-json",
            [
                b"wp",
                b"v2",
                b"posts" | b"pages" | b"categories" | b"tags" | b"media" | b"comments",
                ..,
            ],
        ) => true,
        _ => false,
    }
}

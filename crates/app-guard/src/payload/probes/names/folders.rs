//! Folders that are private, and those of content management systems.

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

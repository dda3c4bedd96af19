//! Pages of content management systems and of people who test a server.

use super::{Judged, LEFTOVER, SYSTEM};

/// Pages of content management systems and of people who test a server.
pub(super) fn by_system_page(last: &[u8], in_path: bool) -> Option<Judged> {
    let page = matches!(
        last,
        b"wp-login.php"
            | b"wp-cron.php"
            | b"wp-trackback.php"
            | b"wp-signup.php"
            | b"wp-config.php~"
            | b"wp-config.txt"
            | b"wp-settings.php"
            | b"wp-load.php"
            | b"wp-mail.php"
            | b"wlwmanifest.xml"
            | b"xmlrpc.php"
            | b"wp-login"
            | b"wp-admin.php"
            | b"configuration.php-dist"
            | b"changelog.txt"
            | b"install.php"
            | b"upgrade.php"
            | b"admin-ajax.php"
            | b"adminer.php"
            | b"phpmyadmin.php"
            | b"pma.php"
            | b"magento_version"
            | b"joomla.xml"
            | b"license.php"
            | b"readme.php"
    );
    if page
        && (in_path
            || !matches!(last, b"changelog.txt" | b"install.php" | b"upgrade.php" | b"readme.php"))
        && last != b"changelog.txt"
    {
        return Some(SYSTEM);
    }
    let is_adminer = last.starts_with(b"adminer-") && last.ends_with(b".php");
    let test = matches!(
        last,
        b"phpinfo.php"
            | b"info.php"
            | b"test.php"
            | b"php_info.php"
            | b"phpinfo"
            | b"i.php"
            | b"pinfo.php"
            | b"php.php"
            | b"eval-stdin.php"
            | b"phptest.php"
            | b"server-info.php"
    );
    let shell = matches!(
        last,
        b"shell.php"
            | b"c99.php"
            | b"r57.php"
            | b"wso.php"
            | b"cmd.php"
            | b"alfa.php"
            | b"alfacgiapi"
            | b"up.php"
            | b"upload.php"
            | b"webshell.php"
            | b"b374k.php"
            | b"x.php"
            | b"1.php"
            | b"xx.php"
            | b"0.php"
            | b"a.php"
            | b"mini.php"
            | b"fm.php"
            | b"filemanager.php"
            | b"radio.php"
            | b"indoxploit.php"
            | b"cmd.jsp"
            | b"cmd.asp"
            | b"cmd.aspx"
            | b"shell.jsp"
            | b"shell.asp"
            | b"shell.aspx"
            | b"wp-22.php"
            | b"lock360.php"
            | b"about.php7"
    );
    if is_adminer {
        return Some(SYSTEM);
    }
    ((test || shell) && in_path).then_some(LEFTOVER)
}

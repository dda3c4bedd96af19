//! Names in paths, each a whole segment or an extension: never a part of a word.

use crate::payload::text::{at, slice};

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A file that holds secrets wherever it is named.
    Secret,
    /// A file of a project or a server.
    File,
    /// A page of a content management system.
    System,
    /// A copy that was left behind.
    Leftover,
    /// A console, a device or an interface with known holes.
    Console,
}

type Judged = (Probe, &'static str, &'static str);

/// What this path, in lower case, asks for.
pub(super) fn judge(path: &[u8], in_path: bool) -> Option<Judged> {
    // As folders these are somebody's product; as a page they are a word like others.
    match path {
        b"/solr/" | b"/nexus/" | b"/zabbix/" | b"/nagios/" | b"/cacti/" | b"/hudson/"
        | b"/owa/" | b"/ecp/" | b"/confluence/" | b"/ssl-vpn/" | b"/svpn/" | b"/jenkins/"
            if in_path =>
        {
            return Some(CONSOLE);
        }
        b"/joomla/" | b"/drupal/" | b"/wordpress/" | b"/magento/" | b"/wp/" if in_path => {
            return Some(SYSTEM);
        }
        _ if in_path && path.ends_with(b"/administrator/") => return Some(SYSTEM),
        _ => {}
    }
    let segments: Vec<&[u8]> = path
        .split(|&byte| matches!(byte, b'/' | b'\\'))
        .map(without_parameters)
        .filter(|segment| !segment.is_empty() && *segment != b".")
        .take(64)
        .collect();
    let last = segments.last().copied().unwrap_or_default();
    let is_root = segments.len() <= 1;
    if last.is_empty() {
        return None;
    }
    for (index, segment) in segments.iter().enumerate() {
        let next = segments.get(index + 1).copied().unwrap_or_default();
        if let Some(judged) = folder(segment, next, in_path) {
            return Some(judged);
        }
    }
    file(last, is_root, in_path).or_else(|| console(&segments, in_path))
}

/// `;jsessionid=…`, a zero byte and what follows.
fn without_parameters(segment: &[u8]) -> &[u8] {
    slice(
        segment,
        0,
        segment.iter().position(|&byte| matches!(byte, b';' | 0)).unwrap_or(segment.len()),
    )
}

const SECRET: Judged = (Probe::Secret, "probe_secret", "a file that holds secrets");
const FILE: Judged = (Probe::File, "probe_file", "a file of a project or a server");
const SYSTEM: Judged = (Probe::System, "probe_system", "a page of a content management system");
const LEFTOVER: Judged =
    (Probe::Leftover, "probe_leftover", "a copy or a test page that was left behind");
const CONSOLE: Judged = (Probe::Console, "probe_console", "a console or a device with known holes");

/// Folders that are private, and those of content management systems.
fn folder(segment: &[u8], next: &[u8], in_path: bool) -> Option<Judged> {
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

/// Files by name and by extension.
fn file(last: &[u8], is_root: bool, in_path: bool) -> Option<Judged> {
    let is_environment = last == b".env"
        || last.starts_with(b".env.")
        || last.starts_with(b".env-")
        || last.starts_with(b".env_")
        || last == b".envrc"
        || last.ends_with(b".env")
            && at(last, 0) != b'.'
            && matches!(
                slice(last, 0, last.len() - 4),
                b"prod"
                    | b"production"
                    | b"dev"
                    | b"local"
                    | b"app"
                    | b"config"
                    | b"docker"
                    | b"backend"
            );
    // The example is made to be seen.
    if is_environment
        && !matches!(last, b".env.example" | b".env.sample" | b".env.template" | b".env.dist")
    {
        return Some(SECRET);
    }
    if is_environment && in_path {
        return Some(SECRET);
    }
    let secret = matches!(
        last,
        b".htpasswd"
            | b".htaccess"
            | b".git-credentials"
            | b".gitconfig"
            | b".netrc"
            | b".pgpass"
            | b".my.cnf"
            | b".npmrc"
            | b".pypirc"
            | b".dockercfg"
            | b".dockerenv"
            | b".bash_history"
            | b".zsh_history"
            | b".mysql_history"
            | b".psql_history"
            | b".bashrc"
            | b".bash_profile"
            | b".profile"
            | b".s3cfg"
            | b".boto"
            | b".ftpconfig"
            | b".vault-token"
            | b".sh_history"
            | b"id_rsa"
            | b"id_dsa"
            | b"id_ecdsa"
            | b"id_ed25519"
            | b"authorized_keys"
            | b"known_hosts"
            | b"wp-config.php"
            | b"wp-config.php.bak"
            | b"localsettings.php"
            | b"credentials.json"
            | b"service-account.json"
            | b"serviceaccountkey.json"
            | b"master.key"
            | b"credentials.yml.enc"
            | b"secrets.yml"
            | b"secrets.yaml"
            | b"secrets.json"
            | b"secret.key"
            | b"private.key"
            | b"server.key"
            | b"privatekey.pem"
            | b"private.pem"
            | b"key.pem"
            | b"htpasswd"
            | b"shadow.bak"
    );
    if secret
        && (in_path
            || !matches!(
                last,
                b".profile"
                    | b".bashrc"
                    | b"known_hosts"
                    | b".npmrc"
                    | b".gitconfig"
                    | b"authorized_keys"
            ))
    {
        return Some(SECRET);
    }
    if !in_path && secret {
        return Some(FILE);
    }
    let project = matches!(
        last,
        b"web.config"
            | b"appsettings.json"
            | b"appsettings.development.json"
            | b"appsettings.production.json"
            | b"database.yml"
            | b"database.yaml"
            | b"database.php"
            | b"config.php"
            | b"config.inc.php"
            | b"configuration.php"
            | b"settings.php"
            | b"settings.py"
            | b"local_settings.py"
            | b"config.yml"
            | b"config.yaml"
            | b"config.ini"
            | b"config.toml"
            | b"config.env"
            | b"application.yml"
            | b"application.yaml"
            | b"application.properties"
            | b"application-prod.properties"
            | b"parameters.yml"
            | b"docker-compose.yml"
            | b"docker-compose.yaml"
            | b"dockerfile"
            | b"jenkinsfile"
            | b"vagrantfile"
            | b"terraform.tfstate"
            | b"terraform.tfvars"
            | b".ds_store"
            | b"thumbs.db"
            | b".travis.yml"
            | b".gitlab-ci.yml"
            | b".gitignore"
            | b".gitmodules"
            | b".dockerignore"
            | b".editorconfig"
            | b".babelrc"
            | b".eslintrc"
            | b".user.ini"
            | b"php.ini"
            | b"my.cnf"
            | b"my.ini"
            | b"sftp-config.json"
            | b"sftp.json"
            | b"ftpsync.settings"
            | b"filezilla.xml"
            | b"sitemanager.xml"
            | b"recentservers.xml"
            | b"ws_ftp.ini"
            | b"winscp.ini"
            | b"web.xml"
            | b"hibernate.cfg.xml"
            | b"struts.xml"
            | b"context.xml"
            | b"global.asa"
            | b"global.asax"
            | b"db.php"
            | b"connect.php"
            | b"error_log"
            | b"debug.log"
            | b"access.log"
            | b"error.log"
            | b"laravel.log"
            | b"npm-debug.log"
            | b"storage.log"
            | b"crossdomain.xml"
            | b"clientaccesspolicy.xml"
    );
    let manifest = is_root
        && matches!(
            last,
            b"composer.json"
                | b"composer.lock"
                | b"package.json"
                | b"package-lock.json"
                | b"yarn.lock"
                | b"pipfile"
                | b"gemfile"
                | b"gemfile.lock"
                | b"requirements.txt"
                | b"makefile"
                | b"gruntfile.js"
                | b"gulpfile.js"
                | b"app.py"
                | b"main.py"
                | b"manage.py"
                | b"server.js"
        );
    if (project || manifest) && in_path && !matches!(last, b"crossdomain.xml") {
        return Some(FILE);
    }
    if project
        && !in_path
        && matches!(
            last,
            b"web.config"
                | b"config.php"
                | b"config.inc.php"
                | b"web.xml"
                | b"database.yml"
                | b"settings.php"
                | b"configuration.php"
        )
    {
        return Some(FILE);
    }
    by_extension(last, is_root, in_path)
}

fn by_extension(last: &[u8], is_root: bool, in_path: bool) -> Option<Judged> {
    if !in_path {
        return by_system_page(last, in_path);
    }
    let dot = last.iter().rposition(|&byte| byte == b'.');
    let (stem, extension) = match dot {
        Some(dot) if dot > 0 => (slice(last, 0, dot), slice(last, dot + 1, last.len())),
        _ => return by_system_page(last, in_path),
    };
    if last.ends_with(b"~") {
        return Some(LEFTOVER);
    }
    let is_copy = matches!(
        extension,
        b"bak"
            | b"backup"
            | b"old"
            | b"orig"
            | b"save"
            | b"swp"
            | b"swo"
            | b"swn"
            | b"bkp"
            | b"copy"
            | b"tmp"
            | b"temp"
            | b"inc"
            | b"dist"
            | b"1"
    );
    // `notes.old` may be somebody's; `index.php.bak` is a source.
    let source = stem
        .rsplit(|&byte| byte == b'.')
        .next()
        .is_some_and(|end| end.len() < stem.len() && end.iter().all(u8::is_ascii_alphabetic));
    if is_copy
        && (source
            || !matches!(extension, b"copy" | b"1" | b"dist" | b"tmp" | b"temp" | b"inc" | b"save"))
    {
        return Some(LEFTOVER);
    }
    let archived = [
        &b"backup"[..],
        b"dump",
        b"db",
        b"database",
        b"www",
        b"site",
        b"wwwroot",
        b"public_html",
        b"htdocs",
        b"src",
        b"source",
        b"web",
        b"website",
        b"html",
        b"bak",
        b"sql",
        b"mysql",
        b"old",
        b"full",
        b"data",
    ]
    .contains(&stem_of(stem));
    let is_archive =
        matches!(extension, b"zip" | b"gz" | b"tgz" | b"tar" | b"rar" | b"7z" | b"bz2");
    if is_archive && archived {
        return Some(LEFTOVER);
    }
    if matches!(
        extension,
        b"sql"
            | b"sqlite"
            | b"sqlite3"
            | b"sqlitedb"
            | b"mdb"
            | b"dbf"
            | b"kdbx"
            | b"pfx"
            | b"p12"
            | b"jks"
            | b"keystore"
            | b"ovpn"
            | b"rdp"
            | b"ppk"
            | b"tfstate"
            | b"pgsql"
            | b"dmp"
            | b"pem"
            | b"bson"
    ) || last.ends_with(b".sql.gz")
        || last.ends_with(b".sql.zip")
    {
        return Some(FILE);
    }
    // Programs of other languages, at the root or in folders of sources.
    let is_source = matches!(extension, b"py" | b"rb" | b"java" | b"go" | b"rs" | b"pl" | b"sh");
    if is_source && is_root {
        return Some(FILE);
    }
    let old_page = [
        &b"index"[..],
        b"home",
        b"page",
        b"post",
        b"article",
        b"about",
        b"contact",
        b"view",
        b"product",
        b"category",
        b"search",
        b"news",
        b"item",
        b"feed",
        b"blog",
        b"gallery",
        b"viewtopic",
        b"showthread",
    ]
    .contains(&stem);
    if extension == b"php" && !old_page && is_root {
        return Some(LEFTOVER);
    }
    by_system_page(last, in_path)
}

/// `backup-2024`, `db.sql`: the part that says what it is.
fn stem_of(stem: &[u8]) -> &[u8] {
    let end = stem
        .iter()
        .position(|&byte| matches!(byte, b'.' | b'-' | b'_') || byte.is_ascii_digit())
        .unwrap_or(stem.len());
    slice(stem, 0, end)
}

/// Pages of content management systems and of people who test a server.
fn by_system_page(last: &[u8], in_path: bool) -> Option<Judged> {
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

/// Consoles and devices, as whole paths.
fn console(segments: &[&[u8]], in_path: bool) -> Option<Judged> {
    let first = segments.first().copied().unwrap_or_default();
    let second = segments.get(1).copied().unwrap_or_default();
    let last = segments.last().copied().unwrap_or_default();
    let actuator =
        segments.iter().position(|segment| *segment == b"actuator").is_some_and(|index| {
            matches!(
                segments.get(index + 1).copied().unwrap_or_default(),
                b"" | b"env"
                    | b"heapdump"
                    | b"threaddump"
                    | b"dump"
                    | b"trace"
                    | b"httptrace"
                    | b"mappings"
                    | b"beans"
                    | b"configprops"
                    | b"gateway"
                    | b"jolokia"
                    | b"logfile"
                    | b"loggers"
                    | b"shutdown"
                    | b"sessions"
                    | b"auditevents"
                    | b"refresh"
                    | b"restart"
                    | b"metrics"
                    | b"conditions"
                    | b"caches"
                    | b"scheduledtasks"
                    | b"jenkins"
                    | b"hystrix.stream"
                    | b"health"
                    | b"info"
            ) && !matches!(segments.get(index + 1).copied(), Some(b"health" | b"info"))
        });
    let pair = matches!(
        (first, second),
        (b"manager", b"html" | b"text" | b"status" | b"jmxproxy")
            | (b"host-manager", b"html")
            | (b"solr", b"admin" | b"select" | b"admin.cgi" | b"#")
            | (b"jenkins", b"script" | b"login" | b"asynchpeople")
            | (b"owa", b"auth" | b"auth.owa")
            | (b"ecp", b"default.flt" | b"current" | b"y.js")
            | (b"autodiscover", b"autodiscover.json" | b"autodiscover.xml")
            | (b"remote", b"login" | b"fgt_lang" | b"logincheck")
            | (b"dana-na", _)
            | (b"dana-cached", _)
            | (b"+cscoe+" | b"+cscot+" | b"+cscol+", _)
            | (b"global-protect", _)
            | (b"ssl-vpn", _)
            | (b"vpn", b"index.html")
            | (b"vpns", _)
            | (b"versa", b"login")
            | (b"sslvpn", _)
            | (b"tmui", _)
            | (b"mgmt", b"tm" | b"shared")
            | (b"gponform", _)
            | (b"boaform", _)
            | (b"goform", _)
            | (b"setup.cgi", _)
            | (b"hnap1", _)
            | (b"_ignition", _)
            | (b"telescope", b"requests")
            | (b"horizon", b"api")
            | (b"druid", b"index.html" | b"indexer" | b"coordinator")
            | (b"nacos", b"v1" | b"")
            | (b"jmx-console" | b"web-console" | b"admin-console" | b"invoker" | b"jbossws", _)
            | (b"wls-wsat" | b"_async" | b"bea_wls_internal" | b"uddiexplorer", _)
            | (b"axis2", b"axis2-admin" | b"services")
            | (b"api", b"jsonws" | b"jolokia")
            | (b"jolokia", _)
            | (b"hudson", _)
            | (b"struts", b"webconsole.html")
            | (b"struts2-showcase" | b"struts2-blank", _)
            | (b"_cat" | b"_nodes" | b"_cluster", _)
            | (b"_all_dbs" | b"_utils", _)
            | (b"_profiler", _)
            | (b"debug", b"default" | b"pprof" | b"vars")
            | (b"rest", b"applinks" | b"tinymce")
            | (b"geoserver", b"web" | b"wfs" | b"ows")
            | (b"webui", b"logoncommand")
            | (b"portal", b"redlion")
            | (b"sdk", b"vimservice" | b"")
            | (b"nice ports,", _)
            | (b"evox", _)
            | (b"zabbix", b"index.php")
            | (b"nagios", b"cgi-bin")
            | (b"cacti", b"graph_view.php" | b"remote_agent.php")
            | (b"vendor", b"phpunit" | b"composer")
            | (b"v2", b"_catalog")
            | (b"containers", b"json")
            | (
                b"server-status" | b"server-info" | b"nginx_status" | b"phpfpm_status" | b"php-fpm",
                b""
            )
            | (b"hystrix.stream" | b"heapdump" | b"threaddump" | b"env.json", b"")
            | (b"trace.axd" | b"elmah.axd", _)
            | (b"login.action" | b"index.action" | b"dologin.action" | b"struts.action", b"")
            | (
                b"currentsetting.htm"
                    | b"getcfg.php"
                    | b"ipcamdesc.xml"
                    | b"device.rsp"
                    | b"picsdesc.xml"
                    | b"rom-0",
                b""
            )
            | (b"rdweb", _)
            | (b"citrix", _)
            | (b"pulse", b"global")
            | (b"aspnet_client", _)
            | (b"_vti_bin" | b"_vti_pvt" | b"_layouts", _)
            | (b"sap", b"bc" | b"admin")
            | (b"irj", b"portal")
            | (b"magicinfo", _)
            | (b"officescan", _)
            | (b"centreon" | b"scadabr" | b"pandora_console" | b"decisioncenter" | b"metasys", _)
            | (b"nifi-api" | b"nifi" | b"geoserver" | b"sonicui" | b"myvpn" | b"vpntunnel", _)
            | (b"owa" | b"ecp", b"auth" | b"current" | b"#")
            | (b"confluence", b"pages" | b"login.action" | b"dologin.action" | b"setup" | b"rest")
            | (b"config_dump" | b"clientaccesspolicy", _)
            | (b"kylin", b"api")
            | (b"luci" | b"webfig", _)
            | (b"console", b"login" | b"console.portal" | b"css")
            | (b"script", b"")
    );
    let third = segments.iter().any(|segment| {
        matches!(
            *segment,
            b"phpunit"
                | b"thinkphp"
                | b"jmx-console"
                | b"_ignition"
                | b"elmah.axd"
                | b"trace.axd"
                | b"jolokia"
                | b"heapdump"
                | b"gponform"
                | b"winbox"
                | b"logoncommand"
        )
    });
    let dot = last.iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
    let extension = if dot > 1 { slice(last, dot, last.len()) } else { &[] };
    // No program of ours has pages like these.
    let foreign = in_path
        && matches!(
            extension,
            b"asp"
                | b"aspx"
                | b"ashx"
                | b"asmx"
                | b"jsp"
                | b"jspx"
                | b"jspa"
                | b"jhtml"
                | b"cfm"
                | b"cgi"
                | b"fcgi"
                | b"do"
                | b"shtml"
                | b"action"
                | b"axd"
                | b"jsa"
                | b"lasso"
                | b"dll"
        );
    ((actuator
        || pair && first != b"script" && (first, second) != (b"vpn", b"") && first != b"sdk"
        || third)
        && (in_path || segments.len() >= 2)
        || foreign)
        .then_some(CONSOLE)
}

//! Files of projects and servers, by name.

use super::leftovers::by_extension;
use super::{FILE, Judged, SECRET, SYSTEM};
use crate::payload::text::{at, slice};

/// Files by name and by extension.
pub(super) fn file(last: &[u8], is_root: bool, in_path: bool) -> Option<Judged> {
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
    // At the root it tells the version of a content management system.
    if is_root && in_path && last == b"changelog.txt" {
        return Some(SYSTEM);
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
                | b"config.json"
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
    if in_path && (by_form(last, is_root) || secret_by_word(last, is_root)) {
        return Some(FILE);
    }
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

/// Files whose names say what they are by their form: hidden ones, and settings of servers, builds and frameworks.
fn by_form(last: &[u8], is_root: bool) -> bool {
    let is_hidden = at(last, 0) == b'.'
        && at(last, 1).is_ascii_alphabetic()
        && last.len() >= 5
        && !last.contains(&b'-');
    let dot = last.iter().rposition(|&byte| byte == b'.').unwrap_or(last.len());
    let (stem, extension) = (slice(last, 0, dot), slice(last, dot + 1, last.len()));
    let starts = |names: &[&[u8]]| names.iter().any(|name| stem.starts_with(name));
    let of_server = matches!(
        extension,
        b"conf"
            | b"cnf"
            | b"ini"
            | b"cfg"
            | b"config"
            | b"tfvars"
            | b"properties"
            | b"toml"
            | b"lock"
            | b"mod"
            | b"sum"
    );
    // `next.config.js`, `vite.config.ts`
    let of_build =
        stem.ends_with(b".config") && matches!(extension, b"js" | b"ts" | b"mjs" | b"cjs");
    let of_profile = matches!(extension, b"yml" | b"yaml" | b"json" | b"properties")
        && starts(&[
            b"application-",
            b"application.",
            b"appsettings.",
            b"docker-compose",
            b"local.settings",
            b"pnpm-lock",
            b"bootstrap-",
            b"parameters",
        ]);
    let is_known_form = [&b"rc"[..], b"_history", b"ignore", b"info", b"rc.json"]
        .iter()
        .any(|end| last.ends_with(end));
    is_hidden && (is_root || is_known_form)
        || is_root && (of_server && !stem.is_empty() || of_build)
        || of_profile
        || matches!(extension, b"cnf" | b"tfvars") && !stem.is_empty()
        || matches!(
            last,
            b"tomcat-users.xml"
                | b"wallet.dat"
                | b"procfile"
                | b"kubeconfig"
                | b"firebase.json"
                | b"phpunit.xml"
                | b"phpunit.xml.dist"
        )
}

/// `credentials.csv`, `service-key.json`: data under a name that says what must not be read.
fn secret_by_word(last: &[u8], is_root: bool) -> bool {
    let Some(dot) = last.iter().rposition(|&byte| byte == b'.') else { return false };
    let (stem, extension) = (slice(last, 0, dot), slice(last, dot + 1, last.len()));
    let is_data = matches!(
        extension,
        b"txt" | b"csv" | b"json" | b"yml" | b"yaml" | b"xml" | b"log" | b"xlsx" | b"db"
    );
    let is_word = matches!(
        stem,
        b"credentials"
            | b"credential"
            | b"creds"
            | b"secrets"
            | b"secret"
            | b"passwords"
            | b"passwd"
            | b"private_key"
    );
    let is_key = [
        &b"service-key"[..],
        b"service_key",
        b"service-account",
        b"service_account",
        b"serviceaccount",
    ]
    .iter()
    .any(|word| crate::payload::text::contains(stem, word));
    is_data && (is_word && is_root || is_key)
}

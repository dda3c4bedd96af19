//! What a newcomer sees first.

use crate::output::{Fields, Paint, Style, visible};
use ringwall_lifecycle::ReadyFile;

pub(super) fn text(
    ready: &ReadyFile,
    watched: Option<&str>,
    is_demo: bool,
    paint: Paint,
) -> String {
    let password = match ready.admin_password.as_str() {
        "" => "as you set it",
        password => password,
    };
    let mut fields = Fields::default()
        .styled("Dashboard", &ready.main, Style::Accent)
        .with("User", "admin")
        .styled("Password", password, Style::Strong);
    for (dialect, name) in [("sysscore", "SysScore"), ("watcher", "Watcher")] {
        fields = fields.maybe(name, ready.dialects.get(dialect));
    }
    fields = fields
        .with("Watching", watched.map_or("nothing here: --no-host-agent", |_| "this machine"))
        .with("Data", ready.data_dir.to_string_lossy());
    if is_demo {
        fields = fields.styled(
            "Demo",
            "demo-web-1 and demo-db-1 are made up; nothing of them is real",
            Style::Warning,
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut out = paint.as_(Style::Strong, &format!("Ringwall {version} is up"));
    if let Some(name) = watched {
        out += &format!(" on {}", visible(name));
    }
    out.push_str("\n\n");
    for line in fields.render(paint).lines() {
        out += &format!("  {line}\n");
    }
    out += "\nSee what it concludes:  ringwall alerts --follow\nStop it:                Ctrl-C\n";
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_says_where_to_look() {
        let ready = ReadyFile {
            main: "http://127.0.0.1:7400".to_owned(),
            dialects: BTreeMap::from([
                ("sysscore".to_owned(), "http://127.0.0.1:8000".to_owned()),
                ("watcher".to_owned(), "http://127.0.0.1:7400/dialects/watcher".to_owned()),
            ]),
            policy_socket: None,
            ca_file: None,
            tls_name: None,
            admin_token: "rwt_token".to_owned(),
            admin_password: "open-sesame".to_owned(),
            data_dir: "/home/ada/.local/share/ringwall".into(),
            pid: 1,
        };
        let shown = text(&ready, Some("laptop"), true, Paint::default());
        assert_eq!(
            shown,
            "Ringwall 0.1.0 is up on laptop

  Dashboard  http://127.0.0.1:7400
  User       admin
  Password   open-sesame
  SysScore   http://127.0.0.1:8000
  Watcher    http://127.0.0.1:7400/dialects/watcher
  Watching   this machine
  Data       /home/ada/.local/share/ringwall
  Demo       demo-web-1 and demo-db-1 are made up; nothing of them is real

See what it concludes:  ringwall alerts --follow
Stop it:                Ctrl-C
"
        );
        assert!(!shown.contains("rwt_token"));
    }
}

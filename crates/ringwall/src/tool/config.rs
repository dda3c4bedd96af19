use crate::output::{Output, Style, say};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_lifecycle::Exit;
use ringwall_lifecycle::config::{Explained, Origin};
use ringwall_server::Config;
use serde::Serialize;
use std::path::PathBuf;

/// The configuration: check it, or have it explained
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  ringwall config check --config /etc/ringwall/ringwall.toml
  ringwall config explain > ringwall.toml      a file to begin with: everything at its default";

#[derive(Debug, Subcommand)]
enum Action {
    /// Whether a configuration file is right
    Check(File),
    /// Every field with its documentation, default, value, and where the value comes from
    ///
    /// What is printed is itself a configuration file.
    Explain(File),
}

#[derive(Debug, Args)]
struct File {
    /// The configuration file; without it, everything is at its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        Action::Check(file) => {
            Config::load(file.config.as_deref())?;
            if file.json {
                Output::new(true).json(&serde_json::json!({ "ok": true }))?;
            } else {
                say(&match &file.config {
                    Some(path) => format!("{}: all is well", path.display()),
                    None => "no file: everything is at its default, and all is well".to_owned(),
                });
            }
        }
        Action::Explain(file) => {
            let loaded = Config::load(file.config.as_deref())?;
            let explained = Config::explain(&loaded)?;
            let out = Output::new(file.json);
            if file.json {
                let rows: Vec<Row> = explained.iter().map(Row::of).collect();
                out.json(&rows)?;
            } else {
                let path = loaded.path.map(|path| path.display().to_string());
                out.text(&as_toml(&explained, path.as_deref(), &out))?;
            }
        }
    }
    Ok(Exit::Yes)
}

/// A field for programs.
#[derive(Serialize)]
struct Row<'a> {
    field: String,
    doc: &'a str,
    value: Option<&'a str>,
    default: Option<&'a str>,
    origin: String,
}

impl<'a> Row<'a> {
    fn of(field: &'a Explained) -> Self {
        Self {
            field: format!("{}.{}", field.section, field.field),
            doc: &field.doc,
            value: field.value.as_deref(),
            default: field.default.as_deref(),
            origin: match &field.origin {
                Origin::Default => "default".to_owned(),
                Origin::File { line } => format!("line {line}"),
                Origin::Override(by) => by.clone(),
            },
        }
    }
}

/// An empty path: the place is found when it is needed.
const NOWHERE: &str = "\"\"";

/// A configuration file that explains itself.
fn as_toml(explained: &[Explained], path: Option<&str>, out: &Output) -> String {
    let mut text = String::new();
    let mut section = "";
    let comment = |line: &str, indent: &str| {
        wrapped(line, 98 - indent.len())
            .iter()
            .map(|line| format!("{}\n", out.paint.as_(Style::Faint, &format!("# {line}"))))
            .collect::<String>()
    };
    for field in explained {
        if field.section != section {
            if !section.is_empty() {
                text.push('\n');
            }
            section = field.section;
            field.about.lines().for_each(|line| text += &comment(line, "# "));
            text += &format!("{}\n", out.paint.as_(Style::Strong, &format!("[{section}]")));
        }
        text.push('\n');
        field.doc.lines().for_each(|line| text += &comment(line, "# "));
        let default = field.default.as_deref().filter(|text| *text != NOWHERE).unwrap_or("not set");
        let origin = match &field.origin {
            Origin::Default => None,
            Origin::File { line } => {
                Some(format!("set at {}:{line}", path.unwrap_or("configuration")))
            }
            Origin::Override(by) => Some(format!("set by {by}")),
        };
        let origin = origin.map_or_else(String::new, |origin| format!("; {origin}"));
        text += &comment(&format!("Default: {default}{origin}."), "# ");
        text += &match &field.value {
            Some(value) if value != NOWHERE => format!("{} = {value}\n", field.field),
            _ => format!("# {} =\n", field.field),
        };
    }
    text
}

/// Lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;
    use ringwall_lifecycle::config::{Loaded, parse};
    use std::path::Path;

    fn explain(loaded: &Loaded<Config>) -> String {
        let out = Output { json: false, paint: Paint::default(), width: None };
        as_toml(&Config::explain(loaded).unwrap(), Some("c.toml"), &out)
    }

    #[test]
    fn the_explanation_is_the_reviewed_one() {
        let text = explain(&Loaded::default());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config-explain.toml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "the explanation changed; review it with UPDATE_GOLDEN=1:\n{text}");
    }

    #[test]
    fn the_explanation_is_a_configuration_of_the_same_values() {
        let given = "[server]\nlisten = \"[::1]:1\"\n[protected]\nnames = [\"a\", \"b\\\"c\"]\n";
        for text in ["", given] {
            let loaded = parse::<Config>("c.toml", text).unwrap();
            let again = parse::<Config>("again.toml", &explain(&loaded)).unwrap();
            assert_eq!(again.value, loaded.value);
        }
        let explained = explain(&parse::<Config>("c.toml", given).unwrap());
        assert!(
            explained
                .contains("# Default: \"127.0.0.1:7400\"; set at c.toml:2.\nlisten = \"[::1]:1\""),
            "{explained}"
        );
    }
}

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

#[test]
fn without_a_server_there_is_no_answer() {
    let folder = Folder::new("alone");
    let output = ringwall(&["hosts", "--data-dir", folder.path("none").to_str().unwrap()]);
    assert_eq!(
        said(&output),
        format!(
            "error: no server runs on {}\nhint: start one with `ringwall up`, or name another by \
             --data-dir, or by RINGWALL_URL and RINGWALL_TOKEN\n",
            folder.path("none").display()
        )
    );
    assert_eq!((printed(&output).as_str(), output.status.code()), ("", Some(2)));

    let mut command = command(&["status", "--json"]);
    command.env("RINGWALL_URL", "http://127.0.0.1:1").env("RINGWALL_TOKEN", "rwt_x");
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(
        said.starts_with("error: cannot reach http://127.0.0.1:1: connection refused\nhint: "),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let folder = Folder::new("config");
    let file = folder.path("ringwall.toml");
    std::fs::write(&file, "[server]\nlisen = \"127.0.0.1:1\"\n").unwrap();
    let file = file.to_str().unwrap();
    let output = ringwall(&["config", "check", "--config", file]);
    let expected =
        format!("error: {file}:2:1: unknown field `lisen`\nhint: did you mean `listen`?\n");
    assert_eq!((said(&output), output.status.code()), (expected, Some(2)));

    let text = "[tls]\nenabled = \"never\"\n[server]\nlisten = \"0.0.0.0:7400\"\n";
    std::fs::write(file, text).unwrap();
    for arguments in [
        &["config", "check", "--config", file][..],
        &["server", "--check", "--config", file],
        &["up", "--config", file],
    ] {
        let output = ringwall(arguments);
        let said = said(&output);
        let place = format!("error: {file}:4: server.listen: 0.0.0.0:7400 is reached by other");
        assert!(said.starts_with(&place), "{arguments:?}: {said}");
        assert!(
            said.contains(
                "\nhint: leave `enabled` under [tls] at \"auto\", or listen on 127.0.0.1"
            ),
            "{said}"
        );
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }

    std::fs::write(file, "[detection]\nnew_processes = false\n").unwrap();
    let output = ringwall(&["config", "check", "--config", file]);
    assert_eq!((printed(&output).as_str(), output.status.code()), ("", Some(0)));
    let output = ringwall(&["config", "explain", "--json", "--config", file]);
    let fields: serde_json::Value = serde_json::from_str(&printed(&output)).unwrap();
    let mut fields = fields.as_array().unwrap().iter();
    let field = fields.find(|field| field["field"] == "detection.new_processes").unwrap();
    assert_eq!(
        (&field["value"], &field["default"], &field["origin"]),
        (&"false".into(), &"true".into(), &"line 2".into())
    );
}

#[test]
fn a_wrong_env_file_is_told_with_its_line_and_without_its_secrets() {
    let folder = Folder::new("env");
    let file = folder.path(".env");
    std::fs::write(&file, "A=1\nexport s3cret\n").unwrap();
    let data = folder.path("data");
    let output = ringwall(&[
        "up",
        "--data-dir",
        data.to_str().unwrap(),
        "--env-file",
        file.to_str().unwrap(),
    ]);
    let expected = format!("error: {}:2: expected NAME=value\n", file.display());
    assert_eq!((said(&output), output.status.code()), (expected, Some(2)));
}

#[test]
fn words_that_are_not_known_are_refused() {
    for arguments in [
        &["alerts", "--state", "opened"][..],
        &["events", "--kind", "process_startet"],
        &["indicators", "add", "proces", "x"],
        &["commands", "kill", "web-1", "1", "--reason", "x"],
        &["keys", "create", "sysscore"],
        &["frobnicate"],
    ] {
        let output = ringwall(arguments);
        assert!(said(&output).starts_with("error: "), "{arguments:?}: {}", said(&output));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let output = ringwall(&["events", "--kind", "process_startet"]);
    assert!(said(&output).contains("did you mean process_started?"), "{}", said(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((said(&output).as_str(), output.status.code()), ("", Some(0)));
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringwall"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["RINGWALL_URL", "RINGWALL_TOKEN", "RINGWALL_DATA_DIR", "RINGWALL_LOG"] {
        command.env_remove(name);
    }
    command
}

pub(super) fn ringwall(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(super) fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("ringwall-exits-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

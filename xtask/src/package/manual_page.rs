//! A page for man(1), from what the program says of itself.

use super::output_of;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The page of the program, in the words of its `--help`.
pub(super) fn of(program: &Path, name: &str, summary: &str) -> Result<String> {
    let mut help = Command::new(program);
    // The width is that of the terminal where there is one.
    help.arg("--help").env("NO_COLOR", "1").env("COLUMNS", "78");
    let help = output_of(&mut help, name)?;
    Ok(page(name, super::version(), summary, &help))
}

fn page(name: &str, version: &str, summary: &str, help: &str) -> String {
    let mut text = format!(
        ".TH {} 8 \"\" \"{name} {version}\" \"System Administration\"\n.SH NAME\n{name} \\- {}\n\
         .SH DESCRIPTION\n.nf\n",
        name.to_uppercase().replace('-', "\\-"),
        escaped(summary)
    );
    for line in help.lines() {
        text.push_str(&escaped(line.trim_end()));
        text.push('\n');
    }
    text.push_str(".fi\n");
    text
}

/// What would be an instruction to roff is none.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    let is_instruction = line.starts_with(['.', '\'']);
    if is_instruction { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_help_is_an_instruction() {
        let text = page("a-b", "1.2", "does it", "Usage: a-b\n.TH x\n'quoted\n  back\\slash  \n");
        let expected = ".TH A\\-B 8 \"\" \"a-b 1.2\" \"System Administration\"\n.SH NAME\n\
                        a-b \\- does it\n.SH DESCRIPTION\n.nf\nUsage: a\\-b\n\\&.TH x\n\
                        \\&'quoted\n  back\\eslash\n.fi\n";
        assert_eq!(text, expected);
    }
}

//! The code of a guide that says of itself that a test runs it: fences such as ` ```bash test`.

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The word after the fence: `bash` or `python`.
    pub language: String,
    /// The line of the guide on which the code begins, from 1.
    pub line: usize,
    /// The code.
    pub code: String,
}

/// All blocks whose info string is a language and the word `test`.
pub fn tested_blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(Option<String>, usize, String)> = None;
    for (index, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let mut words = info.split_whitespace();
                let language = words.next().filter(|_| words.next() == Some("test"));
                open = Some((language.map(str::to_owned), index + 2, String::new()));
            }
            (Some((_, _, code)), None) => {
                code.push_str(line);
                code.push('\n');
            }
            (Some(_), Some(_)) => {
                if let Some((Some(language), line, code)) = open.take() {
                    blocks.push(Block { language, line, code });
                }
            }
            (None, None) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_so_is_tested() {
        let guide =
            "a\n```bash\nno\n```\n```bash test\nyes 1\nyes 2\n```\n```python test\nx\n```\n";
        let found: Vec<(String, usize, String)> = tested_blocks(guide)
            .into_iter()
            .map(|block| (block.language, block.line, block.code))
            .collect();
        let expected =
            [("bash".into(), 6, "yes 1\nyes 2\n".into()), ("python".into(), 10, "x\n".into())];
        assert_eq!(found, expected);
    }
}

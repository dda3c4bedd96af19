use super::{Paint, Style, visible};
use unicode_width::UnicodeWidthStr;

/// One thing in full: a line a field.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    lines: Vec<(&'static str, String, Style)>,
}

impl Fields {
    /// With a field. What others wrote becomes visible.
    #[must_use]
    pub(crate) fn with(self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.styled(name, value, Style::Plain)
    }

    /// With a field in a colour.
    #[must_use]
    pub(crate) fn styled(
        mut self,
        name: &'static str,
        value: impl AsRef<str>,
        style: impl Into<Style>,
    ) -> Self {
        self.lines.push((name, visible(value.as_ref()), style.into()));
        self
    }

    /// With a field, where there is something to say.
    #[must_use]
    pub(crate) fn maybe(self, name: &'static str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The lines, each with its line feed. A name that repeats is shown once.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let width = self.lines.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
        let mut out = String::new();
        let mut before = "";
        for (name, value, style) in &self.lines {
            let shown = if *name == before { "" } else { name };
            before = name;
            let missing = " ".repeat(width.saturating_sub(shown.width()));
            let line = format!(
                "{}{missing}  {}",
                paint.as_(Style::Faint, shown),
                paint.as_(*style, value)
            );
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other() {
        let fields = Fields::default()
            .with("id", "a")
            .with("reasons", "one")
            .with("reasons", "two\nlines")
            .maybe("note", None::<&str>);
        assert_eq!(
            fields.render(Paint::default()),
            "id       a\nreasons  one\n         two⟨LF⟩lines\n"
        );
    }
}

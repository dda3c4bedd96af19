use super::{Paint, Style, visible};
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows under headings: aligned, and cut to the width of the terminal.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    headed: bool,
}

/// One column.
#[derive(Debug)]
pub(crate) struct Column {
    title: Cow<'static, str>,
    right: bool,
    flexible: bool,
    width_min: usize,
}

/// What stands in a row under a column. Text is made visible on the way in.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

const GAP: &str = "  ";
/// A flexible column is not cut below this.
const FLEXIBLE_MIN: usize = 8;

impl Column {
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title: Cow::Borrowed(title), right: false, flexible: false, width_min: 0 }
    }

    /// With a title that others chose.
    pub(crate) fn named(title: &str) -> Self {
        Self { title: Cow::Owned(visible(title)), ..Self::new("") }
    }

    /// For numbers.
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// May be cut where the terminal is too narrow.
    pub(crate) const fn flexible(mut self) -> Self {
        self.flexible = true;
        self
    }

    /// At least so wide, so that tables of one row stand below each other.
    pub(crate) const fn at_least(mut self, width_min: usize) -> Self {
        self.width_min = width_min;
        self
    }
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self { text: visible(text.as_ref()), style: Style::Plain }
    }

    pub(crate) fn styled(text: impl AsRef<str>, style: impl Into<Style>) -> Self {
        Self { style: style.into(), ..Self::new(text) }
    }

    /// Nothing to say.
    pub(crate) fn none() -> Self {
        Self::styled("-", Style::Faint)
    }

    /// The text, or nothing to say.
    pub(crate) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(Self::none, Self::new)
    }
}

impl Table {
    pub(crate) const fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), headed: true }
    }

    /// Without headings.
    pub(crate) const fn bare(mut self) -> Self {
        self.headed = false;
        self
    }

    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// A table of these rows.
    pub(crate) fn of<T>(
        columns: Vec<Column>,
        rows: &[T],
        mut cells: impl FnMut(&T) -> Vec<Cell>,
    ) -> Self {
        let mut table = Self::new(columns);
        rows.iter().for_each(|row| table.row(cells(row)));
        table
    }

    /// The lines, each with its line feed, none wider than `width`.
    pub(crate) fn render(&self, paint: Paint, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let mut out = String::new();
        if self.headed {
            let titles: Vec<Cell> = self
                .columns
                .iter()
                .map(|column| Cell::styled(&column.title, Style::Faint))
                .collect();
            self.line(&titles, &widths, paint, &mut out);
        }
        for row in &self.rows {
            self.line(row, &widths, paint, &mut out);
        }
        out
    }

    fn line(&self, cells: &[Cell], widths: &[usize], paint: Paint, out: &mut String) {
        let mut line = String::new();
        let mut blanks = 0;
        for ((cell, column), width) in cells.iter().zip(&self.columns).zip(widths) {
            let text = cut(&cell.text, *width);
            let missing = width.saturating_sub(text.width());
            let (before, after) = if column.right { (missing, 0) } else { (0, missing) };
            line.push_str(&" ".repeat(blanks + before));
            line.push_str(&paint.as_(cell.style, &text));
            blanks = after + GAP.len();
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }

    fn widths(&self, terminal: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(index));
                let widest = cells.map(|cell| cell.text.width()).max().unwrap_or(0);
                let title = if self.headed { column.title.width() } else { 0 };
                widest.max(title).max(column.width_min)
            })
            .collect();
        let Some(terminal) = terminal else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        // The widest flexible column gives first; when none can give more, the others do, from
        // the right: a line that wraps is worse than one that ends early.
        for least in [FLEXIBLE_MIN, 1] {
            loop {
                let over = (widths.iter().sum::<usize>() + gaps).saturating_sub(terminal);
                if over == 0 {
                    return widths;
                }
                let candidate = widths
                    .iter_mut()
                    .zip(&self.columns)
                    .filter(|(width, column)| **width > least && (column.flexible || least == 1))
                    .map(|(width, _)| width)
                    .max();
                match candidate {
                    Some(width) => *width -= 1,
                    None => break,
                }
            }
        }
        widths
    }
}

/// The text in at most `width` columns; what is missing is told by `…`.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide >= width {
            break;
        }
        used += wide;
        out.push(character);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Table {
        let mut table = Table::new(vec![
            Column::new("PID").right(),
            Column::new("NAME"),
            Column::new("COMMAND LINE").flexible(),
        ]);
        table.row([Cell::new("1"), Cell::new("systemd"), Cell::new("/sbin/init splash")]);
        table.row([Cell::new("4711"), Cell::new("世界"), Cell::new("a\u{1b}[2J\u{202e}b")]);
        table.row([Cell::none(), Cell::styled("x", Style::Bad), Cell::maybe(None::<&str>)]);
        table
    }

    #[test]
    fn columns_are_aligned_and_cut_to_the_terminal() {
        check(
            None,
            &[
                " PID  NAME     COMMAND LINE",
                "   1  systemd  /sbin/init splash",
                "4711  世界     a⟨ESC⟩[2J⟨RLO⟩b",
                "   -  x        -",
            ],
        );
        check(
            Some(28),
            &[
                " PID  NAME     COMMAND LINE",
                "   1  systemd  /sbin/init s…",
                "4711  世界     a⟨ESC⟩[2J⟨RL…",
                "   -  x        -",
            ],
        );
        check(
            Some(20),
            &[
                " PID  NAME    COMMA…",
                "   1  syste…  /sbin…",
                "4711  世界    a⟨ESC…",
                "   -  x       -",
            ],
        );
    }

    #[track_caller]
    fn check(width: Option<usize>, expected: &[&str]) {
        let shown = sample().render(Paint::default(), width);
        assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "width {width:?}");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let plain = sample().render(Paint::default(), Some(30));
        let mut painted = sample().render(Paint::always(), Some(30));
        assert!(painted.contains("\u{1b}[31mx\u{1b}[0m"));
        for code in ["0", "2", "31"] {
            painted = painted.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(painted, plain);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            texts in prop::collection::vec((".*", ".*"), 1..5),
            width in 20usize..120,
        ) {
            let columns = vec![Column::new("A"), Column::new("B").flexible()];
            let table = Table::of(columns, &texts, |(a, b)| vec![Cell::new(a), Cell::new(b)]);
            let shown = table.render(Paint::default(), Some(width));
            prop_assert_eq!(shown.lines().count(), texts.len() + 1);
            for line in shown.lines() {
                prop_assert!(line.width() <= width, "{:?} is {} wide", line, line.width());
            }
        }
    }
}

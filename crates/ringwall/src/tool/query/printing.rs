use crate::output::{Cell, Column, Output, Table};
use anyhow::Result;
use ringwall_server_api::QueryColumn;
use serde_json::{Map, Value};

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Aligned, for people.
    Table,
    /// One array of objects.
    Json,
    /// As in RFC 4180.
    Csv,
}

/// Prints the rows of an answer as they come; a table is printed whole at the end.
pub(super) struct Printing {
    form: Form,
    out: Output,
    columns: Vec<QueryColumn>,
    kept: Vec<Vec<Value>>,
    has_rows: bool,
}

impl Printing {
    pub(super) fn new(form: Form, out: Output) -> Self {
        Self { form, out, columns: Vec::new(), kept: Vec::new(), has_rows: false }
    }

    pub(super) fn prints_at_once(&self) -> bool {
        self.form != Form::Table
    }

    pub(super) fn begin(&mut self, columns: Vec<QueryColumn>) -> Result<()> {
        self.columns = match self.form {
            Form::Json => with_names_of_their_own(columns),
            _ => columns,
        };
        match self.form {
            Form::Table => Ok(()),
            Form::Json => self.out.text("["),
            Form::Csv => {
                let names = self.columns.iter().map(|column| csv_text(&column.name));
                self.out.text(&(names.collect::<Vec<_>>().join(",") + "\r\n"))
            }
        }
    }

    pub(super) fn rows(&mut self, rows: Vec<Vec<Value>>) -> Result<()> {
        match self.form {
            Form::Table => {
                self.kept.extend(rows);
                Ok(())
            }
            Form::Json => {
                let mut text = String::new();
                for row in rows {
                    let names = self.columns.iter().map(|column| column.name.clone());
                    let object: Map<String, Value> = names.zip(row).collect();
                    text.push_str(if self.has_rows { ",\n  " } else { "\n  " });
                    text.push_str(&self.out.compact(&object)?);
                    self.has_rows = true;
                }
                self.out.text(&text)
            }
            Form::Csv => {
                let mut text = String::new();
                for row in rows {
                    let cells: Vec<String> = row.iter().map(csv_cell).collect();
                    text.push_str(&cells.join(","));
                    text.push_str("\r\n");
                }
                self.out.text(&text)
            }
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        match self.form {
            Form::Table if self.kept.is_empty() => Ok(()),
            Form::Table => {
                let table = table(&self.columns, &self.kept);
                self.out.text(&table.render(self.out.paint, self.out.width))
            }
            Form::Json => self.out.text(if self.has_rows { "\n]\n" } else { "]\n" }),
            Form::Csv => Ok(()),
        }
    }
}

/// An object has one value a name: the second `count(*)` becomes `count(*)_2`.
fn with_names_of_their_own(columns: Vec<QueryColumn>) -> Vec<QueryColumn> {
    let mut taken: Vec<QueryColumn> = Vec::with_capacity(columns.len());
    for column in columns {
        let is_taken = |name: &str| taken.iter().any(|one| one.name == name);
        let name = std::iter::once(column.name.clone())
            .chain((2..).map(|number| format!("{}_{number}", column.name)))
            .find(|name| !is_taken(name))
            .unwrap_or_default();
        taken.push(QueryColumn { name, ..column });
    }
    taken
}

fn table(columns: &[QueryColumn], rows: &[Vec<Value>]) -> Table {
    let heads = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let values = || rows.iter().filter_map(|row| row.get(place));
            let is_number = values().all(|value| value.is_number() || value.is_null())
                && values().any(Value::is_number);
            let head = Column::named(&column.name);
            if is_number { head.right() } else { head.flexible() }
        })
        .collect();
    Table::of(heads, rows, |row| row.iter().map(cell).collect())
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::none(),
        Value::String(text) => Cell::new(moment(text).as_deref().unwrap_or(text)),
        other => Cell::new(other.to_string()),
    }
}

/// A moment for people: `2026-11-21 12:00:00.123`.
fn moment(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_moment = bytes.len() == 27
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            19 => *byte == b'.',
            26 => *byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !is_moment {
        return None;
    }
    let shown = text.get(..26)?.replacen('T', " ", 1);
    Some(shown.strip_suffix("000").map(str::to_owned).unwrap_or(shown))
}

/// Nothing is nothing; an empty text is told apart by its quotes.
fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => csv_text(text),
        other => csv_text(&other.to_string()),
    }
}

fn csv_text(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;
    use serde_json::json;

    fn head(name: &str) -> QueryColumn {
        QueryColumn { name: name.to_owned(), kind: "any".to_owned() }
    }

    #[test]
    fn tables_are_for_people() {
        let rows = vec![
            vec![json!("2026-11-21T12:00:00.123000Z"), json!(7), json!("a\u{1b}[2J")],
            vec![json!("2026-11-21T12:00:00.123456Z"), json!(48_211), json!(null)],
        ];
        let shown = table(&[head("time"), head("n"), head("x")], &rows);
        assert_eq!(
            shown.render(Paint::default(), None),
            "time                            n  x\n\
             2026-11-21 12:00:00.123         7  a⟨ESC⟩[2J\n\
             2026-11-21 12:00:00.123456  48211  -\n"
        );
    }

    #[test]
    fn csv_is_exact() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(""), "\"\""),
            (json!("a,b"), "\"a,b\""),
            (json!("say \"hi\"\n"), "\"say \"\"hi\"\"\n\""),
            (json!(1.5), "1.5"),
            (json!("=1+1"), "=1+1"),
        ] {
            assert_eq!(csv_cell(&value), expected);
        }
    }

    #[test]
    fn each_value_has_a_name() {
        let named = with_names_of_their_own(vec![head("n"), head("n"), head("n_2"), head("n")]);
        let names: Vec<&str> = named.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["n", "n_2", "n_2_2", "n_3"]);
    }
}

use crate::output::{Cell, Column, Output, Style, Table};
use anyhow::Result;
use ringwall_lifecycle::Exit;
use ringwall_server::query::{FUNCTIONS, tables};
use serde_json::json;

/// What can be asked.
pub(super) fn print(out: &Output) -> Result<Exit> {
    let tables = tables();
    if out.json {
        let functions: Vec<_> =
            FUNCTIONS.iter().map(|(call, about)| json!({ "call": call, "about": about })).collect();
        out.json(&json!({ "tables": tables, "functions": functions }))?;
        return Ok(Exit::Yes);
    }
    let mut text = String::new();
    let columns =
        || vec![Column::new("").at_least(26), Column::new(""), Column::new("").flexible()];
    for table in &tables {
        let name = out.paint.as_(Style::Strong, table.name);
        text += &format!("{name}: {}\n", table.about);
        let mut rows = Table::new(columns()).bare();
        for column in &table.columns {
            rows.row([
                Cell::new(format!("  {}", column.name)),
                Cell::styled(column.kind, Style::Faint),
                Cell::new(column.about),
            ]);
        }
        text += &rows.render(out.paint, out.width);
        text.push('\n');
    }
    text += &format!("{}: beside SQLite's own\n", out.paint.as_(Style::Strong, "functions"));
    let mut rows =
        Table::new(vec![Column::new("").at_least(26), Column::new("").flexible()]).bare();
    for (call, about) in FUNCTIONS {
        rows.row([Cell::new(format!("  {call}")), Cell::new(about)]);
    }
    text += &rows.render(out.paint, out.width);
    out.text(&text)?;
    Ok(Exit::Yes)
}

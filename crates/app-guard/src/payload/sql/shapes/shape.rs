//! The shapes by name, and what they are in words for people.

/// What was recognised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The name of the check in findings.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) words: &'static str,
}

pub(super) const QUOTE_COMMENT: Shape = Shape::new(
    "sql_quote_comment",
    "a closing quote, then a comment that hides the rest of the statement",
);
pub(super) const QUOTE_CLAUSE: Shape = Shape::new(
    "sql_quote_clause",
    "a closing quote, words of SQL, and a comment that hides the rest of the statement",
);
pub(super) const QUOTE_END: Shape =
    Shape::new("sql_quote_end", "a closing quote, and the end of the statement");
pub(super) const CAST: Shape = Shape::new("sql_cast", "a value that is cast as PostgreSQL does it");
pub(super) const EMPTY_OPERANDS: Shape =
    Shape::new("sql_empty_operands", "an operator between two empty strings");
pub(super) const COMPARED_STRINGS: Shape =
    Shape::new("sql_compared_strings", "a closing quote, and a comparison with another string");
pub(super) const OPERATOR_CALL: Shape =
    Shape::new("sql_operator_call", "a closing quote, an operator and a function of SQL");
pub(super) const NUMBER_COMMENT: Shape = Shape::new(
    "sql_number_comment",
    "a number, then a comment that hides the rest of the statement",
);
pub(super) const SERVER_VARIABLE: Shape =
    Shape::new("sql_server_variable", "a variable of the database server");
pub(super) const CONDITION: Shape =
    Shape::new("sql_condition", "a condition is added to the statement");
pub(super) const STACKED: Shape =
    Shape::new("sql_stacked", "a semicolon, then a statement of its own");
pub(super) const CATALOG: Shape =
    Shape::new("sql_catalog", "the catalogue of the database is named");
pub(super) const UNION: Shape = Shape::new("sql_union", "a second query is joined by union");
pub(super) const QUERY: Shape =
    Shape::new("sql_query", "a query with its list of columns and its table");
pub(super) const STATEMENT: Shape =
    Shape::new("sql_statement", "a statement that changes the database");
pub(super) const CLAUSE: Shape = Shape::new("sql_clause", "a clause is added to the statement");
pub(super) const FUNCTION: Shape =
    Shape::new("sql_function", "a function of the database that leaks, waits or executes");
pub(super) const SUBQUERY: Shape = Shape::new("sql_subquery", "a query inside of an expression");
pub(super) const FILE: Shape = Shape::new("sql_file", "a result is written to a file");

impl Shape {
    const fn new(name: &'static str, words: &'static str) -> Self {
        Self { name, words }
    }
}

//! Shapes of tokens that only an attack has.

use super::tokens::{Context, Kind, Sentence};
use super::words::{
    begins_statement, is_account_column, is_account_table, is_attack_function, is_catalog,
    is_function, is_schema_object,
};
use crate::payload::category::Category::SqlInjection;
use crate::payload::scan::{Scan, View};
use crate::payload::text::{is_space, slice, trim};

/// A sign, a parenthesis or a word of negation in front of an operand: more of them nobody needs.
const PREFIXES_MAX: usize = 8;
/// How far a list of columns is followed.
const LIST_MAX: usize = 64;

/// Judges one reading of a value. Each token is looked at with a bounded number of its neighbours.
pub(crate) fn judge(scan: &mut Scan<'_>, view: &View<'_>, sentence: &Sentence<'_>) {
    let judge = Judge { sentence, breaks_out: sentence.context != Context::Bare };
    if judge.breaks_out {
        judge.break_out(scan, view);
    } else {
        judge.number_and_comment(scan, view);
    }
    for index in 0..sentence.len() {
        judge.token(scan, view, index);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Constant,
    Name,
    Call,
    Query,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    None,
    /// Two constants are compared; they are equal.
    Tautology,
    /// Two constants are compared.
    Constants,
    /// A name is compared with something; `true` where that is a string or a comment ends it.
    Name(bool),
    /// A function of SQL is called.
    Call,
    /// A function that only attacks call.
    AttackCall,
    /// A query in parentheses.
    Query,
    /// A constant, and then the end or a comment.
    Truth,
}

struct Judge<'a> {
    sentence: &'a Sentence<'a>,
    breaks_out: bool,
}

impl Judge<'_> {
    /// What stands directly behind the quote that was open.
    fn break_out(&self, scan: &mut Scan<'_>, view: &View<'_>) {
        let sentence = self.sentence;
        let before = slice(sentence.text, 0, sentence.broken_at.saturating_sub(1));
        let mut index = 0;
        while sentence.is(index, Kind::Close) {
            index += 1;
        }
        if sentence.is(index, Kind::Semicolon) && sentence.is(index + 1, Kind::Comment) {
            index += 1;
        }
        if sentence.is(index, Kind::Comment) && ends_statement(before, sentence, index) {
            // Passwords have such characters on purpose.
            let weight =
                if scan.place.is_named_like(&["pass", "pwd", "secret"]) { 0.5 } else { 1.0 };
            scan.hit(
                view,
                sentence.broken_at,
                (SqlInjection, weight),
                "sql_quote_comment",
                "a closing quote, then a comment that hides the rest of the statement",
            );
        }
        // `'='`, `'-'`: the whole value is an operator between two empty strings.
        let short = sentence.text.len() <= 8 && before.is_empty() && sentence.len() == 2;
        let operator = matches!(sentence.kind(0), Some(Kind::Compare | Kind::Arithmetic));
        if short && operator && sentence.is(1, Kind::Text) {
            scan.hit(
                view,
                0,
                (SqlInjection, 1.0),
                "sql_empty_operands",
                "an operator between two empty strings",
            );
        }
        // `'=''or'`: the whole value is a comparison of empty strings, and an alternative.
        let is_tautology = sentence.text.len() <= 16
            && before.is_empty()
            && sentence.is(0, Kind::Compare)
            && sentence.is(1, Kind::Text)
            && sentence.is(2, Kind::Logic);
        if is_tautology {
            scan.hit(
                view,
                0,
                (SqlInjection, 1.0),
                "sql_empty_operands",
                "a comparison of empty strings, and an alternative",
            );
        }
        // `1'='1`
        let compared = sentence.len() == 2
            && sentence.is(0, Kind::Compare)
            && sentence.is(1, Kind::Text)
            && !before.is_empty()
            && before.len() <= 64
            && !before.iter().any(|&byte| is_space(byte) || byte == b'=');
        if compared {
            scan.hit(
                view,
                0,
                (SqlInjection, 1.0),
                "sql_compared_strings",
                "a closing quote, and a comparison with another string",
            );
        }
        // `'+(select …`, `'||utl_http…`, `'-sleep(5)`
        if matches!(sentence.kind(index), Some(Kind::Arithmetic | Kind::Logic | Kind::Compare)) {
            match self.operand(index + 1) {
                Some((_, Operand::Query)) => self.query_hit(scan, view, index),
                Some((next, Operand::Call))
                    if is_function(sentence.word(next.saturating_sub(1))) =>
                {
                    scan.hit(
                        view,
                        sentence.start(index),
                        (SqlInjection, 1.0),
                        "sql_operator_call",
                        "a closing quote, an operator and a function of SQL",
                    );
                }
                _ => {}
            }
        }
    }

    /// `1-- -`, `1;--`, `1)#`: a number, then a comment that ends the value.
    fn number_and_comment(&self, scan: &mut Scan<'_>, view: &View<'_>) {
        let sentence = self.sentence;
        if !sentence.is(0, Kind::Number) || sentence.len() > 5 {
            return;
        }
        let mut index = 1;
        while matches!(sentence.kind(index), Some(Kind::Close | Kind::Semicolon)) {
            index += 1;
        }
        let rest = trim(sentence.rest(index));
        if !sentence.is(index, Kind::Comment) || !(rest.is_empty() || rest == b"-" || rest == b"+")
        {
            return;
        }
        let marked = index > 1 || !rest.is_empty();
        let weight = if marked { 1.0 } else { 0.5 };
        scan.hit(
            view,
            sentence.start(index),
            (SqlInjection, weight),
            "sql_number_comment",
            "a number, then a comment that hides the rest of the statement",
        );
    }

    fn token(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        match sentence.kind(index) {
            Some(Kind::Logic) => self.logic(scan, view, index),
            Some(Kind::Semicolon) => self.stacked(scan, view, index),
            Some(Kind::Variable)
                if sentence.text(index).starts_with(b"@@")
                    && matches!(
                        slice(sentence.text(index), 2, 64),
                        b"version"
                            | b"datadir"
                            | b"hostname"
                            | b"servername"
                            | b"basedir"
                            | b"global"
                    ) =>
            {
                scan.hit(
                    view,
                    sentence.start(index),
                    (SqlInjection, 1.0),
                    "sql_server_variable",
                    "a variable of the database server",
                );
            }
            Some(Kind::Compare)
                if matches!(sentence.word(index), b"rlike" | b"regexp")
                    && matches!(
                        self.operand(index + 1),
                        Some((_, Operand::Call | Operand::Query))
                    )
                    && self.before_is_value(index) =>
            {
                self.call_hit(scan, view, index);
            }
            Some(Kind::Word) => self.word(scan, view, index),
            _ => {}
        }
    }

    fn logic(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        let directly = self.breaks_out && self.only_closing_before(index);
        let near = index <= 4 && self.before_is_value(index);
        let enough = match self.condition(index + 1) {
            Condition::None => false,
            Condition::Tautology => {
                self.breaks_out
                    || near
                    || sentence.word(index).is_empty()
                    || self.after_is_end_or_comment(index)
                    || self.written_without_spaces(index)
            }
            // `5 < 10 and 10 > 5`: comparisons all the way are mathematics.
            Condition::Constants => {
                directly || near && !(0..index).any(|before| sentence.is(before, Kind::Compare))
            }
            Condition::Name(is_marked) => {
                directly
                    || (is_marked
                        && near
                        && index <= 2
                        && !sentence.is(index.wrapping_sub(1), Kind::Word))
            }
            Condition::Call => directly || near && !sentence.is(index.wrapping_sub(1), Kind::Word),
            Condition::AttackCall | Condition::Query => true,
            Condition::Truth => directly,
        };
        if enough {
            scan.hit(
                view,
                sentence.start(index),
                (SqlInjection, 1.0),
                "sql_condition",
                "a condition is added to the statement",
            );
        }
    }

    /// What follows `and` or `or`.
    fn condition(&self, index: usize) -> Condition {
        let sentence = self.sentence;
        let Some((mut next, left)) = self.operand(index) else { return Condition::None };
        match left {
            Operand::Query => return Condition::Query,
            Operand::Call => {
                let name = sentence.word(next.saturating_sub(1));
                if is_attack_function(name) {
                    return Condition::AttackCall;
                }
                return if is_function(name) { Condition::Call } else { Condition::None };
            }
            Operand::Constant | Operand::Name => {}
        }
        let left_token = next.saturating_sub(1);
        next = self.past(next, Kind::Close);
        let is_whole = matches!(
            sentence.kind(next),
            None | Some(Kind::Comment | Kind::Semicolon | Kind::Logic)
        ) || matches!(
            sentence.word(next),
            b"group" | b"order" | b"having" | b"limit" | b"union" | b"into" | b"procedure"
        );
        if left == Operand::Constant && is_whole && !sentence.is(left_token, Kind::Text) {
            return Condition::Truth;
        }
        // `1+1=2`
        let mut sums = 0;
        while left == Operand::Constant
            && sentence.is(next, Kind::Arithmetic)
            && sums < PREFIXES_MAX
        {
            let Some((after, Operand::Constant)) = self.operand(next + 1) else { break };
            next = self.past(after, Kind::Close);
            sums += 1;
        }
        if sentence.word(next) == b"not" {
            next += 1;
        }
        if sentence.word(next) == b"sounds" {
            next += 1;
        }
        if !sentence.is(next, Kind::Compare) {
            return Condition::None;
        }
        let operator = sentence.text(next);
        if operator == b"is" {
            let ends = sentence.word(next + 1) == b"null"
                || (sentence.word(next + 1) == b"not" && sentence.word(next + 2) == b"null");
            return if ends { Condition::Name(true) } else { Condition::None };
        }
        let Some((after, right)) = self.operand(next + 1) else {
            // Cut off by the quote that the statement closes: `or 'a'='`
            return Condition::None;
        };
        match (left, right) {
            (_, Operand::Query) => Condition::Query,
            (_, Operand::Call) => {
                let name = sentence.word(after.saturating_sub(1));
                if is_attack_function(name) {
                    Condition::AttackCall
                } else if is_function(name) {
                    Condition::Call
                } else {
                    Condition::None
                }
            }
            (Operand::Constant, Operand::Constant) => {
                let same = unquoted(sentence.text(left_token))
                    == unquoted(sentence.text(after.saturating_sub(1)));
                if same && sums == 0 { Condition::Tautology } else { Condition::Constants }
            }
            _ => {
                let end = self.past(after, Kind::Close);
                let is_text = sentence.is(after.saturating_sub(1), Kind::Text);
                Condition::Name(is_text || sentence.is(end, Kind::Comment))
            }
        }
    }

    /// Reads an operand; where it ends (behind the name of a call, before its parenthesis) and what it is.
    fn operand(&self, index: usize) -> Option<(usize, Operand)> {
        let sentence = self.sentence;
        let mut index = index;
        for _ in 0..PREFIXES_MAX {
            let is_prefix = match sentence.kind(index) {
                Some(Kind::Open | Kind::Arithmetic) => true,
                Some(Kind::Word) => {
                    matches!(
                        sentence.word(index),
                        b"not"
                            | b"binary"
                            | b"all"
                            | b"distinct"
                            | b"any"
                            | b"some"
                            | b"n"
                            | b"x"
                            | b"_latin1"
                    ) && !matches!(sentence.kind(index + 1), None | Some(Kind::Compare))
                }
                _ => false,
            };
            if !is_prefix {
                break;
            }
            index += 1;
        }
        let operand = match sentence.kind(index)? {
            Kind::Number | Kind::Text | Kind::Variable => Operand::Constant,
            Kind::Compare
                if sentence.word(index) == b"like" && sentence.is(index + 1, Kind::Open) =>
            {
                Operand::Call
            }
            Kind::Word => match sentence.word(index) {
                b"select" | b"exists" | b"case" => Operand::Query,
                b"null" | b"true" | b"false" => Operand::Constant,
                _ if sentence.is(index + 1, Kind::Open) => Operand::Call,
                _ => Operand::Name,
            },
            _ => return None,
        };
        Some((index + 1, operand))
    }

    fn past(&self, index: usize, kind: Kind) -> usize {
        (index..index.saturating_add(PREFIXES_MAX))
            .find(|&index| !self.sentence.is(index, kind))
            .unwrap_or(index)
    }

    fn only_closing_before(&self, index: usize) -> bool {
        index <= PREFIXES_MAX
            && (0..index).all(|before| {
                matches!(
                    self.sentence.kind(before),
                    Some(Kind::Close | Kind::Comment | Kind::Arithmetic)
                )
            })
    }

    /// Whether something stands before it that a statement could have as a value there.
    fn before_is_value(&self, index: usize) -> bool {
        match index.checked_sub(1) {
            None => self.breaks_out,
            Some(before) => {
                let name_alone = before == 0 && self.sentence.is(before, Kind::Word);
                name_alone
                    || matches!(
                        self.sentence.kind(before),
                        Some(Kind::Number | Kind::Text | Kind::Close | Kind::Variable)
                    )
            }
        }
    }

    /// Whether what follows the logic at `index` is all there is, or a comment ends it.
    fn after_is_end_or_comment(&self, index: usize) -> bool {
        let sentence = self.sentence;
        (index + 1..index + 12).any(|next| {
            matches!(sentence.kind(next), Some(Kind::Comment))
                || (sentence.kind(next).is_none() && next <= index + 5)
        })
    }

    /// `1=1`, not `1 = 1`.
    fn written_without_spaces(&self, index: usize) -> bool {
        let sentence = self.sentence;
        let between = slice(sentence.text, sentence.start(index + 1), sentence.start(index + 3));
        !between.is_empty() && !between.iter().any(|&byte| is_space(byte))
    }

    fn stacked(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        let verb = sentence.word(index + 1);
        if verb.is_empty() || !begins_statement(verb) {
            return;
        }
        let object = sentence.word(index + 2);
        let second = sentence.kind(index + 2);
        let is_statement = match verb {
            b"select" => {
                matches!(
                    second,
                    Some(
                        Kind::Number | Kind::Text | Kind::Variable | Kind::Arithmetic | Kind::Open
                    )
                ) || is_function(object) && sentence.is(index + 3, Kind::Open)
                    || self.select_list(index + 2).is_some()
            }
            b"insert" | b"replace" | b"merge" => object == b"into",
            b"delete" => object == b"from",
            b"update" => sentence.word(index + 3) == b"set",
            b"drop" | b"create" | b"alter" => is_schema_object(object),
            b"truncate" => object == b"table" || sentence.kind(index + 3).is_none(),
            b"exec" | b"execute" => {
                matches!(second, Some(Kind::Open))
                    || object.starts_with(b"xp_")
                    || object.starts_with(b"sp_")
                    || object.starts_with(b"master")
                    || object == b"immediate"
            }
            b"declare" | b"set" => matches!(second, Some(Kind::Variable)),
            b"waitfor" => matches!(object, b"delay" | b"time"),
            b"shutdown" => {
                matches!(second, None | Some(Kind::Comment | Kind::Semicolon)) || object == b"with"
            }
            b"grant" | b"revoke" => matches!(object, b"all" | b"select" | b"execute" | b"dba"),
            b"copy" => {
                matches!(sentence.word(index + 3), b"from" | b"to")
                    || sentence.is(index + 2, Kind::Open) && sentence.word(index + 3) == b"select"
            }
            b"call" => sentence.is(index + 3, Kind::Open),
            b"handler" => sentence.word(index + 3) == b"open",
            b"load" => object == b"data",
            b"attach" => object == b"database",
            b"pragma" => {
                sentence.is(index + 3, Kind::Compare) || sentence.is(index + 3, Kind::Open)
            }
            b"if" => sentence.is(index + 2, Kind::Open) || matches!(second, Some(Kind::Number)),
            b"begin" | b"commit" | b"rollback" | b"reconfigure" | b"vacuum" => {
                matches!(second, None | Some(Kind::Comment | Kind::Semicolon))
                    && (self.breaks_out || sentence.is(0, Kind::Number))
            }
            b"do" => is_function(object) && sentence.is(index + 3, Kind::Open),
            b"dbcc" | b"prepare" | b"backup" | b"kill" | b"rename" | b"use" | b"with" => {
                matches!(object, b"database" | b"table" | b"master" | b"mysql")
                    || sentence.word(index + 3) == b"from"
            }
            _ => false,
        };
        if is_statement {
            scan.hit(
                view,
                sentence.start(index),
                (SqlInjection, 1.0),
                "sql_stacked",
                "a semicolon, then a statement of its own",
            );
        }
    }

    fn word(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        let word = sentence.word(index);
        match word {
            b"union" => self.union(scan, view, index),
            b"select" => self.select(scan, view, index),
            b"insert" | b"update" | b"delete" | b"drop" | b"truncate" | b"alter" | b"create" => {
                self.change(scan, view, index);
            }
            b"order" | b"group" | b"having" | b"limit" | b"procedure" => {
                self.clause(scan, view, index);
            }
            b"into"
                if matches!(sentence.word(index + 1), b"outfile" | b"dumpfile")
                    && matches!(
                        sentence.kind(index + 2),
                        Some(Kind::Text | Kind::Number | Kind::Open)
                    ) =>
            {
                self.file_hit(scan, view, index);
            }
            b"waitfor"
                if matches!(sentence.word(index + 1), b"delay" | b"time")
                    && sentence.is(index + 2, Kind::Text) =>
            {
                self.call_hit(scan, view, index);
            }
            b"exec" | b"execute" => {
                let object = sentence.word(index + 1);
                let is_stored = [&b"xp_"[..], b"sp_", b"master.", b"master..", b"sys.", b"dbo."]
                    .iter()
                    .any(|prefix| object.starts_with(prefix));
                if is_stored || (object == b"immediate" && sentence.is(index + 2, Kind::Text)) {
                    self.call_hit(scan, view, index);
                }
            }
            b"declare" => {
                let is_typed = matches!(
                    sentence.word(index + 2),
                    b"varchar" | b"nvarchar" | b"int" | b"char" | b"cursor" | b"as"
                );
                if sentence.is(index + 1, Kind::Variable) && is_typed {
                    self.call_hit(scan, view, index);
                }
            }
            b"case"
                if sentence.word(index + 1) == b"when"
                    && (index + 3..index + 12).any(|next| sentence.word(next) == b"then")
                    && (self.breaks_out || index <= 4)
                    && (index + 5..index + 24)
                        .any(|next| matches!(sentence.word(next), b"else" | b"end")) =>
            {
                self.call_hit(scan, view, index);
            }
            _ if sentence.is(index + 1, Kind::Open) => self.call(scan, view, index),
            _ if is_catalog(word)
                && word.contains(&b'.')
                && word.starts_with(b"information_schema.") =>
            {
                scan.hit(
                    view,
                    sentence.start(index),
                    (SqlInjection, 1.0),
                    "sql_catalog",
                    "the catalogue of the database is named",
                );
            }
            _ => {}
        }
    }

    fn call(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        let word = sentence.word(index);
        let has_arguments = !sentence.is(index + 2, Kind::Close);
        if is_attack_function(word) && has_arguments {
            // `wait, then call sleep(5)` is prose: there a word stands before it.
            let begins = match index.checked_sub(1) {
                None => true,
                Some(before) => {
                    !sentence.is(before, Kind::Word)
                        || matches!(
                            sentence.word(before),
                            b"select"
                                | b"set"
                                | b"when"
                                | b"then"
                                | b"by"
                                | b"having"
                                | b"else"
                                | b"where"
                        )
                }
            };
            // Elsewhere `sleep` is a function of everybody's language.
            let is_ordinary = word == b"sleep";
            // `sleep (5 hours)`
            let is_prose =
                sentence.is(index + 2, Kind::Number) && sentence.is(index + 3, Kind::Word);
            let is_statement =
                !is_ordinary || !matches!(sentence.kind(index.wrapping_sub(1)), Some(Kind::Other));
            if begins && is_statement && !is_prose {
                self.call_hit(scan, view, index);
            }
        }
        // `if(1=1,…`, `iif(…`
        if matches!(word, b"if" | b"iif") && (self.breaks_out || index <= 2) {
            let compares = (index + 2..index + 10).any(|next| sentence.is(next, Kind::Compare));
            let commas =
                (index + 3..index + 24).filter(|&next| sentence.is(next, Kind::Comma)).count();
            let quick = (index + 3..index + 24).any(|next| is_attack_function(sentence.word(next)));
            // `=IF(A1>5,"yes","no")` is a formula of a spreadsheet.
            let constants = matches!(sentence.kind(index + 2), Some(Kind::Number | Kind::Text));
            if compares && (quick || commas >= 2 && (constants || self.breaks_out)) {
                self.call_hit(scan, view, index);
            }
        }
        // `concat(0x7e,…`, `char(97,98)`
        if matches!(word, b"concat" | b"concat_ws" | b"group_concat")
            && sentence.text(index + 2).starts_with(b"0x")
        {
            self.call_hit(scan, view, index);
        }
        if word == b"analyse" && sentence.word(index.wrapping_sub(1)) == b"procedure" {
            self.call_hit(scan, view, index);
        }
    }

    fn union(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        let mut next = index + 1;
        while matches!(sentence.word(next), b"all" | b"distinct" | b"distinctrow")
            && next < index + 3
        {
            next += 1;
        }
        next = self.past(next, Kind::Open);
        if !matches!(sentence.word(next), b"select" | b"values" | b"table") {
            return;
        }
        let first = next + 1;
        let begins_list = match sentence.kind(first) {
            Some(Kind::Number | Kind::Text | Kind::Variable | Kind::Arithmetic | Kind::Open) => {
                true
            }
            None => self.breaks_out || index <= 2 && self.before_is_value(index),
            _ => matches!(
                sentence.word(first),
                b"null" | b"all" | b"distinct" | b"char" | b"concat" | b"table_name"
            ),
        };
        let is_list = self.select_list(first).is_some()
            || (first..first + 6)
                .any(|next| matches!(sentence.kind(next), Some(Kind::Comma | Kind::Open)));
        let broke_out = self.breaks_out && index <= 2
            || matches!(
                sentence.kind(index.wrapping_sub(1)),
                Some(Kind::Number | Kind::Close | Kind::Text)
            );
        if begins_list || is_list || broke_out {
            scan.hit(
                view,
                sentence.start(index),
                (SqlInjection, 1.0),
                "sql_union",
                "a second query is joined by union",
            );
        }
    }

    fn select(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        if let Some(list) = self.select_list(index + 1) {
            let table = sentence.word(list.from + 1);
            let in_parentheses = sentence.is(index.wrapping_sub(1), Kind::Open)
                && matches!(
                    sentence.kind(index.wrapping_sub(2)),
                    None | Some(
                        Kind::Compare | Kind::Logic | Kind::Arithmetic | Kind::Open | Kind::Comma
                    )
                );
            let clause =
                matches!(
                    sentence.word(list.from + 2),
                    b"where" | b"limit" | b"order" | b"group" | b"union" | b"having" | b"into"
                ) || matches!(sentence.kind(list.from + 2), Some(Kind::Comment | Kind::Semicolon));
            let shouted = slice(view.original, sentence.start(index), sentence.start(index) + 6)
                == b"SELECT"
                && slice(view.original, sentence.start(list.from), sentence.start(list.from) + 4)
                    == b"FROM";
            let ends = sentence.kind(list.from + 2).is_none();
            let accounts = is_account_table(table) && list.accounts;
            if list.technical
                || is_catalog(table)
                || accounts && (ends || clause)
                || in_parentheses && (ends || clause || list.technical)
                || clause
                    && list.single
                    && (index == 0 || self.breaks_out)
                    && table.len() > 1
                    && sentence.word(list.from + 2) != b"order"
                || shouted && (ends || clause || index == 0)
                || sentence.is(list.from + 1, Kind::Open)
            {
                scan.hit(
                    view,
                    sentence.start(index),
                    (SqlInjection, 1.0),
                    "sql_query",
                    "a query with its list of columns and its table",
                );
            }
            return;
        }
        // Without a table: `select @@version`, `select user()`, `(select sleep(5))`
        let first = self.past(index + 1, Kind::Open);
        let name = sentence.word(first);
        let calls = sentence.is(first + 1, Kind::Open) && is_function(name);
        if calls && (index <= 6 || is_attack_function(name)) {
            self.call_hit(scan, view, index);
        }
        if sentence.is(index.wrapping_sub(1), Kind::Open)
            && matches!(sentence.kind(index.wrapping_sub(2)), Some(Kind::Compare | Kind::Logic))
            && matches!(sentence.kind(first), Some(Kind::Number | Kind::Text | Kind::Variable))
        {
            self.query_hit(scan, view, index);
        }
    }

    /// The list of columns from there to `from`, where it is one.
    fn select_list(&self, index: usize) -> Option<List> {
        let sentence = self.sentence;
        let mut list = List { from: 0, technical: false, single: true, accounts: false };
        let mut index = index;
        let mut items = 0usize;
        let end = index.saturating_add(LIST_MAX);
        if matches!(sentence.word(index), b"distinct" | b"all" | b"top") {
            index += 1;
            if sentence.is(index, Kind::Number) {
                index += 1;
            }
        }
        let mut wants_item = true;
        let mut depth = 0usize;
        while index < end {
            let word = sentence.word(index);
            match sentence.kind(index)? {
                _ if word == b"from" && depth == 0 => {
                    if wants_item || items == 0 {
                        return None;
                    }
                    list.from = index;
                    list.single = items == 1;
                    return Some(list);
                }
                Kind::Open => {
                    depth += 1;
                    list.technical |= is_function(sentence.word(index.wrapping_sub(1)))
                        || depth == 1 && items == 0;
                    if wants_item {
                        items += 1;
                    }
                    wants_item = true;
                }
                Kind::Close => {
                    depth = depth.checked_sub(1)?;
                    wants_item = false;
                }
                Kind::Comma => {
                    if wants_item {
                        return None;
                    }
                    wants_item = true;
                }
                Kind::Arithmetic if sentence.text(index) == b"*" => {
                    list.technical = true;
                    items += 1;
                    wants_item = false;
                }
                Kind::Number | Kind::Text | Kind::Variable => {
                    list.technical |= sentence.is(index, Kind::Variable);
                    items += 1;
                    wants_item = false;
                }
                Kind::Word if word == b"as" && !wants_item => {
                    // `as name`
                    index += 1;
                }
                Kind::Word => {
                    if !wants_item && depth == 0 {
                        return None;
                    }
                    list.accounts |= is_account_column(word);
                    items += 1;
                    wants_item = false;
                }
                Kind::Logic if sentence.text(index) == b"||" => wants_item = true,
                Kind::Arithmetic | Kind::Compare | Kind::Logic if depth > 0 => wants_item = true,
                _ => return None,
            }
            index += 1;
        }
        None
    }

    fn change(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        let (first, second) = (sentence.word(index + 1), sentence.word(index + 2));
        let third = sentence.kind(index + 3);
        let ends = matches!(third, None | Some(Kind::Semicolon | Kind::Comment));
        let begins = index == 0 || !sentence.is(index - 1, Kind::Word);
        let shouted = view
            .original
            .get(sentence.start(index)..sentence.start(index) + 4)
            .is_some_and(|text| text.iter().all(u8::is_ascii_uppercase));
        let is_statement = match sentence.word(index) {
            b"insert" => {
                first == b"into"
                    && (index + 3..index + 40)
                        .any(|next| matches!(sentence.word(next), b"values" | b"select" | b"set"))
            }
            b"update" => {
                !first.is_empty()
                    && second == b"set"
                    && matches!(third, Some(Kind::Word))
                    && sentence.is(index + 4, Kind::Compare)
            }
            b"delete" => {
                first == b"from"
                    && !second.is_empty()
                    && begins
                    && ((sentence.word(index + 3) == b"where"
                        && !matches!(sentence.kind(index + 5), Some(Kind::Word) | None))
                        || matches!(third, Some(Kind::Semicolon | Kind::Comment))
                        || (ends && shouted))
            }
            b"drop" | b"truncate" => {
                !is_talk(second)
                    && is_schema_object(first)
                    && (begins || matches!(third, Some(Kind::Comment | Kind::Semicolon)))
                    && (ends
                        && (shouted
                            || self.breaks_out
                            || index > 0
                            || is_account_table(second)
                            || third.is_some())
                        || (second == b"if" && sentence.word(index + 3) == b"exists"))
            }
            b"alter" => {
                matches!(first, b"table" | b"database" | b"user" | b"login")
                    && (index + 3..index + 6).any(|next| {
                        matches!(
                            sentence.word(next),
                            b"add" | b"drop" | b"modify" | b"rename" | b"identified" | b"with"
                        )
                    })
            }
            b"create" => {
                is_schema_object(first)
                    && (sentence.is(index + 3, Kind::Open) && begins
                        || matches!(sentence.word(index + 3), b"identified" | b"as"))
            }
            _ => false,
        };
        if is_statement {
            scan.hit(
                view,
                sentence.start(index),
                (SqlInjection, 1.0),
                "sql_statement",
                "a statement that changes the database",
            );
        }
    }

    fn clause(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        let sentence = self.sentence;
        // Behind a value, as in `1 order by 9`, or directly behind the quote.
        let directly = self.breaks_out && self.only_closing_before(index)
            || index <= 2
                && matches!(sentence.kind(index.wrapping_sub(1)), Some(Kind::Number | Kind::Close));
        let is_clause = match sentence.word(index) {
            b"order" | b"group" => {
                sentence.word(index + 1) == b"by"
                    && matches!(
                        sentence.kind(index + 2),
                        Some(Kind::Number | Kind::Word | Kind::Open)
                    )
                    && (directly
                        && (sentence.is(index + 2, Kind::Number)
                            || self.after_is_end_or_comment(index))
                        || sentence.is(index + 2, Kind::Number)
                            && sentence.is(index + 3, Kind::Comment))
            }
            b"having" => match self.condition(index + 1) {
                Condition::Constants | Condition::Tautology => true,
                Condition::Call | Condition::AttackCall | Condition::Query => directly,
                _ => false,
            },
            b"limit" => {
                directly
                    && sentence.is(index + 1, Kind::Number)
                    && (self.after_is_end_or_comment(index) || sentence.is(index + 2, Kind::Comma))
            }
            b"procedure" => sentence.word(index + 1) == b"analyse",
            _ => false,
        };
        if is_clause {
            scan.hit(
                view,
                sentence.start(index),
                (SqlInjection, 1.0),
                "sql_clause",
                "a clause is added to the statement",
            );
        }
    }

    fn call_hit(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        scan.hit(
            view,
            self.sentence.start(index),
            (SqlInjection, 1.0),
            "sql_function",
            "a function of the database that leaks, waits or executes",
        );
    }

    fn query_hit(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        scan.hit(
            view,
            self.sentence.start(index),
            (SqlInjection, 1.0),
            "sql_subquery",
            "a query inside of an expression",
        );
    }

    fn file_hit(&self, scan: &mut Scan<'_>, view: &View<'_>, index: usize) {
        scan.hit(
            view,
            self.sentence.start(index),
            (SqlInjection, 1.0),
            "sql_file",
            "a result is written to a file",
        );
    }
}

struct List {
    /// The token `from`.
    from: usize,
    /// It has `*`, functions or variables.
    technical: bool,
    /// It has one item.
    single: bool,
    /// It has columns that accounts have.
    accounts: bool,
}

/// Whether the comment at `index` hides the rest of a statement, or is a dash or a number sign of prose.
fn ends_statement(before: &[u8], sentence: &Sentence<'_>, index: usize) -> bool {
    let comment = sentence.text(index);
    let rest = trim(sentence.rest(index));
    let short = rest.len() <= 4 && !rest.contains(&b' ');
    match comment {
        b"#" => rest.is_empty() || (rest.len() <= 2 && !rest.iter().any(u8::is_ascii_alphanumeric)),
        b"/*" => short || !before.contains(&b' '),
        _ => short || !before.contains(&b' ') && !before.is_empty(),
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"'").or_else(|| text.strip_prefix(b"\"")).unwrap_or(text);
    text.strip_suffix(b"'").or_else(|| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// What people write behind the name of a statement when they write about it.
fn is_talk(word: &[u8]) -> bool {
    matches!(
        word,
        b"explained"
            | b"statement"
            | b"command"
            | b"syntax"
            | b"tutorial"
            | b"example"
            | b"examples"
            | b"explanation"
            | b"query"
            | b"vs"
            | b"meaning"
            | b"permission"
            | b"in"
    )
}

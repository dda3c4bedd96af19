//! The functions that SQL has here beside SQLite's own.

use super::moment;
use super::running::Running;
use ringwall_event::Timestamp;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, Result, ToSql};
use std::net::IpAddr;
use std::sync::Arc;

/// What people are told of each: how it is called, and what it gives.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("ago('24h')", "the moment so long before now: s, m, h, d, w"),
    ("time_bucket('5m', time)", "the start of the bucket that a moment lies in"),
    ("ts(x)", "a moment, from microseconds since 1970 or from text"),
    ("micros(time)", "microseconds since 1970, to count with"),
    ("ip_in(ip, '10.0.0.0/8')", "1 where the address lies in the network, else 0"),
];

/// SQLite's functions that a query may call. What is missing here reads files, loads code, or makes
/// large values of nothing.
pub(super) const OF_SQLITE: &[&str] = &[
    "->",
    "->>",
    "abs",
    "avg",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "format",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "printf",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "timediff",
    "total",
    "trim",
    "typeof",
    "unhex",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
];

/// The names of ours.
pub(super) const OURS: &[&str] = &["ago", "ip_in", "micros", "time_bucket", "ts"];

pub(super) fn add(connection: &Connection, running: &Arc<Running>) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    let now = running.started;
    connection.create_scalar_function("ago", 1, flags, move |call| {
        let Some(span) = text(call, 0)? else { return Ok(None) };
        let micros = moment::parse_span(span).map_err(refuse)?;
        Ok(Some(Shown(now.plus_micros(-micros))))
    })?;
    connection.create_scalar_function("ts", 1, flags, |call| Ok(time(call, 0)?.map(Shown)))?;
    connection.create_scalar_function("micros", 1, flags, |call| {
        Ok(time(call, 0)?.map(Timestamp::as_micros))
    })?;
    connection.create_scalar_function("time_bucket", 2, flags, |call| {
        let (Some(span), Some(at)) = (text(call, 0)?, time(call, 1)?) else { return Ok(None) };
        let micros = moment::parse_span(span).map_err(refuse)?;
        Ok(Some(Shown(moment::bucket(at, micros))))
    })?;
    connection.create_scalar_function("ip_in", 2, flags, |call| {
        let Some(network) = text(call, 1)? else { return Ok(None) };
        let network =
            call.get_or_create_aux(1, |_| Network::parse(network).map_err(BoxedError::from))?;
        let Some(address) = text(call, 0)? else { return Ok(None) };
        Ok(Some(address.parse().is_ok_and(|address| network.has(address))))
    })?;
    let complaints = Arc::clone(running);
    connection.create_collation(moment::COLLATION, move |left: &str, right: &str| {
        let (order, complaint) = moment::compare(left, right);
        if let Some(why) = complaint {
            complaints.complain(why);
        }
        order
    })
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

fn refuse(why: String) -> Error {
    Error::UserFunctionError(why.into())
}

fn text<'a>(call: &'a Context<'_>, index: usize) -> Result<Option<&'a str>> {
    match call.get_raw(index) {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => Ok(std::str::from_utf8(bytes).ok()),
        _ => Err(refuse(format!("argument {} must be text", index + 1))),
    }
}

fn time(call: &Context<'_>, index: usize) -> Result<Option<Timestamp>> {
    match call.get_raw(index) {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => moment::of_number(number).map(Some).map_err(refuse),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            moment::parse(text).map(Some).map_err(refuse)
        }
        _ => Err(refuse(format!("argument {} must be a time", index + 1))),
    }
}

/// A moment as SQL shows it.
struct Shown(Timestamp);

impl ToSql for Shown {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(moment::text_of(self.0).as_str().to_owned().into())
    }
}

/// The addresses that begin with the same bits.
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let shown: String = text.chars().take(64).collect();
        let wrong = || format!("`{shown}` is no network: write 10.0.0.0/8 or 2001:db8::/32");
        let (address, bits) = text.trim().split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        if bits > width(address) { Err(wrong()) } else { Ok(Self { address, bits }) }
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let width = width(self.address);
        if width != self::width(address) {
            return false;
        }
        let rest = width - self.bits;
        let start = |address| number(address).checked_shr(rest).unwrap_or(0);
        start(address) == start(self.address)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        check("10.0.0.0/8", "10.255.0.1", Some(true));
        check("10.0.0.0/8", "11.0.0.1", Some(false));
        check("0.0.0.0/0", "255.255.255.255", Some(true));
        check("192.0.2.7/32", "192.0.2.7", Some(true));
        check("192.0.2.7/32", "192.0.2.6", Some(false));
        check("10.0.0.0/8", "::ffff:10.0.0.1", Some(true));
        check("2001:db8::/32", "2001:db8::1", Some(true));
        check("::/0", "2001:db8::1", Some(true));
        check("::/0", "10.0.0.1", Some(false));
        check("10.0.0.0", "10.0.0.1", None);
        check("10.0.0.0/33", "10.0.0.1", None);
        check("here", "10.0.0.1", None);
    }

    #[track_caller]
    fn check(network: &str, address: &str, expected: Option<bool>) {
        let found = Network::parse(network).ok().map(|net| net.has(address.parse().unwrap()));
        assert_eq!(found, expected, "{address} in {network}");
    }
}

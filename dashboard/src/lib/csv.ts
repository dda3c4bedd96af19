/**
 * Tables as CSV (RFC 4180).
 *
 * Spreadsheets run a cell that begins like a formula, and hosts choose what stands in these cells
 * (CWE-1236): a text that begins so gets an apostrophe in front. Numbers stay as they are. Where every
 * byte matters, there is JSON.
 */

export type Cell = string | number | boolean | null;

/** What the first character of a formula may be. */
const FORMULA = /^[=+\-@\t\r]/;
const QUOTED = /[",\r\n]|^\s|\s$/;

/** One cell. Null is nothing; an empty text is a pair of quotes, to tell them apart. */
export function csvCell(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return text === "" || QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The head and the rows, each with its line end. */
export function csvOf(names: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [names, ...rows].map((row) => row.map(csvCell).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

/** The rows as JSON: an array of objects, or of arrays where two columns have one name. */
export function jsonOf(names: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const isNamed = new Set(names).size === names.length;
  const values = isNamed
    ? rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? null])))
    : [names, ...rows];
  return `${JSON.stringify(values, null, 1)}\n`;
}

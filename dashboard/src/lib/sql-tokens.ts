/** SQL in tinted pieces. For the eye only: what is right or wrong, the server says. */

export type SqlTokenKind = "" | "keyword" | "function" | "string" | "number" | "comment" | "name";

export interface SqlToken {
  text: string;
  kind: SqlTokenKind;
}

const KEYWORDS = new Set(
  `all and as asc between by case cast collate cross current desc distinct else end escape except exists
  explain false filter first following from full glob group having in inner intersect is isnull join last
  left like limit materialized natural not notnull null nulls offset on or order outer over partition
  plan preceding query range recursive regexp right row rows select then true unbounded union using
  values when where window with`.split(/\s+/),
);

const TOKEN =
  /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$))|(\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)|([A-Za-z_]\w*)/gi;

/** The pieces of `sql`; put together they are it again. */
export function sqlTokens(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let end = 0;
  for (const match of sql.matchAll(TOKEN)) {
    if (match.index > end) tokens.push({ text: sql.slice(end, match.index), kind: "" });
    end = match.index + match[0].length;
    tokens.push({ text: match[0], kind: kindOf(match, sql.slice(end, end + 40)) });
  }
  if (end < sql.length) tokens.push({ text: sql.slice(end), kind: "" });
  return tokens;
}

function kindOf(match: RegExpExecArray, after: string): SqlTokenKind {
  const [, comment, string, quoted, number, word] = match;
  if (comment !== undefined) return "comment";
  if (string !== undefined) return "string";
  if (quoted !== undefined) return "name";
  if (number !== undefined) return "number";
  if (word !== undefined && KEYWORDS.has(word.toLowerCase())) return "keyword";
  return /^\s*\(/.test(after) ? "function" : "name";
}

/**
 * Text from hosts, made safe to look at.
 *
 * The page never renders such text as HTML; what is left is text that deceives the eye: control
 * characters and escape sequences, marks that reverse the reading direction ("Trojan Source",
 * CVE-2021-42574), characters without width, and towers of combining marks. Each of them becomes a
 * visible mark.
 */

export interface Piece {
  text: string;
  /** Set where the piece stands for a character that is not what it looks like. */
  mark: string | null;
}

/** More combining marks than this on one letter are a tower, not a language. */
const COMBINING_MAX = 4;

const DECEIVING = [
  "[\\u0000-\\u001f\\u007f-\\u009f]", // C0, DEL, C1
  "\\u00ad|\\u034f|\\u061c|\\u115f|\\u1160|\\u17b4|\\u17b5|[\\u180b-\\u180f]|\\u3164|\\uffa0",
  "[\\u200b-\\u200f\\u2028-\\u202f\\u205f-\\u206f]", // no width, bidi, line separators
  "\\ufeff|[\\ufff0-\\ufffc]|[\\ufe00-\\ufe0f]",
  "[\\ud800-\\udfff]", // with the u flag: lone surrogates only
  "[\\u{e0000}-\\u{e0fff}]", // tags and variation selectors
  "[\\u{1d173}-\\u{1d17a}]",
  `\\p{M}{${COMBINING_MAX + 1},}`,
].join("|");
const ANY_DECEIVING = new RegExp(DECEIVING, "u");
const EACH_DECEIVING = new RegExp(DECEIVING, "gu");

/** The ASCII control characters from 0x00 on (RFC 20); few fonts have pictures for them. */
const CONTROL_NAMES =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(
    " ",
  );

const SHORT_NAMES: Record<number, string> = {
  0x7f: "DEL",
  0x200b: "ZWSP",
  0x200c: "ZWNJ",
  0x200d: "ZWJ",
  0x200e: "LRM",
  0x200f: "RLM",
  0x202a: "LRE",
  0x202b: "RLE",
  0x202c: "PDF",
  0x202d: "LRO",
  0x202e: "RLO",
  0x2066: "LRI",
  0x2067: "RLI",
  0x2068: "FSI",
  0x2069: "PDI",
  0xfeff: "BOM",
};

/** What stands for the deceiving `character`, and its code point for those who ask. */
function markFor(character: string): Piece {
  const code = character.codePointAt(0) ?? 0;
  const point = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const short = CONTROL_NAMES[code] ?? SHORT_NAMES[code];
  if (/^\p{M}/u.test(character) && code < 0xe0000 && !(code >= 0xfe00 && code <= 0xfe0f)) {
    return { text: `${[...character].length} marks`, mark: "a tower of combining marks" };
  }
  return { text: short ?? point, mark: point };
}

/** Whether anything in `text` has to be marked. */
export function deceives(text: string): boolean {
  return ANY_DECEIVING.test(text);
}

/** The text in pieces: as it is, and marks for what deceives. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(EACH_DECEIVING)) {
    if (match.index > end) out.push({ text: text.slice(end, match.index), mark: null });
    out.push(markFor(match[0]));
    end = match.index + match[0].length;
  }
  if (end < text.length) out.push({ text: text.slice(end), mark: null });
  return out;
}

/** The text as one string with marks in place, for titles and labels. */
export function visibleText(text: string, lengthMax = 300): string {
  return pieces(truncate(text, lengthMax).text)
    .map((piece) => (piece.mark === null ? piece.text : `⟨${piece.text}⟩`))
    .join("");
}

export interface Truncated {
  text: string;
  /** How many UTF-16 units are not shown. */
  hidden: number;
}

/** At most `lengthMax` units of `text`; never half a surrogate pair. */
export function truncate(text: string, lengthMax: number): Truncated {
  if (text.length <= lengthMax) return { text, hidden: 0 };
  let end = lengthMax;
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end -= 1;
  return { text: text.slice(0, end), hidden: text.length - end };
}

import { describe, expect, it } from "vitest";
import { deceives, pieces, truncate, visibleText } from "./visible-text";

describe("what deceives is marked", () => {
  const check = (text: string, expected: string) =>
    it(JSON.stringify(text).slice(0, 60), () => {
      expect(visibleText(text)).toBe(expected);
      expect(deceives(text)).toBe(text !== expected);
    });

  check("sleep 300", "sleep 300");
  check("<script>alert(1)</script> &amp;", "<script>alert(1)</script> &amp;");
  check("\u001b[31mred\u001b[0m", "⟨ESC⟩[31mred⟨ESC⟩[0m");
  check("a\u0000b\u0007c\u007f", "a⟨NUL⟩b⟨BEL⟩c⟨DEL⟩");
  check("two\nlines\r\n", "two⟨LF⟩lines⟨CR⟩⟨LF⟩");
  check("tab\there", "tab⟨TAB⟩here");
  check("\u009b2J", "⟨U+009B⟩2J");
  check("photo_\u202egpj.exe", "photo_⟨RLO⟩gpj.exe");
  check("\u2066a\u2069", "⟨LRI⟩a⟨PDI⟩");
  check("pay\u200bpal", "pay⟨ZWSP⟩pal");
  check("\ufeffbom", "⟨BOM⟩bom");
  check("line\u2028separator", "line⟨U+2028⟩separator");
  check("tag\u{e0041}", "tag⟨U+E0041⟩");
  check("half \ud83d pair", "half ⟨U+D83D⟩ pair");
  check("grüße, 世界, שלום, 😀", "grüße, 世界, שלום, 😀");
  check("e\u0301 is a letter", "e\u0301 is a letter");
  check("z" + "\u0301".repeat(40) + "algo", "z⟨40 marks⟩algo");
});

describe("pieces", () => {
  it("put together without marks are the text", () => {
    const text = "a\u001bb\u202ec😀d";
    expect(
      pieces(text)
        .filter((piece) => piece.mark === null)
        .map((piece) => piece.text)
        .join(""),
    ).toBe("abc😀d");
  });
  it("name the code point", () => {
    expect(pieces("\u202e")).toEqual([{ text: "RLO", mark: "U+202E" }]);
  });
  it("of an empty text are none", () => expect(pieces("")).toEqual([]));
});

describe("truncate", () => {
  it("leaves short text alone", () =>
    expect(truncate("abc", 3)).toEqual({ text: "abc", hidden: 0 }));
  it("counts what it hides", () =>
    expect(truncate("x".repeat(100_000), 200)).toEqual({ text: "x".repeat(200), hidden: 99_800 }));
  it("never cuts a character in half", () =>
    expect(truncate("ab😀", 3)).toEqual({ text: "ab", hidden: 2 }));
});

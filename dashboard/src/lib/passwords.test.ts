import { describe, expect, it } from "vitest";
import { passwordFault } from "./passwords";

describe("a new password", () => {
  const check = (name: string, next: string, again: string, fault: RegExp | null) =>
    it(name, () => {
      const found = passwordFault(next, again);
      if (fault === null) expect(found).toBeNull();
      else expect(found).toMatch(fault);
    });
  check("is good", "correct horse battery", "correct horse battery", null);
  check("counts characters, not bytes", "äöüßéèêñçøåæ", "äöüßéèêñçøåæ", null);
  check("is not short", "hunter2hunt", "hunter2hunt", /12 characters/);
  check("is not one key held down", "aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", /different/);
  check("is written the same twice", "correct horse battery", "correct horse batterz", /same/);
  check("has an end", "abcdef".repeat(200), "abcdef".repeat(200), /long/);
});

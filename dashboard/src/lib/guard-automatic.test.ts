import { describe, expect, it } from "vitest";
import { newRule, ruleFault, ruleText, tidied, withRule } from "./guard-automatic";
import type { AutomaticRule } from "./guard-types";

const RULE: AutomaticRule = { ...newRule(), name: "attackers" };

describe("a rule in words", () => {
  const check = (change: Partial<AutomaticRule>, when: Partial<AutomaticRule["when"]>, expected: string) =>
    it(expected, () => expect(ruleText({ ...RULE, ...change, when: { ...RULE.when, ...when } })).toBe(expected));
  check({}, {}, "An address seen 5 times with attack within 5 minutes is banned everywhere for 1 hour.");
  check(
    { hosts: true, projects: ["shop", "api"] },
    { threshold: 1, findings: ["indicator_match"], min_severity: "high" },
    "An address seen once with attack or alert of indicator match, high or worse, is banned in shop and api, and in the firewalls of hosts for 1 hour.",
  );
});

describe("a rule as it is written", () => {
  const check = (name: string, rule: AutomaticRule, expected: RegExp | null) =>
    it(name, () => {
      const fault = ruleFault(rule, "attackers", [RULE, { ...RULE, name: "other" }]);
      if (expected === null) expect(fault).toBeNull();
      else expect(fault).toMatch(expected);
    });
  check("is good", RULE, null);
  check("has no name", { ...RULE, name: " " }, /name/);
  check("has another's name", { ...RULE, name: "other" }, /of this name/);
  check("looks for nothing", { ...RULE, when: { ...RULE.when, event_types: [] } }, /seen with/);
  check("counts to nought", { ...RULE, when: { ...RULE.when, threshold: 0 } }, /1 or more/);
  check("bans nowhere", { ...RULE, projects: [] }, /where/);
  check("bans at hosts only", { ...RULE, projects: [], hosts: true }, null);
});

it("a rule takes the place of the one it was, or stands at the end", () => {
  const other = { ...RULE, name: "other" };
  expect(withRule([RULE, other], "attackers", { ...RULE, name: "new" }).map((one) => one.name)).toEqual(["new", "other"]);
  expect(withRule([RULE], null, other).map((one) => one.name)).toEqual(["attackers", "other"]);
  // Somebody removed it meanwhile: what was written is not lost.
  expect(withRule([other], "attackers", RULE).map((one) => one.name)).toEqual(["other", "attackers"]);
});

it("what is empty is not sent", () => {
  const { rules } = tidied({ rules: [RULE], share_app_bans: true, never_ban: [] });
  expect(rules[0]?.when).toEqual({ event_types: ["penetration_attempt"], threshold: 5, window_seconds: 300 });
});

import { describe, expect, it } from "vitest";
import { changeText, changesOf, isSameRules, merged } from "./guard-rules-change";
import type { Rules } from "./guard-types";

describe("what changed", () => {
  const check = (before: Rules, after: Rules, ...expected: string[]) =>
    it(expected.join("; ") || "nothing", () => expect(changesOf(before, after).map(changeText)).toEqual(expected));
  check({ ip_blacklist: ["a"], ttl: 5 }, { ttl: 5, ip_blacklist: ["a"], emergency_mode: false });
  check({ ip_blacklist: ["a", "b"] }, { ip_blacklist: ["b", "c"] }, "Banned addresses with c, without a");
  check({ ip_blacklist: ["a", "b"] }, { ip_blacklist: ["b", "a"] }, "Banned addresses: in another order");
  check({}, { ip_blacklist: ["1", "2", "3", "4", "5"] }, "Banned addresses with 1, 2, 3 and 2 more");
  check({ ttl: 5 }, {}, "Asked for again after not set any more (was 5)");
  check({}, { enable_ip_banning: false }, "Bans: off");
  check({ enable_ip_banning: true }, { enable_ip_banning: false }, "Bans: off instead of on");
  check(
    { endpoint_rate_limits: { "/login": [5, 60] } },
    { endpoint_rate_limits: { "/login": [9, 60] } },
    "Limits of endpoints with /login (9 in 60 s), without /login (5 in 60 s)",
  );
  check({}, { emergency_mode: true, ip_blacklist: ["a"] }, "Banned addresses with a", "Emergency mode: on");
  check({ future: { b: 1, a: 2 } }, { future: { a: 2, b: 1 } });
});

describe("two people's changes", () => {
  const check = (name: string, base: Rules, mine: Rules, theirs: Rules, rules: Rules, both: string[] = []) =>
    it(name, () => expect(merged(base, mine, theirs)).toEqual({ rules, both }));
  check("in fields of their own", { ttl: 1 }, { ttl: 2 }, { ttl: 1, message: "x" }, { ttl: 2, message: "x" });
  check("of which one took away", { ttl: 1, message: "x" }, { ttl: 1 }, { ttl: 3, message: "x" }, { ttl: 3 });
  check("that are alike", { ttl: 1 }, { ttl: 2 }, { ttl: 2 }, { ttl: 2 });
  check("of one value: mine", { ttl: 1 }, { ttl: 2 }, { ttl: 3 }, { ttl: 2 }, ["ttl"]);
  check(
    "of one list: both, and what either took away is away",
    { ip_blacklist: ["a", "b", "c"] },
    { ip_blacklist: ["a", "c", "mine"] },
    { ip_blacklist: ["b", "c", "theirs"] },
    { ip_blacklist: ["c", "theirs", "mine"] },
    ["ip_blacklist"],
  );
  check(
    "where I took away what they changed: mine",
    { endpoint_rate_limits: { "/a": [1, 1] } },
    {},
    { endpoint_rate_limits: { "/a": [2, 2] } },
    {},
    ["endpoint_rate_limits"],
  );
  check("nothing of mine: theirs", { ttl: 1 }, { ttl: 1 }, { ip_blacklist: ["a"] }, { ip_blacklist: ["a"] });
});

it("rules are the same whatever says nothing, and in whatever order", () => {
  expect(isSameRules({ a: 1, b: [] }, { b: null, a: 1 })).toBe(true);
  expect(isSameRules({ a: 1 }, { a: 2 })).toBe(false);
});

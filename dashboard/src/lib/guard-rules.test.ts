import { describe, expect, it } from "vitest";
import {
  FIELD_NAMES,
  type RulesDraft,
  draftOf,
  entriesOf,
  faultsOf,
  jsonOfRules,
  rulesFromJson,
  rulesOf,
  secondsText,
  withoutEmpty,
} from "./guard-rules";
import type { Rules } from "./guard-types";

/** Every field of the contract that a person sets, with a value that says something. */
const ALL: Rules = {
  ip_blacklist: ["203.0.113.9", "2001:db8::/32"],
  ip_whitelist: ["198.51.100.7"],
  ip_ban_duration: 7200,
  blocked_countries: ["KP", "XX"],
  whitelist_countries: ["NL"],
  global_rate_limit: 100,
  global_rate_window: 60,
  endpoint_rate_limits: { "/login": [5, 60], "/a~b/c": [1, 1] },
  blocked_cloud_providers: ["AWS", "GCP:!europe-west1"],
  blocked_user_agents: ["sqlmap", "ab{2,3}c"],
  suspicious_patterns: ["(?i)union,select"],
  enable_penetration_detection: true,
  enable_ip_banning: false,
  enable_rate_limiting: true,
  enable_rate_limit_auto_ban: false,
  auto_ban_threshold: 3,
  auto_ban_duration: 600,
  emergency_mode: true,
  emergency_whitelist: ["192.0.2.1"],
  emergency_whitelist_only: true,
  message: "maintenance",
  expires_at: "2030-01-02T03:04:00Z",
  ttl: 30,
};

describe("rules in the form", () => {
  it("come back as they were, whole", () => {
    expect(rulesOf(draftOf(ALL))).toEqual({ rules: ALL, faults: {} });
    expect(Object.keys(FIELD_NAMES).toSorted()).toEqual(Object.keys(ALL).toSorted());
  });

  for (const field of Object.keys(ALL)) {
    it(`come back as they were: ${field} alone`, () => {
      // A window alone says nothing, and is told.
      if (field === "global_rate_window") return;
      const one = { [field]: ALL[field] };
      expect(rulesOf(draftOf(one))).toEqual({ rules: one, faults: {} });
    });
  }

  it("keep what the page has no field for", () => {
    const rules = { future: { a: [1] }, ip_blacklist: ["203.0.113.9"] };
    expect(rulesOf(draftOf(rules)).rules).toEqual(rules);
  });

  it("are empty where nothing is written", () => {
    expect(rulesOf(draftOf({}))).toEqual({ rules: {}, faults: {} });
    const nothing = { ip_blacklist: [], global_rate_limit: null, endpoint_rate_limits: {}, emergency_mode: false };
    expect(rulesOf(draftOf(nothing)).rules).toEqual({});
    expect(withoutEmpty(nothing)).toEqual({});
  });

  it("a switch that is off is not one that is left alone", () => {
    expect(rulesOf(draftOf({ enable_ip_banning: false })).rules).toEqual({ enable_ip_banning: false });
    expect(withoutEmpty({ enable_ip_banning: false })).toEqual({ enable_ip_banning: false });
  });

  it("values of a wrong type from the server break nothing", () => {
    const odd = { ip_blacklist: "x", endpoint_rate_limits: [1], blocked_cloud_providers: 7, ttl: "1", message: 1 };
    expect(() => rulesOf(draftOf(odd as Rules))).not.toThrow();
  });
});

describe("what is wrong with a form", () => {
  const check = (name: string, field: string, change: (draft: RulesDraft) => void, expected: RegExp | null) =>
    it(name, () => {
      const draft = draftOf({});
      change(draft);
      const told = rulesOf(draft).faults[field] ?? [];
      if (expected === null) expect(told).toEqual([]);
      else expect(told.join("\n")).toMatch(expected);
    });
  const list = (field: keyof RulesDraft["lists"], text: string) => (draft: RulesDraft) => (draft.lists[field] = text);

  check("an address that is none", "ip_blacklist", list("ip_blacklist", "203.0.113.9\nfoo"), /Entry 2, “foo”/);
  check("a prefix that is too long", "ip_blacklist", list("ip_blacklist", "1.2.3.4/33"), /network/);
  check("networks are addresses", "emergency_whitelist", list("emergency_whitelist", "2001:db8::/48"), null);
  check("a country in words", "blocked_countries", list("blocked_countries", "Netherlands"), /two letters/);
  check("a country in lower case", "blocked_countries", list("blocked_countries", "nl"), null);
  check("a pattern is the server's to judge", "suspicious_patterns", list("suspicious_patterns", "("), null);
  check("a number in words", "ttl", (draft) => (draft.numbers.ttl = "an hour"), /whole number/);
  check("nought", "auto_ban_threshold", (draft) => (draft.numbers.auto_ban_threshold = "0"), /1 or more/);
  check("a window alone", "global_rate_window", (draft) => (draft.numbers.global_rate_window = "60"), /without/);
  check("a region of no cloud", "blocked_cloud_providers", (draft) => (draft.regions = "europe"), /GCP:!/);
  const limits = (...endpoints: RulesDraft["endpoints"]) => (draft: RulesDraft) => (draft.endpoints = endpoints);
  const login = { path: "/login", requests: "5", seconds: "60" };
  check("a path without a slash", "endpoint_rate_limits", limits({ ...login, path: "login" }), /slash/);
  check("a path twice", "endpoint_rate_limits", limits(login, login), /twice/);
  check("a limit of nothing", "endpoint_rate_limits", limits({ ...login, requests: "" }), /whole numbers/);
  check("a row that is empty", "endpoint_rate_limits", limits({ path: "", requests: "", seconds: " " }), null);

  it("countries are sent in capitals, and each entry once", () => {
    const draft = draftOf({});
    draft.lists.blocked_countries = "nl\nNL\n be ";
    expect(rulesOf(draft).rules).toEqual({ blocked_countries: ["NL", "BE"] });
  });
});

describe("rules as JSON", () => {
  it("are what the form says, in its order", () => {
    const text = jsonOfRules({ other: 1, ...ALL });
    expect(rulesFromJson(text)).toEqual({ rules: { other: 1, ...ALL } });
    expect(Object.keys(JSON.parse(text) as object)).toEqual([...Object.keys(FIELD_NAMES), "other"]);
  });

  const check = (text: string, expected: RegExp) =>
    it(`refused: ${text}`, () => {
      const read = rulesFromJson(text);
      expect("fault" in read ? read.fault : "taken").toMatch(expected);
    });
  check("{", /not JSON/);
  check("[]", /object/);
  check("null", /object/);
  check('{"ip_blacklist":"x"}', /list of texts/);
  check('{"ip_blacklist":[1]}', /list of texts/);
  check('{"blocked_cloud_providers":"AWS"}', /list of texts/);
  check('{"ttl":"30"}', /number/);
  check('{"emergency_mode":"yes"}', /true or false/);
  check('{"expires_at":5}', /text/);
  check('{"endpoint_rate_limits":[]}', /object/);
  check('{"endpoint_rate_limits":{"/":[1]}}', /requests, seconds/);

  it("null is as nothing", () => {
    expect(rulesFromJson('{"global_rate_limit":null,"expires_at":null}')).toHaveProperty("rules");
  });
});

describe("what the server says of fields", () => {
  it("goes to the field, with the entry that it is of", () => {
    const said = [
      { place: "/rules/ip_blacklist/3", detail: "not an address" },
      { place: "/rules/endpoint_rate_limits/~1login/0", detail: "too large" },
      { place: "/suspicious_patterns/0", detail: "unclosed group" },
      { place: "rules/ttl", detail: "too small" },
    ];
    expect(faultsOf(said)).toEqual({
      ip_blacklist: ["Entry 4: not an address"],
      endpoint_rate_limits: ["/login: too large"],
      suspicious_patterns: ["Entry 1: unclosed group"],
      ttl: ["too small"],
    });
  });
});

describe("small things", () => {
  it("entries are one a line", () => {
    expect(entriesOf(" a \n\n b,c\r\n")).toEqual(["a", "b,c"]);
  });
  const check = (text: string, expected: string | null) =>
    it(`${text} seconds`, () => expect(secondsText(text)).toBe(expected));
  check("60", "1 minute");
  check("7200", "2 hours");
  check("86400", "1 day");
  check("90", "90 seconds");
  check("x", null);
});

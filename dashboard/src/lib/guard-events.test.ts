import { describe, expect, it } from "vitest";
import { GUARD_EVENT_TYPES, bannable, guardEventName, guardFacts, outcomeOf, projectOf, requestText, sourceOf } from "./guard-events";
import type { GuardEvent } from "./guard-types";

const EVENT: GuardEvent = {
  id: "1",
  time: "2026-11-20T20:16:39Z",
  project: "shop",
  install_id: null,
  event_type: "penetration_attempt",
  action: "request_blocked",
  reason: "found",
  address: "203.0.113.9",
  country: null,
  user_agent: null,
  method: "GET",
  endpoint: "/login",
  status_code: 403,
  response_time_ms: 1,
  category: null,
  pattern: null,
  metadata: null,
};

it("each type stands in one group", () => {
  expect(new Set(GUARD_EVENT_TYPES).size).toBe(GUARD_EVENT_TYPES.length);
  // The nine that the agent's own documents name are among them.
  for (const type of "ip_banned rate_limited suspicious_request cloud_blocked country_blocked penetration_attempt behavioral_violation user_agent_blocked custom_rule_triggered".split(" ")) {
    expect(GUARD_EVENT_TYPES).toContain(type);
  }
});

it("types have names, the unknown ones too", () => {
  expect(guardEventName("ip_banned")).toBe("address banned");
  expect(guardEventName("brand_new_thing")).toBe("brand new thing");
  expect(guardEventName("constructor")).toBe("constructor");
});

describe("the outcome", () => {
  const check = (event_type: string, action: string | null, expected: string) =>
    it(`${event_type}, ${action ?? "nothing said"}`, () => expect(outcomeOf({ event_type, action })).toBe(expected));
  check("penetration_attempt", "request_blocked", "refused");
  check("penetration_attempt", "logged_only", "noted");
  check("penetration_attempt", "banned", "banned");
  check("ip_banned", "banned", "banned");
  check("rate_limited", "blocked", "refused");
  check("https_enforced", "https_redirect", "refused");
  check("pattern_detected", "threat_detected", "noted");
  check("custom", null, "noted");
});

describe("the facts", () => {
  const facts = (metadata: Record<string, unknown>, more: Partial<GuardEvent> = {}) =>
    Object.fromEntries(guardFacts({ ...EVENT, metadata, ...more }).map((fact) => [fact.name, fact.text]));

  it("say where what was found", () => {
    expect(facts({ context: "query_param:q", content_preview: "' OR 1=1", category: "sqli", threat_score: 1 })).toEqual({
      Why: "found",
      "Found in": "query_param:q",
      "What was there": "' OR 1=1",
      Category: "sqli",
      Score: "1",
      Done: "request blocked",
    });
  });

  it("say which limit", () => {
    expect(facts({ rate_limit: 10, window: 60, request_count: 11 })).toMatchObject({ Limit: "10 in 60 s", Counted: "11" });
  });

  it("take nothing for a value that is none, nor from the prototype", () => {
    expect(facts({ context: {}, pattern: null, category: [] }, { reason: "", action: null })).toEqual({});
    expect(guardFacts({ ...EVENT, metadata: { toString: "x" } }).some((fact) => fact.text === "x")).toBe(false);
  });
});

describe("who can be banned", () => {
  const check = (address: string | null, expected: string | null) =>
    it(String(address), () => expect(bannable({ address })).toBe(expected));
  check("203.0.113.9", "203.0.113.9");
  check("2001:db8::1", "2001:db8::1");
  check("system", null);
  check("", null);
  check(null, null);
});

it("a source of a guarded application names its project", () => {
  expect(projectOf(sourceOf("shop"))).toBe("shop");
  expect(projectOf("host-agent:guard:x")).toBeNull();
});

it("a request is its method and its endpoint, as far as they are told", () => {
  expect(requestText(EVENT)).toBe("GET /login");
  expect(requestText({ method: null, endpoint: "/x" })).toBe("/x");
  expect(requestText({ method: null, endpoint: null })).toBe("");
});

import { expect, it } from "vitest";
import { guardEventOf } from "./guard-ocsf";

const ROW = {
  id: "1",
  time: "2026-11-21T22:22:11Z",
  source: "guard:shop",
  kind: "app_guard",
  ocsf: {
    action: "request_blocked",
    duration: 2.5,
    finding_info: { analytic: { name: "sql_stacked" }, title: "sqli", types: ["penetration_attempt"] },
    http_request: { http_method: "GET", url: { path: "/articles/3" }, user_agent: "curl" },
    http_response: { code: 400 },
    raw_data: '{"metadata":{"context":"query_param:q"}}',
    src_endpoint: { ip: "203.0.113.66", location: { country: "NL" } },
    status_detail: "a semicolon",
    unmapped: { app_guard: { install_id: "0393c161" } },
  },
};

it("an event of a guard is what its own page shows of it", () => {
  expect(guardEventOf(ROW)).toEqual({
    id: "1",
    time: "2026-11-21T22:22:11Z",
    project: "shop",
    install_id: "0393c161",
    event_type: "penetration_attempt",
    action: "request_blocked",
    reason: "a semicolon",
    address: "203.0.113.66",
    country: "NL",
    user_agent: "curl",
    method: "GET",
    endpoint: "/articles/3",
    status_code: 400,
    response_time_ms: 2.5,
    category: "sqli",
    pattern: "sql_stacked",
    metadata: { context: "query_param:q" },
  });
});

it("what is missing or no JSON is none", () => {
  const bare = guardEventOf({ ...ROW, ocsf: { raw_data: "{" } });
  expect(bare?.metadata).toBeNull();
  expect(bare?.address).toBeNull();
  expect(guardEventOf({ ...ROW, ocsf: null })?.event_type).toBe("");
});

it("other kinds, and other senders, are none of it", () => {
  expect(guardEventOf({ ...ROW, kind: "http_request" })).toBeNull();
  expect(guardEventOf({ ...ROW, source: "sysscore:web-1" })).toBeNull();
});

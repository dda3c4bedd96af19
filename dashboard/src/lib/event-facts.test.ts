import { describe, expect, it } from "vitest";
import { factsOf } from "./event-facts";

function check(name: string, kind: string, ocsf: unknown, expected: string[]): void {
  it(name, () => expect(factsOf(kind, ocsf).map((fact) => `${fact.name}: ${fact.text}`)).toEqual(expected));
}

describe("the facts of an event", () => {
  check(
    "that is a web request",
    "http_request",
    {
      http_request: { http_method: "GET", url: { path: "/a?b=1", hostname: "x.example" }, user_agent: "curl" },
      http_response: { code: 404, length: 2048 },
      src_endpoint: { ip: "2001:db8::1", port: 4711 },
      actor: { user: { name: "ada" } },
      duration: 12,
    },
    [
      "Method: GET",
      "Host asked for: x.example",
      "Path: /a?b=1",
      "Answer: 404, 2.0 KiB",
      "Took: 12 ms",
      "Client: [2001:db8::1]:4711",
      "User: ada",
      "User agent: curl",
    ],
  );
  check(
    "that is a sign-in",
    "sign_in",
    {
      user: { name: "root" },
      status_id: 2,
      status: "Failure",
      status_detail: "wrong password",
      service: { name: "sshd" },
      auth_protocol: "password",
      src_endpoint: { ip: "203.0.113.7" },
    },
    [
      "User: root",
      "Outcome: refused",
      "Why: wrong password",
      "Service: sshd",
      "Proof: password",
      "Client: 203.0.113.7",
    ],
  );
  check("that says little", "http_request", { http_request: {} }, []);
  check("that says nothing", "sign_in", null, []);
  check("of another kind", "inventory", { user: { name: "x" } }, []);
});

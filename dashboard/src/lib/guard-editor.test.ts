import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "./api";
import { guardApi } from "./guard-api";
import { RulesEditor } from "./guard-editor.svelte";
import type { GuardRules, Rules } from "./guard-types";

const saved = (version: number, rules: Rules): GuardRules => ({
  project: "shop",
  version,
  rules,
  expired: false,
  updated: "2026-11-21T18:00:00Z",
  updated_by: "user:ada",
  note: null,
  published: { version, since: null, bans: 0, bans_left_out: 0 },
});

/** What the server has, and how it takes the next save. */
let server: GuardRules;
let refusal: ApiError | null;

beforeEach(() => {
  server = saved(3, { ip_blacklist: ["203.0.113.9"], ttl: 30 });
  refusal = null;
  vi.spyOn(guardApi.rules, "read").mockImplementation(() => Promise.resolve(server));
  vi.spyOn(guardApi.rules, "save").mockImplementation((_project, rules, base) => {
    if (refusal !== null) return Promise.reject(refusal);
    if (base !== server.version) return Promise.reject(new ApiError(409, "Conflict", "another version"));
    server = saved(server.version + 1, rules);
    return Promise.resolve(server);
  });
});
afterEach(() => vi.restoreAllMocks());

async function opened(): Promise<RulesEditor> {
  const editor = new RulesEditor("shop");
  await editor.read();
  return editor;
}

describe("rules that somebody edits", () => {
  it("are unchanged at first, and again when they are as they were", async () => {
    const editor = await opened();
    expect(editor.isChanged).toBe(false);
    editor.draft.lists.ip_blacklist = "203.0.113.9\n198.51.100.1";
    expect(editor.changes.map((one) => one.field)).toEqual(["ip_blacklist"]);
    editor.draft.lists.ip_blacklist = " 203.0.113.9 ";
    expect(editor.isChanged).toBe(false);
  });

  it("are the next version once they are saved", async () => {
    const editor = await opened();
    editor.draft.numbers.ttl = "60";
    expect(await editor.save("faster")).toBe(true);
    expect(editor.base?.version).toBe(4);
    expect(editor.isChanged).toBe(false);
    expect(server.rules).toEqual({ ip_blacklist: ["203.0.113.9"], ttl: 60 });
  });

  it("what others save is shown, unless something is half written", async () => {
    const editor = await opened();
    server = saved(4, { ttl: 5 });
    await editor.read();
    expect(editor.draft.numbers.ttl).toBe("5");
    editor.draft.numbers.ttl = "6";
    server = saved(5, { ttl: 7 });
    await editor.read();
    expect(editor.draft.numbers.ttl).toBe("6");
    expect(editor.isBehind).toBe(true);
  });

  it("a conflict loses neither's changes", async () => {
    const editor = await opened();
    editor.draft.lists.ip_blacklist = "203.0.113.9\n198.51.100.1";
    server = saved(4, { ip_blacklist: ["192.0.2.1"], ttl: 31 });
    expect(await editor.save("")).toBe(false);
    expect(editor.saving.refused).toContain("another version");
    expect(editor.isBehind).toBe(true);
    editor.catchUp();
    expect(editor.both).toEqual(["ip_blacklist"]);
    expect(editor.rules).toEqual({ ip_blacklist: ["192.0.2.1", "198.51.100.1"], ttl: 31 });
    expect(await editor.save("")).toBe(true);
    expect(server.version).toBe(5);
  });

  it("what the server says of a field stands there until that field is another", async () => {
    const editor = await opened();
    editor.draft.lists.suspicious_patterns = "(";
    refusal = new ApiError(422, "Invalid rules", "unclosed", null, null, null, [
      { place: "/rules/suspicious_patterns/0", detail: "unclosed group" },
    ]);
    expect(await editor.save("")).toBe(false);
    expect(editor.faults).toEqual({ suspicious_patterns: ["Entry 1: unclosed group"] });
    editor.draft.numbers.ttl = "9";
    expect(editor.faults).toEqual({ suspicious_patterns: ["Entry 1: unclosed group"] });
    editor.draft.lists.suspicious_patterns = "()";
    expect(editor.faults).toEqual({});
  });

  it("go from the form to JSON and back; not while the JSON is none", async () => {
    const editor = await opened();
    editor.draft.numbers.ttl = "60";
    editor.look("json");
    expect(JSON.parse(editor.json)).toEqual({ ip_blacklist: ["203.0.113.9"], ttl: 60 });
    editor.json = "{";
    expect(editor.jsonFault).toMatch(/not JSON/);
    expect(editor.isChanged).toBe(true);
    editor.look("form");
    expect(editor.view).toBe("json");
    editor.json = '{"ttl": 61, "future": 1}';
    editor.look("form");
    expect(editor.draft.numbers.ttl).toBe("61");
    expect(editor.rules).toEqual({ ttl: 61, future: 1 });
  });

  it("what is dropped is as the server has it", async () => {
    const editor = await opened();
    editor.draft.numbers.ttl = "60";
    server = saved(4, { ttl: 5 });
    await editor.read();
    editor.discard();
    expect(editor.base?.version).toBe(4);
    expect(editor.rules).toEqual({ ttl: 5 });
  });
});

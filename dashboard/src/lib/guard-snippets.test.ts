import { expect, it } from "vitest";
import { environmentOf, guardEndpoint, pythonSnippet, rustSnippet } from "./guard-snippets";

const SECRETS = { project: 'sh"op', key: "rwg_key", signing_secret: "sign", encryption_key: null };

it("reports below the address of this server", () => {
  expect(guardEndpoint("https://ringwall.example:7400/")).toBe("https://ringwall.example:7400/dialects/guard");
});

it("the environment has what there is", () => {
  expect(environmentOf(SECRETS)).toBe("GUARD_API_KEY=rwg_key\nGUARD_SIGNING_SECRET=sign\n");
});

it("the source has no secret, and no option without one", () => {
  for (const snippet of [pythonSnippet, rustSnippet]) {
    const source = snippet(SECRETS, "http://127.0.0.1:7400");
    expect(source).not.toContain("rwg_key");
    expect(source).toContain('"GUARD_API_KEY"');
    expect(source).toContain('"GUARD_SIGNING_SECRET"');
    expect(source).not.toContain("ENCRYPTION");
    // A name is quoted as the language has it.
    expect(source).toContain('"sh\\"op"');
    expect(source).toContain('"http://127.0.0.1:7400/dialects/guard"');
  }
});

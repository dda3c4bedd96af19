import { describe, expect, it } from "vitest";
import { networkHolds } from "./addresses";
import { byCountry, countryName } from "./countries";
import { addressFault, banSecondsText, banWarning, coverText, isActive, originName, wasLifted } from "./guard-bans";
import { COUNTRIES_KNOWN, WORLD_HEIGHT, WORLD_WIDTH, marksOf, middleOf, wallPath } from "./world";

describe("what a network holds", () => {
  const check = (network: string, address: string, expected: boolean) =>
    it(`${network} and ${address}`, () => expect(networkHolds(network, address)).toBe(expected));
  check("203.0.113.0/24", "203.0.113.9", true);
  check("203.0.113.0/24", "203.0.114.9", false);
  check("203.0.113.9", "203.0.113.9", true);
  check("203.0.113.9", "203.0.113.10", false);
  check("0.0.0.0/0", "8.8.8.8", true);
  check("203.0.113.0/25", "203.0.113.200", false);
  check("2001:db8::/32", "2001:db8:1::1", true);
  check("2001:db8::/32", "2001:db9::1", false);
  check("203.0.113.0/24", "::ffff:203.0.113.9", true);
  check("2001:db8::/32", "203.0.113.9", false);
  check("nonsense", "203.0.113.9", false);
  check("203.0.113.0/24", "nonsense", false);
});

describe("before a ban", () => {
  it("the address is one, or a network of some", () => {
    expect(addressFault("203.0.113.9")).toBeNull();
    expect(addressFault(" 2001:db8::/32 ")).toBeNull();
    expect(addressFault("0.0.0.0/0")).toMatch(/every/);
    expect(addressFault("example.com")).toMatch(/address/);
  });

  const check = (address: string, own: string | null, expected: RegExp | null) =>
    it(`${address}, from ${own ?? "somewhere"}`, () => {
      if (expected === null) expect(banWarning(address, own)).toBeNull();
      else expect(banWarning(address, own)).toMatch(expected);
    });
  check("203.0.113.9", "192.0.2.1", null);
  check("192.0.2.0/24", "192.0.2.1", /signed in from/);
  check("127.0.0.1", null, /never/);
  check("10.0.0.7", null, /private/);
  check("198.0.0.0/8", null, /16,777,216 addresses/);
  check("2001:db8::/32", null, /2\^96/);
  check("nonsense", null, null);
});

it("what it covers is said where it is more than one", () => {
  expect(coverText("203.0.113.9")).toBeNull();
  expect(coverText("203.0.113.0/24")).toBe("256 addresses");
});

it("times and origins are in words", () => {
  expect(banSecondsText(86_400)).toBe("1 day");
  expect(banSecondsText(172_800)).toBe("2 days");
  expect(banSecondsText(90)).toBe("90 seconds");
  expect(originName("alert")).toBe("an automatic rule");
  expect(originName("constructor")).toBe("constructor");
});

it("a ban holds until its time is over or somebody lifts it", () => {
  const now = Date.parse("2026-11-21T18:00:00Z");
  expect(isActive({ ended: null, expires: "2026-11-21T18:00:01Z" }, now)).toBe(true);
  expect(isActive({ ended: null, expires: "2026-11-21T18:00:00Z" }, now)).toBe(false);
  expect(isActive({ ended: "2026-11-21T17:00:00Z", expires: "2026-11-22T18:00:00Z" }, now)).toBe(false);
});

it("a ban that was lifted is not one whose time was over", () => {
  expect(wasLifted({ ended: "2026-11-21T17:00:00Z", ended_by: "user:ada" })).toBe(true);
  expect(wasLifted({ ended: "2026-11-21T17:00:00Z", ended_by: "server" })).toBe(false);
  expect(wasLifted({ ended: null, ended_by: null })).toBe(false);
});

describe("countries", () => {
  it("have names", () => {
    expect(countryName("nl")).toBe("Netherlands");
    expect(countryName("??")).toBe("??");
    expect(countryName(null)).toBe("not known");
  });

  it("are counted, those not known last", () => {
    const rows = ["CN", null, "nl", "NL", "", null].map((country) => ({ country }));
    expect(byCountry(rows)).toEqual([
      { code: "NL", count: 2 },
      { code: "CN", count: 1 },
      { code: null, count: 3 },
    ]);
  });
});

describe("the map", () => {
  const letters = Array.from({ length: 26 }, (_, at) => String.fromCharCode(65 + at));
  const names = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });
  const codes = letters.flatMap((a) => letters.map((b) => a + b)).filter((code) => middleOf(code) !== null);

  it("knows countries only, each within the picture", () => {
    expect(codes.length).toBe(COUNTRIES_KNOWN);
    expect(codes.length).toBeGreaterThan(235);
    for (const code of codes) {
      expect(names.of(code), code).toBeDefined();
      const { x, y } = middleOf(code) ?? { x: -1, y: -1 };
      expect(x >= 0 && x <= WORLD_WIDTH && y >= 0 && y <= WORLD_HEIGHT, code).toBe(true);
    }
  });

  it("draws the many large and first, and leaves out what has no place", () => {
    const marks = marksOf([{ code: "NL", count: 1 }, { code: "US", count: 9 }, { code: "ZZ", count: 99 }]);
    expect(marks.map((mark) => mark.code)).toEqual(["US", "NL"]);
    expect(marks[0]?.radius).toBeGreaterThan(marks[1]?.radius ?? 99);
  });

  it("is a wall of whole stones", () => {
    expect(wallPath()).toMatch(/^(M[\d.]+ [\d.]+h[\d.]+v[\d.]+h-[\d.]+z)+$/);
  });
});

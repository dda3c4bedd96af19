import { describe, expect, it } from "vitest";
import { boundsOf, eventFilter, isNarrowed, listQuery, localOf, momentOf, spanQuery } from "./event-filter";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const of = (query: string) => eventFilter(new URLSearchParams(query));

describe("the filter of an address", () => {
  it("may ask for everything", () => {
    expect(isNarrowed(of(""))).toBe(false);
    expect(Object.values(listQuery(of(""), NOW)).join("")).toBe("");
  });
  it("counts a span from now", () =>
    expect(listQuery(of("span=1h&kind=sign_in"), NOW)).toEqual({
      host: "",
      kind: "sign_in",
      pid: "",
      contains: "",
      since: "2026-11-21T11:00:00Z",
      until: "",
    }));
  it("takes bounds over a span", () => {
    const filter = of("span=1h&since=2026-11-01T00:00:00Z");
    expect(filter.span).toBe("between");
    expect(boundsOf(filter, NOW)).toEqual({ since: Date.parse("2026-11-01T00:00:00Z"), until: null });
  });
  it("passes over what is no time", () =>
    expect(boundsOf(of("since=yesterday&until="), NOW)).toEqual({ since: null, until: null }));
  it("passes over spans that are none", () =>
    expect(boundsOf(of("span=constructor"), NOW)).toEqual({ since: null, until: null }));
  it("reads back the span that was selected", () => {
    const span = { since: NOW - 60_000, until: NOW };
    const changes = spanQuery(span);
    const filter = of(`since=${changes["since"]}&until=${changes["until"]}`);
    expect(boundsOf(filter, NOW + 5000)).toEqual(span);
  });
});

describe("fields of local time", () => {
  it("read back what they show", () => {
    for (const moment of ["2026-11-21T12:00:00Z", "2026-07-01T00:30:15Z"]) {
      expect(momentOf(localOf(moment))).toBe(Date.parse(moment));
    }
  });
  it("are empty where there is no time", () => expect(localOf("x")).toBe(""));
});

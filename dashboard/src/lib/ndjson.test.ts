import { describe, expect, it } from "vitest";
import { readNdjson } from "./ndjson";

/** A body that arrives in these pieces; says whether it was given up. */
function bodyOf(pieces: (string | Uint8Array)[]) {
  const encoder = new TextEncoder();
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
    },
    cancel() {
      state.cancelled = true;
    },
  });
  return { body, state };
}

async function all(pieces: (string | Uint8Array)[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of readNdjson(bodyOf(pieces).body)) values.push(value);
  return values;
}

describe("lines of JSON", () => {
  const check = (name: string, pieces: (string | Uint8Array)[], expected: unknown[]) =>
    it(name, async () => expect(await all(pieces)).toEqual(expected));

  check("one a line", ['{"a":1}\n{"b":2}\n'], [{ a: 1 }, { b: 2 }]);
  check("cut anywhere", ['{"a', '":1}', "\n", '{"b":2', "}\n"], [{ a: 1 }, { b: 2 }]);
  check("the last one without an end", ['1\n"two"'], [1, "two"]);
  check("none", [], []);
  check("empty lines are passed over", ["\n\r\n1\r\n\n2\n"], [1, 2]);
  check("a newline inside a text is no end", ['"a\\nb"\n'], ["a\nb"]);
  check("a letter cut in half", [Uint8Array.of(0x22, 0xc3), Uint8Array.of(0xbc, 0x22, 0x0a)], ["ü"]);

  it("what is no JSON is named by its line", async () => {
    await expect(all(["1\n{\n"])).rejects.toThrow("line 2 of the answer is not JSON");
  });

  it("whoever stops reading gives the body up", async () => {
    const { body, state } = bodyOf(["1\n", "2\n", "3\n", "4\n"]);
    for await (const value of readNdjson(body)) if (value === 1) break;
    expect(state.cancelled).toBe(true);
  });
});

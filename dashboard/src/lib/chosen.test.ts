import { expect, test } from "vitest";
import { Chosen } from "./chosen.svelte";

interface Row {
  id: string;
  state: string;
}

test("what comes live while it is being read is newer than what is read", async () => {
  let answer: (row: Row) => void = () => {};
  const chosen = new Chosen<Row>(() => new Promise((resolve) => (answer = resolve)));
  chosen.choose("a", null);
  chosen.take({ id: "a", state: "succeeded" });
  chosen.take({ id: "b", state: "failed" });
  answer({ id: "a", state: "queued" });
  await Promise.resolve();
  await Promise.resolve();
  expect(chosen.value).toEqual({ id: "a", state: "succeeded" });

  const again = chosen.again();
  answer({ id: "a", state: "read later" });
  await again;
  expect(chosen.value?.state).toBe("read later");
});

/** What people ask of the store: by time, in SQL, and what must be kept. */

import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expect, signIn, test, visit } from "./page";

test.use({ viewport: { width: 1440, height: 900 } });

const editor = (page: Page) => page.getByRole("textbox", { name: "SQL" });
const answer = (page: Page) => page.getByRole("region", { name: "Answer", exact: true });
const rows = (page: Page) => page.getByRole("region", { name: "Rows of the answer" }).getByRole("row");

async function ask(page: Page, sql: string): Promise<void> {
  await editor(page).fill(sql);
  await editor(page).press("Control+Enter");
}

test("a query is answered, kept, and shared by its address", async ({ page }) => {
  await signIn(page);
  await visit(page, "/query");
  await ask(page, "SELECT 12345 AS events, 'x' AS name, NULL AS missing -- browser test");
  await expect(answer(page).getByText("1 row", { exact: true }).last()).toBeVisible();
  await expect(rows(page).nth(1)).toContainText("12,345");
  await expect(rows(page).nth(1)).toContainText("null");

  await page.getByRole("tab", { name: /history/i }).click();
  await expect(page.getByRole("tabpanel")).toContainText("browser test");

  // The address has it; who opens it sees it, and nothing runs by itself.
  const shared = page.url();
  expect(shared).toContain("#sql=");
  await page.goto("about:blank");
  await page.goto(shared);
  await expect(editor(page)).toHaveValue(/browser test/);
  await expect(answer(page)).toHaveCount(0);
  await expect(page.getByRole("tab", { name: /history/i })).toContainText("1");
});

test("a query that is wrong says where and how to go on", async ({ page }) => {
  await signIn(page);
  await visit(page, "/query");
  await ask(page, "SELECT process_nme\nFROM events");
  const fault = answer(page).getByRole("alert");
  await expect(fault).toContainText("process_nme");
  await expect(fault).toContainText("Hint");
  await ask(page, "DELETE FROM alerts");
  await expect(fault).not.toContainText("process_nme");
  await expect(fault).toBeVisible();
});

test("what hosts say stays text in answers, and becomes no formula in files", async ({ page }) => {
  await signIn(page);
  await visit(page, "/query");
  await ask(
    page,
    "SELECT '<img src=x onerror=alert(1)>' || char(27) || '[31m' || char(8238) || 'gpj.exe' AS name, '=1+1' AS sum, 'a\"b' AS quoted",
  );
  const row = rows(page).nth(1);
  await expect(row).toContainText("<img src=x onerror=alert(1)>");
  await expect(row.getByText("ESC", { exact: true })).toBeVisible();
  await expect(row.getByText("RLO", { exact: true })).toBeVisible();
  expect(await page.locator("img").count()).toBe(0);

  await page.getByRole("button", { name: "Row 1, all of it" }).click();
  const dialog = page.getByRole("dialog", { name: "Row 1" });
  await expect(dialog.getByText("RLO", { exact: true })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);

  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV", exact: true }).click();
  const download = await waiting;
  expect(download.suggestedFilename()).toMatch(/^ringwall-query-.*\.csv$/);
  const text = readFileSync(await download.path(), "utf8");
  expect(text.split("\r\n")[0]).toBe("name,sum,quoted");
  expect(text).toContain(`,'=1+1,"a""b"\r\n`);
});

test("a long query shows how far it is, and ends when it is told to", async ({ page }) => {
  await signIn(page);
  await visit(page, "/query");
  await ask(
    page,
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n",
  );
  await expect(page.getByRole("progressbar", { name: "The query" })).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(answer(page).getByText(/^Cancelled after/)).toBeVisible();
  // The place of the one that was ended is free again.
  await ask(page, "SELECT 1 AS one");
  await expect(rows(page)).toHaveCount(2);
});

test("long answers come in pages of 200 rows, and say when there are more", async ({ page }) => {
  await signIn(page);
  await visit(page, "/query");
  await ask(
    page,
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i AS number FROM n",
  );
  await expect(rows(page)).toHaveCount(201);
  await expect(answer(page)).toContainText("There are more rows: these are the first 1,000.");
  await page.getByRole("button", { name: "Last", exact: true }).click();
  await expect(rows(page).last()).toContainText("1,000");
  await page.getByRole("button", { name: "Ask for more" }).click();
  await expect(answer(page)).not.toContainText("There are more rows");
  await page.getByRole("button", { name: "Last", exact: true }).click();
  await expect(rows(page)).toHaveCount(101);
  await expect(rows(page).last()).toContainText("1,500");
});

test("the field for SQL lets the keyboard go", async ({ page }) => {
  await signIn(page);
  await visit(page, "/query");
  await editor(page).focus();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Run", exact: true })).toBeFocused();
  await page.getByLabel("Search tables and columns").fill("sha256");
  await editor(page).fill("SELECT ");
  await page.getByRole("button", { name: /^process_file_sha256/ }).click();
  await expect(editor(page)).toHaveValue("SELECT process_file_sha256");
});

test("a range of time is selected by mouse and by keys", async ({ page }) => {
  await signIn(page);
  await visit(page, "/events?span=24h");
  const bars = page.getByRole("slider");
  const box = await bars.boundingBox();
  if (box === null) throw new Error("the bars are not there");
  await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 50, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/since=.+&until=.+/);
  await expect(page).not.toHaveURL(/span=/);
  await expect(page.getByRole("combobox", { name: "Time" })).toHaveValue("between");
  const before = page.url();

  await bars.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Shift+ArrowLeft");
  await expect(bars).toHaveAttribute("aria-valuetext", /–.*events/);
  await page.keyboard.press("Enter");
  await expect(page).not.toHaveURL(before);

  // The address is the whole of it.
  await page.reload();
  await expect(page.getByLabel("From")).not.toHaveValue("");
  await page.getByRole("button", { name: "Any time" }).click();
  await expect(page).toHaveURL(/\/events$/);
});

test("a search that takes long goes on by itself, and can be stopped", async ({ page }) => {
  await signIn(page);
  let asked = 0;
  let isHeld = true;
  await page.route("**/api/v1/events?*", async (route) => {
    asked += 1;
    // Pages behind the first are not answered: the search is on its way until it is stopped.
    if (isHeld && asked > 1) return;
    await route.fulfill({
      contentType: "application/json",
      body: JSON.stringify({ data: [], next_cursor: `c${asked}`, searched_to: "2026-11-03T14:02:00Z" }),
    });
  });
  await visit(page, "/events?contains=nowhere");
  await expect(page.getByText(/searched back to/)).toBeVisible();
  await expect.poll(() => asked).toBeGreaterThan(1);
  await page.getByRole("button", { name: "Stop" }).click();
  const further = page.getByRole("button", { name: "Search further" });
  await expect(further).toBeVisible();
  isHeld = false;
  const stopped = asked;
  await further.click();
  await expect.poll(() => asked).toBeGreaterThan(stopped);
});

test("a legal hold is added and removed", async ({ page }) => {
  await signIn(page);
  await visit(page, "/storage");
  const name = `browser-test-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Add a hold" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("Received from").fill("2026-01-01T00:00");
  await dialog.getByLabel("Reason").fill("browser test <b>&</b>");
  await dialog.getByRole("button", { name: "Hold", exact: true }).click();
  await expect(dialog).toHaveCount(0);
  const row = page.getByRole("row").filter({ hasText: name });
  await expect(row).toContainText("browser test <b>&</b>");
  await expect(row).toContainText("all hosts");
  await page.getByRole("button", { name: `Remove the hold ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(row).toHaveCount(0);
});

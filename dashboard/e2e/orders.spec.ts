/** What people order of a host: processes stopped and continued, trees ended, files fetched and put away. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { expect, ownHost, signIn, test, visit } from "./page";
import { Sleeper } from "./sleeper";

test.use({ viewport: { width: 1440, height: 900 } });

/** Opens the page of the one process of this name, and its panel. */
async function openProcess(page: Page, sleeper: Sleeper): Promise<Locator> {
  await visit(page, `/hosts/${encodeURIComponent(await ownHost(page))}`);
  await page.keyboard.press("/");
  await page.keyboard.type(String(sleeper.pid));
  const row = page.getByRole("row").filter({ hasText: String(sleeper.pid) });
  await expect(row).toBeVisible();
  await row.click();
  return page.getByRole("complementary", { name: `Process ${sleeper.pid}` });
}

/** Confirms the dialog of an order, and follows it to its result. */
async function carriedOut(page: Page, button: string, target: string): Promise<Locator> {
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText(target);
  await dialog.getByLabel(/Reason/).fill("browser test");
  const answered = page.waitForResponse((answer) => answer.request().method() === "POST" && answer.url().endsWith("/commands"));
  await dialog.getByRole("button", { name: button, exact: true }).click();
  const { id } = (await (await answered).json()) as { id: string };
  await expect(dialog).toHaveCount(0);
  // By its address: the notice that leads there goes by itself after some seconds.
  await visit(page, `/commands/${id}`);
  const detail = page.getByRole("region", { name: "Command", exact: true });
  await expect(detail.getByRole("list", { name: "States" })).toContainText("Carried out");
  await expect(detail).toContainText("browser test");
  return detail;
}

test("a process is stopped, and goes on when it is told to", async ({ page }) => {
  await signIn(page);
  using sleeper = new Sleeper("rw-stop-test");
  const panel = await openProcess(page, sleeper);
  await panel.getByRole("button", { name: "Stop", exact: true }).click();
  const stopped = await carriedOut(page, "Stop", String(sleeper.pid));
  await expect.poll(() => sleeper.state).toBe("T");

  // The way back is offered where the order came to its end.
  await stopped.getByRole("button", { name: "Continue" }).click();
  await carriedOut(page, "Continue", "rw-stop-test");
  await expect.poll(() => sleeper.state).toBe("S");
});

test("a tree is ended only after somebody saw how much that is", async ({ page }) => {
  await signIn(page);
  using sleeper = new Sleeper("rw-tree-test", ["-c", "sleep 600 & wait"], "/bin/bash");
  const panel = await openProcess(page, sleeper);
  await panel.getByRole("button", { name: "Kill tree" }).click();
  const dialog = page.getByRole("dialog", { name: /all it started/ });
  await expect(dialog).toContainText("One process descends from it");
  const kill = dialog.getByRole("button", { name: "Kill tree" });
  await expect(kill).toBeDisabled();
  await dialog.getByRole("checkbox").check();
  await expect(kill).toBeEnabled();
  await carriedOut(page, "Kill tree", String(sleeper.pid));
  expect(await sleeper.ended).not.toBeNull();
});

test("a file is collected and downloaded, quarantined and restored", async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), "ringwall-file-"));
  try {
    const path = join(folder, "a file to look at.txt");
    const text = `what somebody left behind ${Date.now()}\n`;
    writeFileSync(path, text);
    await signIn(page);
    const host = `/hosts/${encodeURIComponent(await ownHost(page))}`;

    await visit(page, host);
    await page.getByRole("button", { name: "Order a command" }).click();
    const dialog = page.getByRole("dialog", { name: "Order a command" });
    await dialog.getByText("Collect file", { exact: true }).first().click();
    await dialog.getByLabel("Path on the host").fill("relative.txt");
    await dialog.getByRole("button", { name: "Collect file" }).click();
    await expect(dialog.getByRole("status")).toContainText("begins with a slash");
    await dialog.getByLabel("Path on the host").fill(path);
    const collected = await carriedOut(page, "Collect file", "Path on the host");
    const waiting = page.waitForEvent("download");
    await collected.getByRole("link", { name: "Download" }).click();
    expect(readFileSync(await (await waiting).path(), "utf8")).toBe(text);

    await visit(page, host);
    await page.getByRole("button", { name: "Order a command" }).click();
    await dialog.getByText("Quarantine", { exact: true }).first().click();
    await dialog.getByLabel("Path on the host").fill(path);
    const put = await carriedOut(page, "Quarantine", "no longer runs or opens");
    expect(existsSync(path)).toBe(false);
    await put.getByRole("button", { name: "Restore file" }).click();
    await carriedOut(page, "Restore file", "Quarantined by");
    expect(readFileSync(path, "utf8")).toBe(text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a host is never cut off from itself", async ({ page }) => {
  await signIn(page);
  await visit(page, `/hosts/${encodeURIComponent(await ownHost(page))}`);
  await page.getByRole("button", { name: "Order a command" }).click();
  const dialog = page.getByRole("dialog", { name: "Order a command" });
  await dialog.getByText("Block address", { exact: true }).first().click();
  await dialog.getByLabel("Address or network").fill("127.0.0.1");
  await dialog.getByRole("button", { name: "Block address" }).click();
  await expect(dialog.getByRole("status")).toContainText("cannot be cut off from itself");
  await dialog.getByLabel("Address or network").fill("192.168.0.0/16");
  await expect(dialog).toContainText("65,536 addresses");
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
});

/** How a host gets its identity, and loses it. */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, signIn, test, visit } from "./page";

test.use({ viewport: { width: 1440, height: 900 } });

const program = process.env["RINGWALL_BIN"] ?? "";

test("a host enrols while somebody watches, is revoked, reinstated and forgotten", async ({ page }) => {
  test.skip(program === "", "RINGWALL_BIN names no program to enrol with");
  const name = `browser-test-${Date.now()}`;
  const folder = mkdtempSync(join(tmpdir(), "ringwall-enrol-"));
  const dialog = page.getByRole("dialog");
  try {
    await signIn(page);
    await visit(page, "/hosts");
    await page.getByRole("button", { name: "Enrol a host" }).click();
    await dialog.getByLabel("Name").fill("no good name");
    await dialog.getByRole("button", { name: "Make a token" }).click();
    await expect(dialog.getByRole("alert")).toContainText("letter or a digit first");
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByRole("button", { name: "Make a token" }).click();
    await expect(dialog).toContainText("Waiting for the host");

    // Over a shoulder the token is not to be read.
    const line = dialog.locator("code").first();
    await expect(line).toContainText("rwe_•");
    await dialog.getByRole("button", { name: "Show" }).first().click();
    const command = (await line.textContent()) ?? "";
    const token = /rwe_[A-Za-z0-9_-]+/.exec(command)?.[0] ?? "";
    const url = /--server (\S+)/.exec(command)?.[1] ?? "";
    // A machine of its own: the agent that watches this one keeps its identity.
    const machine = join(folder, "machine-id");
    writeFileSync(machine, `${randomBytes(16).toString("hex")}\n`);
    const state = join(folder, "state");
    const enrolled = spawnSync(
      program,
      ["host-agent", "enrol", "--server", url, "--token-file", "-", "--state-dir", state, "--machine-id-file", machine],
      { input: token, encoding: "utf8" },
    );
    expect(enrolled.stderr + enrolled.stdout).toContain(name);
    expect(enrolled.status).toBe(0);
    await expect(dialog).toContainText(`${name} has enrolled`);
    await page.keyboard.press("Escape");

    // The token was good once.
    await page.getByRole("tab", { name: "enrolments" }).click();
    const enrolment = page.getByRole("row").filter({ hasText: name });
    await expect(enrolment).toContainText("used up");

    await page.getByRole("tab", { name: "identities" }).click();
    const identity = page.getByRole("row").filter({ hasText: name });
    await expect(identity).toContainText("active");
    await expect(identity).toContainText("never reported");
    await identity.getByRole("button", { name: "Revoke" }).click();
    await dialog.getByLabel(/Reason/).fill("browser test");
    await dialog.getByRole("button", { name: "Revoke" }).click();
    await expect(identity).toContainText("revoked");
    await identity.getByRole("button", { name: "Reinstate" }).click();
    await dialog.getByRole("button", { name: "Reinstate" }).click();
    await expect(identity).toContainText("active");
    await identity.getByRole("button", { name: "Forget" }).click();
    await dialog.getByRole("button", { name: "Forget" }).click();
    await expect(identity).toHaveCount(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("leave to enrol is taken back", async ({ page }) => {
  await signIn(page);
  await visit(page, "/hosts?tab=enrolments");
  const name = `withdrawn-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Enrol a host" }).first().click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("Good for").selectOption("900");
  await dialog.getByRole("button", { name: "Make a token" }).click();
  await expect(dialog).toContainText("Waiting for the host");
  await page.keyboard.press("Escape");
  const row = page.getByRole("row").filter({ hasText: name });
  await expect(row).toContainText("open");
  await row.getByRole("button", { name: "Withdraw" }).click();
  await dialog.getByRole("button", { name: "Withdraw" }).click();
  await expect(row).toHaveCount(0);
});

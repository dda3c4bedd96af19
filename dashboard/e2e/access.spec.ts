/** Who may come in: people with their roles and passwords, tokens with their scopes. */

import type { Page } from "@playwright/test";
import { expect, server, settled, signIn, test, visit } from "./page";

test.use({ viewport: { width: 1440, height: 900 } });

async function signInAs(page: Page, user: string, password: string): Promise<void> {
  await page.goto(server.main);
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Adds somebody, and gives the password that is told once. */
async function addPerson(page: Page, name: string, role: string): Promise<string> {
  const dialog = page.getByRole("dialog");
  await visit(page, "/access");
  await page.getByRole("button", { name: "Add a person" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("Role").selectOption(role);
  await dialog.getByRole("button", { name: "Add" }).click();
  await expect(dialog.getByRole("heading")).toContainText(`Password of ${name}`);
  await dialog.getByRole("button", { name: "Show" }).click();
  const password = (await dialog.locator("code").last().textContent()) ?? "";
  expect(password.length).toBeGreaterThanOrEqual(12);
  await dialog.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByRole("row").filter({ hasText: name }).first()).toBeVisible();
  return password;
}

async function removePerson(page: Page, name: string): Promise<void> {
  const dialog = page.getByRole("dialog");
  await visit(page, "/access");
  await page.getByRole("button", { name: `Remove ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("button", { name: `Remove ${name}` })).toHaveCount(0);
}

test("somebody is added, changes the password, and is shut out", async ({ page, browser }) => {
  await signIn(page);
  const name = `ada-${Date.now()}`;
  const first = await addPerson(page, name, "analyst");

  const theirs = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    const other = await theirs.newPage();
    await signInAs(other, name, first);
    await expect(other.getByRole("heading", { name: "Overview" })).toBeVisible();
    await other.goto(`${server.main}/access`);
    await settled(other);
    // An analyst sees what the roles are and what is their own; not who else there is.
    await expect(other.getByRole("tab")).toHaveText(["you", "roles"]);
    const own = other.getByRole("region", { name: "You", exact: true });
    const next = "four words in a row";
    await own.getByLabel("Present password").fill(first);
    await own.getByLabel("New password").fill("short");
    await own.getByLabel("Once more").fill("short");
    await own.getByRole("button", { name: "Change password" }).click();
    await expect(own.getByRole("alert")).toContainText("12 characters");
    await own.getByLabel("New password").fill(next);
    await own.getByLabel("Once more").fill(next);
    await own.getByRole("button", { name: "Change password" }).click();
    await expect(other.getByText("Your password is another now").first()).toBeVisible();
    await expect(other.getByText("this browser")).toBeVisible();

    // Disabled: signed out at once, and not let in again.
    await visit(page, "/access");
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: `Change ${name}` }).click();
    await dialog.getByRole("checkbox").check();
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByRole("row").filter({ hasText: name }).first()).toContainText("disabled");
    await other.goto(server.main);
    await expect(other.getByRole("button", { name: "Sign in" })).toBeVisible();
    await signInAs(other, name, next);
    await expect(other.getByRole("alert")).toBeVisible();
  } finally {
    await theirs.close();
  }
  await removePerson(page, name);
});

test("what a role may not do is barred, and says who may", async ({ page, browser }) => {
  await signIn(page);
  const name = `reader-${Date.now()}`;
  const password = await addPerson(page, name, "read_only");
  const theirs = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    const other = await theirs.newPage();
    await signInAs(other, name, password);
    await expect(other.getByRole("heading", { name: "Overview" })).toBeVisible();
    const pages = other.getByRole("navigation", { name: "Pages" }).first();
    await expect(pages.getByRole("link", { name: "Hosts" })).toBeVisible();
    await expect(pages.getByRole("link", { name: "Audit log" })).toHaveCount(0);
    await expect(pages.getByRole("link", { name: "Webhooks" })).toHaveCount(0);
    await other.goto(`${server.main}/hosts`);
    await settled(other);
    const enrol = other.getByRole("button", { name: /Enrol a host/ });
    await expect(enrol).toHaveAttribute("aria-disabled", "true");
    await expect(enrol).toHaveAttribute("title", /Your role is read only.*an admin/);
    // Pressed all the same, it says why.
    await enrol.click({ force: true });
    await expect(other.locator(".notice").filter({ hasText: "Your role is read only" })).toBeVisible();
    await expect(other.getByRole("dialog")).toHaveCount(0);
    await expect(other.getByRole("tab", { name: "identities" })).toHaveCount(0);
  } finally {
    await theirs.close();
  }
  await removePerson(page, name);
});

test("a token is narrowed to what it is for", async ({ page }) => {
  await signIn(page);
  await visit(page, "/access?tab=tokens");
  const name = `scoped-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Create a token" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByRole("combobox", { name: "Role" }).selectOption("analyst");
  await dialog.getByLabel("only some of it").check();
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(dialog.getByRole("alert")).toContainText("Choose what it may do");
  await dialog.getByLabel("see alerts").check();
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByRole("button", { name: "Show" }).click();
  const token = (await dialog.locator("code").first().textContent()) ?? "";
  await dialog.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByRole("row").filter({ hasText: name })).toContainText("read alerts");

  const ask = async (path: string) =>
    (await fetch(`${server.main}/api/v1${path}`, { headers: { Authorization: `Bearer ${token}` } })).status;
  expect(await ask("/alerts")).toBe(200);
  expect(await ask("/hosts")).toBe(403);

  await page.getByRole("button", { name: `Remove the token ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("row").filter({ hasText: name })).toHaveCount(0);
});

/** A page that is watched: nothing from elsewhere, nothing on the console, no policy violated. */

import { test as base, expect, type Page } from "@playwright/test";
import { readyFile } from "./server";

export const server = readyFile();

export const test = base.extend<{ faults: string[]; page: Page }>({
  faults: async ({}, use) => {
    const faults: string[] = [];
    await use(faults);
    expect(faults).toEqual([]);
  },
  page: async ({ page, faults }, use) => {
    const origin = new URL(server.main).origin;
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) {
        faults.push(`a request to elsewhere: ${url}`);
      }
    });
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      // The browser reports each 4xx answer as an error; whether one is right, the tests say.
      const from = message.location().url;
      if (/status of (401|403|429)/.test(message.text()) && from.includes("/api/v1/")) return;
      if (/status of 400/.test(message.text()) && from.endsWith("/api/v1/query")) return;
      if (/status of (404|409|422)/.test(message.text()) && from.includes("/api/v1/guard/")) return;
      faults.push(`console ${message.type()}: ${message.text()} (${from})`);
    });
    page.on("pageerror", (error) => faults.push(`thrown: ${String(error)}`));
    page.on("dialog", (dialog) => {
      faults.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await use(page);
  },
});

export { expect };

/** Signs in as the first user, and waits until the page is live. */
export async function signIn(page: Page): Promise<void> {
  await page.goto(server.main);
  await page.getByLabel("User").fill("admin");
  await page.getByLabel("Password").fill(server.admin_password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
}

/** Goes to `path` within the page, and waits until nothing is loading. */
export async function visit(page: Page, path: string): Promise<void> {
  await page.goto(server.main + path);
  await expect(page.locator("h1")).toBeVisible();
  await settled(page);
}

/** Waits until no skeleton is shown. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator(".skeleton")).toHaveCount(0);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
}

/** The first host that an enrolled host agent reports. */
export async function ownHost(page: Page): Promise<string> {
  const answer = await page.request.get(`${server.main}/api/v1/hosts?limit=1000`);
  const { data } = (await answer.json()) as {
    data: { id: string; dialect: string; online: boolean; processes: number }[];
  };
  const own = data.find((host) => host.dialect === "host-agent" && host.online && host.processes > 0);
  if (own === undefined) throw new Error("no host agent reports: start the server with `ringwall up`");
  return own.id;
}

/** What people do: sign in, find an alert live, acknowledge it, kill, manage keys and indicators. */

import { expect, ownHost, server, settled, signIn, test, visit } from "./page";
import { Sleeper } from "./sleeper";

test.use({ viewport: { width: 1440, height: 900 } });

test("a wrong password is refused, a right one is not", async ({ page }) => {
  await page.goto(`${server.main}/commands`);
  await page.getByLabel("User").fill("admin");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("wrong");
  await page.getByLabel("Password").fill(server.admin_password);
  await page.keyboard.press("Enter");
  // The page that was asked for is the page that comes.
  await expect(page.getByRole("heading", { name: "Commands" })).toBeVisible();
  await page.getByRole("button", { name: "Sign out admin" }).click();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

test("too many tries: the page says how long to wait", async ({ page }) => {
  await page.goto(server.main);
  await page.route("**/api/v1/session", (route) =>
    route.fulfill({
      status: 429,
      headers: { "Retry-After": "42", "Content-Type": "application/problem+json" },
      body: JSON.stringify({ title: "Too many requests", status: 429 }),
    }),
  );
  await page.getByLabel("Password").fill("x");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText(/\b(4[0-2]|[1-3]?\d) seconds?\b/);
  await expect(page.getByRole("button", { name: "Sign in" })).toBeDisabled();
});

test("an alert comes live, is acknowledged, and its process is killed", async ({ page }) => {
  await signIn(page);
  await visit(page, "/alerts");
  using sleeper = new Sleeper("ncat");
  const entry = page
    .getByRole("region", { name: "Alerts" })
    .getByRole("link")
    .filter({ hasText: "ncat" })
    .first();
  await expect(entry).toBeVisible();
  await entry.click();

  const detail = page.getByRole("region", { name: "Alert", exact: true });
  await expect(detail.getByRole("heading", { name: /ncat/ })).toBeVisible();
  await expect(detail.getByRole("link", { name: String(sleeper.pid) })).toBeVisible();
  await detail.getByLabel("Note").fill("seen by the browser test <b>&</b>");
  await detail.getByRole("button", { name: "Acknowledge" }).click();
  await expect(detail.locator(".chip", { hasText: "acknowledged" })).toBeVisible();
  await expect(detail.getByText("seen by the browser test <b>&</b>")).toBeVisible();

  await detail.getByRole("button", { name: "Kill process" }).click();
  const dialog = page.getByRole("dialog", { name: "Kill this process?" });
  await expect(dialog).toContainText(String(sleeper.pid));
  await dialog.getByLabel(/Reason/).fill("browser test");
  await dialog.getByRole("button", { name: "Kill process" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(detail.getByText("succeeded")).toBeVisible();
  expect(await sleeper.ended).toBe("SIGTERM");

  await detail.getByRole("button", { name: "Resolve" }).click();
  await expect(detail.getByText("Resolved. A new sighting")).toBeVisible();
});

test("a known bad process is killed by itself, and the page shows it", async ({ page }) => {
  await signIn(page);
  await visit(page, "/commands");
  using sleeper = new Sleeper("evil.sh");
  const list = page.getByRole("region", { name: "Commands" });
  const entry = list.getByRole("link").filter({ hasText: String(sleeper.pid) });
  await expect(entry).toContainText("succeeded");
  expect(await sleeper.ended).toBe("SIGTERM");

  await entry.click();
  const detail = page.getByRole("region", { name: "Command", exact: true });
  await expect(detail.getByRole("list", { name: "States" })).toContainText("Carried out");
  await expect(detail.getByText("rule:indicator", { exact: true })).toBeVisible();
  await expect(detail.getByRole("link", { name: "The alert it answers" })).toBeVisible();
  await expect(detail.getByRole("button", { name: "Withdraw" })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(page.getByText("No command is chosen")).toBeVisible();
});

test("a process is found in the tree and killed", async ({ page }) => {
  await signIn(page);
  using sleeper = new Sleeper("rw-browser-test");
  await visit(page, `/hosts/${encodeURIComponent(await ownHost(page))}`);
  await page.keyboard.press("/");
  await page.keyboard.type(String(sleeper.pid));
  const row = page.getByRole("row").filter({ hasText: "rw-browser-test" });
  await expect(row).toBeVisible();

  // By the keyboard: down into the tree, to the last row, and open it.
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: `Process ${sleeper.pid}` });
  await expect(panel).toBeVisible();
  await panel.getByRole("button", { name: "Kill process" }).click();
  const dialog = page.getByRole("dialog", { name: "Kill this process?" });
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await panel.getByRole("button", { name: "Kill process" }).click();
  await dialog.getByLabel(/Reason/).fill("browser test");
  await page.keyboard.press("Enter");
  expect(await sleeper.ended).toBe("SIGTERM");
  await expect(panel.getByText("This process has ended.")).toBeVisible();

  await page.getByRole("link", { name: "Its commands" }).click();
  const ordered = page.getByRole("region", { name: "Commands" }).getByRole("link");
  await expect(ordered.filter({ hasText: String(sleeper.pid) })).toContainText("succeeded");
});

test("events are watched live, and one is opened", async ({ page }) => {
  await signIn(page);
  await visit(page, `/events?host=${encodeURIComponent(await ownHost(page))}`);
  await page.getByRole("button", { name: "Watch live" }).click();
  using sleeper = new Sleeper("rw-live-test");
  const row = page.locator("[data-list-item]").filter({ hasText: "rw-live-test" }).first();
  await expect(row).toBeVisible();
  await row.click();
  const json = page.getByRole("region", { name: "The event as OCSF JSON" });
  await expect(json).toContainText(`"pid": ${sleeper.pid}`);
});

test("pid 1 is never killed", async ({ page }) => {
  await signIn(page);
  await visit(page, `/hosts/${encodeURIComponent(await ownHost(page))}?pid=1`);
  const panel = page.getByRole("complementary", { name: "Process 1", exact: true });
  await panel.getByRole("button", { name: "Kill process" }).click();
  const dialog = page.getByRole("dialog", { name: "Kill this process?" });
  await dialog.getByRole("button", { name: "Kill process" }).click();
  await expect(dialog.getByRole("status")).toContainText("it is never touched");
});

test("what a hostile host sends is harmless text", async ({ page, request }) => {
  const watcher = server.dialects["watcher"];
  test.skip(watcher === undefined, "the server has no Watcher dialect");
  const hostname = `hostile-${Date.now()}-\u202e<b>x</b>`;
  const answer = await request.post(`${watcher}/api/v1/collect`, {
    data: {
      hostname,
      timestamp: new Date().toISOString(),
      processes: [
        {
          pid: 4242,
          name: "<img src=x onerror=alert(1)>",
          command_line: `\u001b[31mred\u0007 \u202egpj.exe ${"A".repeat(100_000)}`,
          user: "<script>alert(2)</script>",
          cpu_percent: 1,
          memory_percent: 1,
        },
      ],
      connections: [],
      system_info: {},
    },
  });
  expect(answer.ok()).toBe(true);
  await signIn(page);
  await visit(page, `/hosts/${encodeURIComponent(`watcher:${hostname}`)}`);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("RLO<b>x</b>");
  await page.getByRole("row").filter({ hasText: "<img src=x onerror=alert(1)>" }).click();
  const panel = page.getByRole("complementary", { name: "Process 4242" });
  await expect(panel).toContainText("<script>alert(2)</script>");
  await expect(panel.getByText("ESC", { exact: true })).toBeVisible();
  await panel.getByRole("button", { name: /more$/ }).click();
  await expect(page.getByRole("dialog", { name: "Command line" })).toContainText("AAAA");
  expect(await page.locator("img").count()).toBe(0);
});

test("an indicator is added, refused twice, and removed", async ({ page }) => {
  await signIn(page);
  await visit(page, "/indicators");
  const value = `browser-test-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Add an indicator" }).click();
  await dialog.getByLabel("Value").fill(value);
  await dialog.getByRole("button", { name: "Add" }).click();
  await expect(dialog).toHaveCount(0);
  await page.getByPlaceholder("Search values and notes").fill(value);
  await expect(page.getByRole("row").filter({ hasText: value })).toHaveCount(1);
  await page.getByRole("button", { name: `Remove ${value}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("row").filter({ hasText: value })).toHaveCount(0);
});

test("a key is created, its secret is shown once, and it is removed", async ({ page }) => {
  await signIn(page);
  await visit(page, "/access?tab=keys");
  const name = `browser-test-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Create a key" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(dialog.getByRole("heading")).toContainText(`Key for ${name}`);
  await dialog.getByRole("button", { name: "Show" }).click();
  await expect(dialog.getByRole("button", { name: "Hide" })).toBeVisible();
  await dialog.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByRole("row").filter({ hasText: name })).toHaveCount(1);
  await page.getByRole("button", { name: `Remove the key ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("row").filter({ hasText: name })).toHaveCount(0);
});

test("the keyboard goes everywhere", async ({ page }) => {
  await signIn(page);
  for (const [key, heading] of [
    ["h", "Hosts"],
    ["a", "Alerts"],
    ["c", "Commands"],
    ["e", "Events"],
    ["q", "Query"],
    ["i", "Indicators"],
    ["p", "People and access"],
    ["w", "Webhooks"],
    ["l", "Audit log"],
    ["s", "Storage"],
    ["o", "Overview"],
  ] as const) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeFocused();
  }
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);

  await page.reload();
  await settled(page);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
});

test("the theme is toggled and remembered", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await signIn(page);
  const background = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByRole("button", { name: "Use the dark theme" }).click();
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await settled(page);
  expect(await background()).toBe(dark);
  await page.keyboard.press("t");
  expect(await background()).toBe(light);
});

test("a line that breaks comes back", async ({ page, context, faults }) => {
  await signIn(page);
  await context.setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event("offline")));
  await page.route("**/api/v1/**", (route) => route.abort());
  await page.reload().catch(() => {});
  await context.setOffline(false);
  await page.goto(server.main);
  await expect(page.getByRole("heading", { name: "The server does not answer" })).toBeVisible();
  await page.unroute("**/api/v1/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  // The browser reports what was cut off on purpose.
  faults.splice(0, faults.length, ...faults.filter((fault) => !fault.includes("ERR_")));
});

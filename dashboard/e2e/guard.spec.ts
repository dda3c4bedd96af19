/** Guarded applications: a project with its secrets, what it reports, its rules, and who is banned. */

import { createHmac, randomUUID } from "node:crypto";
import type { Page } from "@playwright/test";
import { SCHEMES, SIZES, checkLooks } from "./looks";
import { expect, server, settled, signIn, test, visit } from "./page";

test.use({ viewport: { width: 1440, height: 900 } });

interface Secrets {
  key: string;
  signing: string;
}

/** Adds a project on its page, and gives the secrets that are told once. */
async function addProject(page: Page, name: string): Promise<Secrets> {
  const dialog = page.getByRole("dialog");
  await visit(page, "/guard");
  await page.getByRole("button", { name: "Add a project" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByRole("button", { name: "Add" }).click();
  const told = page.getByRole("dialog", { name: `Secrets of ${name}` });
  await expect(told.getByRole("region", { name: "Python code" })).toContainText(`agent_project_id="${name}"`);
  // A button that was pressed says "Hide".
  for (let left = 3; left > 0; left -= 1) await told.getByRole("button", { name: "Show", exact: true }).first().click();
  const [key = "", signing = "", encryption = ""] = await told.locator("code").allTextContents();
  expect(key).toMatch(/^rwg_/);
  expect(Buffer.from(encryption, "base64url")).toHaveLength(32);
  // The source of the application names where they are, and has none of them.
  await expect(told.getByRole("region", { name: "Python code" })).not.toContainText(key);
  await told.getByRole("button", { name: "I have them" }).click();
  await expect(told).toHaveCount(0);
  return { key, signing };
}

async function removeProject(page: Page, name: string): Promise<void> {
  await visit(page, `/guard/${name}`);
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("heading", { name: "App guard", level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name, exact: true })).toHaveCount(0);
}

/** What an agent of the third generation sends: signed over the JSON, authenticated by its key. */
async function report(project: string, secrets: Secrets, kind: "events" | "metrics" | "status", body: object): Promise<void> {
  const text = JSON.stringify(body);
  const signature = `v1=${createHmac("sha256", secrets.signing).update(text).digest("hex")}`;
  const answer = await fetch(`${server.main}/dialects/guard/api/v1/${kind}`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-API-Key": secrets.key,
      "X-Project-ID": project,
      "X-Agent-Install-Id": "5b0a5f5e-6a31-4b0f-9a52-8f3b0ad3f0a1",
      "X-Payload-Signature": signature,
    },
    body: text,
  });
  expect(answer.status, await answer.text()).toBe(200);
}

/** A moment as the agent writes it: a space, and no `T`. */
const moment = (at = Date.now()) => new Date(at).toISOString().replace("T", " ").replace("Z", "+00:00");

function batch(project: string, events: object[], metrics: object[] = []): object {
  return {
    project_id: project,
    events,
    metrics,
    batch_id: `${Date.now()}-${randomUUID().slice(0, 8)}`,
    created_at: moment(),
    compressed: false,
    agent_version: "3.2.4",
    guard_version: "8.1.2",
    guard_core_version: "4.4.0",
  };
}

function attack(address: string, more: object = {}): object {
  return {
    idempotency_key: randomUUID(),
    timestamp: moment(),
    event_type: "penetration_attempt",
    ip_address: address,
    country: "NL",
    user_agent: "sqlmap/1.7 \u202egnp.exe",
    action_taken: "request_blocked",
    reason: "<img src=x onerror=alert(1)> in a parameter",
    endpoint: "/search",
    method: "GET",
    status_code: 400,
    response_time: 0.0031,
    decorator_type: null,
    rule_type: null,
    pattern_matched: "union\\s+select",
    handler_name: "middleware",
    metadata: { context: "query_param:q", content_preview: "' UNION SELECT 1--", category: "sqli" },
    ...more,
  };
}

/** The rules as an application gets them. */
async function rulesOf(project: string, secrets: Secrets): Promise<Record<string, unknown>> {
  const answer = await fetch(`${server.main}/dialects/guard/api/v1/rules`, {
    headers: { "X-API-Key": secrets.key, "X-Project-ID": project },
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

test("a project is added, what it reports is seen, and its sender is banned", async ({ page }) => {
  await signIn(page);
  const name = `shop-${Date.now()}`;
  const address = `203.0.113.${1 + (Date.now() % 250)}`;
  const dialog = page.getByRole("dialog");
  const secrets = await addProject(page, name);

  await page.getByRole("link", { name, exact: true }).first().click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page.getByText("nothing heard yet")).toBeVisible();
  await page.getByRole("tab", { name: "Events" }).click();
  await expect(page.getByText("Nothing was reported yet")).toBeVisible();

  // It shows by itself.
  await report(name, secrets, "events", batch(name, [attack(address)]));
  const list = page.getByRole("region", { name: "Events of the project" });
  const row = list.locator("[data-list-item]").filter({ hasText: address });
  await expect(row).toContainText("attack");
  await row.click();
  await expect(list).toContainText("query_param:q");
  // What would deceive is marked, and nothing of it is markup.
  await expect(list.getByText("RLO").first()).toBeVisible();
  await expect(list.getByText("<img src=x").first()).toBeVisible();

  await list.getByRole("button", { name: "Ban this address" }).click();
  await expect(dialog.getByLabel("Address or network")).toHaveValue(address);
  await expect(dialog.getByLabel("Reason")).toHaveValue(/^penetration_attempt/);
  await dialog.getByLabel("Where").selectOption(name);
  await dialog.getByRole("button", { name: "Ban", exact: true }).click();
  await expect(dialog).toHaveCount(0);

  await visit(page, `/guard?tab=bans&project=${name}`);
  const ban = page.getByRole("row").filter({ hasText: address });
  await expect(ban).toContainText("a person");
  // The application is told at its next question.
  await expect.poll(async () => (await rulesOf(name, secrets))["ip_blacklist"]).toContain(address);
  await ban.getByRole("button", { name: "Lift" }).click();
  await dialog.getByLabel("Reason").fill("it was a test");
  await dialog.getByRole("button", { name: "Lift" }).click();
  await expect(ban).toHaveCount(0);
  await expect.poll(async () => (await rulesOf(name, secrets))["ip_whitelist"]).toContain(address);
  await page.getByRole("combobox", { name: "State" }).selectOption("ended");
  await expect(ban).toContainText("lifted");

  // Among all events it says as much, and its sender can be banned there, too.
  await visit(page, `/events?kind=app_guard&host=${encodeURIComponent(`guard:${name}`)}`);
  await page.locator("main [data-list-item]").filter({ hasText: address }).click();
  const whole = page.locator("main dl.facts");
  for (const fact of ["GET", "/search", "400", "union\\s+select", "sqli", "query_param:q", "5b0a5f5e"]) {
    await expect(whole).toContainText(fact);
  }
  await expect(page.getByRole("region", { name: "What the guard said besides, as JSON" })).toContainText("content_preview");
  await page.getByRole("button", { name: "Ban this address" }).click();
  await expect(dialog.getByLabel("Address or network")).toHaveValue(address);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);

  // The figures, and who reports.
  const metric = (metric_type: string, value: number) => ({
    timestamp: moment(Date.now() - 60_000),
    metric_type,
    value,
    endpoint: null,
    tags: { endpoint: "/search", method: "GET", status: "200" },
  });
  const metrics = [metric("request_count", 1), metric("response_time", 0.25), metric("error_rate", 0)];
  await report(name, secrets, "metrics", batch(name, [], metrics));
  await report(name, secrets, "status", {
    timestamp: moment(),
    status: "degraded",
    uptime: 61.5,
    events_sent: 7,
    events_failed: 1,
    buffer_size: 91,
    last_flush: moment(),
    errors: ["Buffer nearly full"],
  });
  await visit(page, `/guard/${name}`);
  await expect(page.getByRole("region", { name: "Endpoints" }).getByRole("row").filter({ hasText: "/search" })).toContainText("250 ms");
  // What was blocked is counted by the server, for guards that measure it not.
  const requests = page.getByRole("region", { name: "Requests", exact: true });
  await expect(requests.getByRole("listitem").filter({ hasText: "blocked" })).toContainText("1");
  await page.getByRole("tab", { name: "Agents" }).click();
  const agent = page.getByRole("row").filter({ hasText: "5b0a5f5e" });
  await expect(agent).toContainText("degraded");
  await expect(agent).toContainText("Buffer nearly full");
  await expect(agent).toContainText("3.2.4");

  // Without a signature nothing is taken once that is demanded.
  const demand = page.getByRole("switch", { name: "Require signatures" });
  await expect(demand).not.toBeChecked();
  await demand.click();
  await expect(dialog).toContainText("All agents that were heard of can sign.");
  await dialog.getByRole("button", { name: "Refuse it" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(demand).toBeChecked();
  const bare = await fetch(`${server.main}/dialects/guard/api/v1/events`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-API-Key": secrets.key, "X-Project-ID": name },
    body: JSON.stringify(batch(name, [attack(address)])),
  });
  expect([401, 403]).toContain(bare.status);
  await report(name, secrets, "events", batch(name, [attack(address)]));

  // Other secrets: those before are void at once where that is asked for.
  await page.getByRole("button", { name: "Rotate secrets" }).click();
  await dialog.getByLabel("Those of now stay good for").selectOption({ label: "not at all: they are void at once" });
  await dialog.getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("dialog", { name: `Secrets of ${name}` }).getByRole("button", { name: "I have them" }).click();
  const refused = await fetch(`${server.main}/dialects/guard/api/v1/rules`, {
    headers: { "X-API-Key": secrets.key, "X-Project-ID": name },
  });
  expect([401, 403]).toContain(refused.status);
  await removeProject(page, name);
});

test("rules are written, tried, saved and restored, and nobody's are lost", async ({ page }) => {
  await signIn(page);
  const name = `rules-${Date.now()}`;
  const secrets = await addProject(page, name);
  const dialog = page.getByRole("dialog");
  await report(name, secrets, "events", batch(name, [attack("198.51.100.7"), attack("198.51.100.8")]));

  await visit(page, `/guard/${name}?tab=rules`);
  const banned = page.getByLabel("Banned addresses", { exact: true });
  const changes = page.getByRole("region", { name: "Changes" });
  const save = changes.getByRole("button", { name: "Save…" });
  await banned.fill("198.51.100.7\nexample.com");
  await expect(page.getByText("Entry 2, “example.com”")).toBeVisible();
  await expect(save).toBeDisabled();
  await banned.fill("198.51.100.7");

  // What only the server knows is told at the field.
  const agents = page.getByLabel("Blocked user agents");
  await agents.fill("sqlmap\n(unclosed");
  await page.getByRole("button", { name: "Preview" }).click();
  await expect(page.locator(".faults").filter({ hasText: "Entry 2" })).toBeVisible();
  await agents.fill("sqlmap");
  await page.getByRole("button", { name: "Preview" }).click();
  const tried = page.getByRole("region", { name: "What would they have blocked?" });
  await expect(tried.getByRole("button", { name: /Blocked user agents\s*sqlmap/ })).toContainText("2");
  await tried.getByRole("button", { name: /Banned addresses\s*198\.51\.100\.7/ }).click();
  await expect(tried).toContainText("GET /search");

  await page.getByRole("button", { name: "Add a limit" }).click();
  await page.getByLabel("Path of limit 1").fill("/login");
  await page.getByLabel("Requests of limit 1").fill("5");
  await page.getByRole("group", { name: "Detection of attacks" }).getByLabel("on", { exact: true }).check({ force: true });
  await save.click();
  await dialog.getByLabel("Note").fill("first of all");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(changes).toHaveCount(0);
  await expect(page.getByRole("row").filter({ hasText: "first of all" })).toContainText("in force");
  expect(await rulesOf(name, secrets)).toMatchObject({
    // Bans that hold everywhere stand in it, too.
    ip_blacklist: expect.arrayContaining(["198.51.100.7"]) as unknown,
    blocked_user_agents: ["sqlmap"],
    endpoint_rate_limits: { "/login": [5, 60] },
    enable_penetration_detection: true,
  });

  // Somebody else saves while this is being written: neither is lost.
  await banned.fill("198.51.100.7\n198.51.100.8");
  const path = `${server.main}/api/v1/guard/projects/${name}/rules`;
  const now = (await (await page.request.get(path)).json()) as { version: number; rules: Record<string, unknown> };
  const csrf = ((await (await page.request.get(`${server.main}/api/v1/session`)).json()) as { csrf: string }).csrf;
  const other = await page.request.put(path, {
    headers: { "X-Ringwall-CSRF": csrf, Origin: server.main },
    data: { rules: { ...now.rules, ip_blacklist: ["198.51.100.7", "198.51.100.9"] }, base_version: now.version },
  });
  expect(other.status(), await other.text()).toBe(200);
  await expect(page.getByText("while you were writing")).toBeVisible();
  await page.getByRole("button", { name: "Put my changes on top of it" }).click();
  await expect(banned).toHaveValue("198.51.100.7\n198.51.100.9\n198.51.100.8");
  await expect(page.getByText("Both of you changed Banned addresses")).toBeVisible();
  await save.click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(changes).toHaveCount(0);

  // The same as JSON; emergency mode is confirmed.
  await page.getByRole("button", { name: "JSON" }).click();
  const json = page.getByLabel("The rules as they go to applications");
  const text = await json.inputValue();
  await json.fill("{");
  await expect(page.getByText("This is not JSON").first()).toBeVisible();
  await expect(save).toBeDisabled();
  await json.fill(JSON.stringify({ ...(JSON.parse(text) as object), emergency_mode: true }));
  await page.getByRole("button", { name: "Form" }).click();
  await expect(page.getByLabel("Emergency mode")).toBeChecked();
  await save.click();
  await expect(dialog.getByText("refuses every request")).toBeVisible();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toBeVisible();
  await dialog.getByRole("checkbox").check();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toHaveCount(0);
  expect((await rulesOf(name, secrets))["emergency_mode"]).toBe(true);

  await page.getByRole("row").filter({ hasText: "first of all" }).getByRole("button", { name: "Restore" }).click();
  await dialog.getByRole("button", { name: "Restore" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(banned).toHaveValue("198.51.100.7");
  expect((await rulesOf(name, secrets))["emergency_mode"]).toBe(false);
  await removeProject(page, name);
});

test("what bans by itself is written down", async ({ page }) => {
  await signIn(page);
  await visit(page, "/guard?tab=automatic");
  const name = `auto-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Add a rule" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("How often").fill("3");
  await dialog.getByLabel("rate limited").check();
  await expect(dialog.getByRole("status")).toContainText("seen 3 times with attack or rate limited within 5 minutes");
  await dialog.getByRole("button", { name: "Add" }).click();
  await expect(dialog).toHaveCount(0);
  const rules = page.getByRole("region", { name: "Rules" });
  await expect(rules).toContainText(name);
  await rules.getByRole("switch", { name }).click();
  await expect(rules.getByRole("switch", { name })).not.toBeChecked();

  const never = page.getByLabel("Never banned");
  const before = await never.inputValue();
  await never.fill("not an address");
  await expect(page.getByText("“not an address”")).toBeVisible();
  await never.fill(`${before}\n192.0.2.77`.trim());
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("button", { name: "Save", exact: true })).toBeDisabled();
  await page.reload();
  await settled(page);
  await expect(never).toHaveValue(/192\.0\.2\.77/);

  // Whom nobody bans, people do not ban either.
  await visit(page, "/guard?tab=bans");
  await page.getByRole("button", { name: "Ban an address" }).click();
  await dialog.getByLabel("Address or network").fill("192.0.2.77");
  await dialog.getByLabel("Reason").fill("by mistake");
  await dialog.getByRole("button", { name: "Ban", exact: true }).click();
  await expect(dialog.getByRole("alert")).toBeVisible();
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await visit(page, "/guard?tab=automatic");
  await never.fill(before);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("button", { name: "Save", exact: true })).toBeDisabled();
  await rules.getByRole("button", { name: `Remove the rule ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(rules).not.toContainText(name);
});

test("readers see all of it, and are told who may change it", async ({ page, browser }) => {
  await signIn(page);
  const name = `reader-${Date.now()}`;
  const project = `seen-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  await addProject(page, project);
  await visit(page, "/access");
  await page.getByRole("button", { name: "Add a person" }).click();
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("Role").selectOption("read_only");
  await dialog.getByRole("button", { name: "Add" }).click();
  await dialog.getByRole("button", { name: "Show" }).click();
  const password = (await dialog.locator("code").last().textContent()) ?? "";
  await dialog.getByRole("button", { name: "I have it" }).click();

  const theirs = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    const other = await theirs.newPage();
    await other.goto(server.main);
    await other.getByLabel("User").fill(name);
    await other.getByLabel("Password").fill(password);
    await other.getByRole("button", { name: "Sign in" }).click();
    await other.getByRole("navigation", { name: "Pages" }).first().getByRole("link", { name: "App guard" }).click();
    await settled(other);
    await expect(other.getByRole("button", { name: /Add a project/ })).toHaveAttribute("title", /an admin/);
    await other.goto(`${server.main}/guard/${project}?tab=rules`);
    await settled(other);
    await expect(other.getByLabel("Banned addresses", { exact: true })).toHaveAttribute("readonly");
    await expect(other.getByLabel("Emergency mode")).toBeDisabled();
    await expect(other.getByRole("button", { name: /Rotate secrets/ })).toHaveAttribute("aria-disabled", "true");
    await other.goto(`${server.main}/guard?tab=bans`);
    await settled(other);
    await expect(other.getByRole("button", { name: /Ban an address/ })).toHaveAttribute("title", /a responder/);
  } finally {
    await theirs.close();
  }
  await visit(page, "/access");
  await page.getByRole("button", { name: `Remove ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(dialog).toHaveCount(0);
  await removeProject(page, project);
});

for (const size of SIZES) {
  for (const scheme of SCHEMES) {
    test.describe(`${size.name} ${scheme}`, () => {
      test.use({
        viewport: { width: size.width, height: size.height },
        colorScheme: scheme,
        reducedMotion: "reduce",
      });

      test("the pages of a project show, fit and are accessible", async ({ page }) => {
        await signIn(page);
        const name = `looks-${size.name}-${scheme}-${Date.now()}`;
        const secrets = await addProject(page, name);
        const long = { endpoint: `/${"a-long-way/".repeat(30)}`, user_agent: "x".repeat(900) };
        const events = Array.from({ length: 40 }, (_, at) => attack(`198.51.100.${at + 1}`, at % 3 === 0 ? long : {}));
        await report(name, secrets, "events", batch(name, events));
        const check = (what: string, whole = true) => checkLooks(page, `guard-${what}-${size.name}-${scheme}`, whole);
        for (const tab of ["overview", "agents", "rules"]) {
          await test.step(tab, async () => {
            await visit(page, `/guard/${name}${tab === "overview" ? "" : `?tab=${tab}`}`);
            await check(tab);
          });
        }
        await test.step("an event", async () => {
          await visit(page, `/guard/${name}?tab=events`);
          const first = page.locator("main [data-list-item]").first();
          await first.click();
          await expect(first).toHaveAttribute("aria-expanded", "true");
          await check("event", false);
        });
        await test.step("rules that are wrong", async () => {
          await visit(page, `/guard/${name}?tab=rules`);
          await page.getByLabel("Banned addresses", { exact: true }).fill("nonsense");
          await page.getByLabel("Emergency mode").check();
          await check("rules-wrong", false);
          await page.getByLabel("Banned addresses", { exact: true }).fill("198.51.100.1");
          await page.getByRole("button", { name: "Preview" }).click();
          await expect(page.locator("main").getByText("would have been blocked")).toBeVisible();
          await check("rules-tried");
          await page.getByRole("button", { name: "Save…" }).click();
          await check("rules-saving", false);
          await page.keyboard.press("Escape");
          await page.getByRole("button", { name: "JSON" }).click();
          await check("rules-json");
          await page.getByRole("button", { name: "Discard" }).click();
        });
        await test.step("bans with countries", async () => {
          await visit(page, "/guard?tab=bans");
          await check("bans");
        });
        await removeProject(page, name);
      });
    });
  }
}

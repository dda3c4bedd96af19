/** Every page, wide and narrow, dark and light: it shows, it fits, and it is accessible. */

import { SCHEMES, SIZES, checkLooks } from "./looks";
import { expect, ownHost, settled, signIn, test, visit } from "./page";

for (const size of SIZES) {
  for (const scheme of SCHEMES) {
    test.describe(`${size.name} ${scheme}`, () => {
      test.use({
        viewport: { width: size.width, height: size.height },
        colorScheme: scheme,
        reducedMotion: "reduce",
      });

      test("every page shows, fits and is accessible", async ({ page }) => {
        const check = (name: string, whole = true) =>
          checkLooks(page, `${name}-${size.name}-${scheme}`, whole);

        await page.goto("about:blank");
        await test.step("sign-in", async () => {
          await page.goto((await import("./page")).server.main);
          await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
          await check("sign-in");
        });
        await signIn(page);

        await test.step("overview", async () => {
          await settled(page);
          await expect(page.getByText("Last 60 minutes")).toBeVisible();
          await check("overview");
        });

        const host = encodeURIComponent(await ownHost(page));
        const places: [string, string][] = [
          ["hosts", "/hosts"],
          ["host-processes", `/hosts/${host}`],
          ["host-connections", `/hosts/${host}?tab=connections`],
          ["host-events", `/hosts/${host}?tab=events`],
          ["host-alerts", `/hosts/${host}?tab=alerts`],
          ["alerts", "/alerts?state=any"],
          ["commands", "/commands"],
          ["events", "/events"],
          ["events-hour", "/events?span=1h"],
          ["query", "/query"],
          ["indicators", "/indicators"],
          ["host-agent", `/hosts/${host}?tab=agent`],
          ["identities", "/hosts?tab=identities"],
          ["enrolments", "/hosts?tab=enrolments"],
          ["people", "/access"],
          ["tokens", "/access?tab=tokens"],
          ["you", "/access?tab=you"],
          ["keys", "/access?tab=keys"],
          ["roles", "/access?tab=roles"],
          ["webhooks", "/webhooks"],
          ["guard", "/guard"],
          ["bans", "/guard?tab=bans"],
          ["automatic-bans", "/guard?tab=automatic"],
          ["audit", "/audit"],
          ["storage", "/storage"],
          ["nothing", "/no/such/page"],
        ];
        for (const [name, path] of places) {
          await test.step(name, async () => {
            await visit(page, path);
            await check(name, !name.startsWith("events") && name !== "host-events");
          });
        }

        await test.step("a process", async () => {
          await visit(page, `/hosts/${host}`);
          await page.getByRole("row").nth(1).click();
          await expect(page.getByRole("complementary")).toBeVisible();
          await check("host-process");
        });

        await test.step("an event", async () => {
          await visit(page, "/events");
          const first = page.locator("[data-list-item]").first();
          await first.click();
          await expect(first).toHaveAttribute("aria-expanded", "true");
          await check("event", false);
        });

        await test.step("a query", async () => {
          await visit(page, "/query");
          const sql = page.getByRole("textbox", { name: "SQL" });
          await sql.fill("SELECT * FROM events ORDER BY time DESC LIMIT 50");
          await sql.press("Control+Enter");
          await expect(page.getByRole("region", { name: "Rows of the answer" })).toBeVisible();
          await check("query-answered", false);
          await page.getByRole("button", { name: "Row 1, all of it" }).click();
          await expect(page.getByRole("dialog", { name: "Row 1" })).toBeVisible();
          await check("query-row", false);
          await page.keyboard.press("Escape");
          await sql.fill("SELECT nothing FROM nowhere");
          await sql.press("Control+Enter");
          await expect(page.getByRole("region", { name: "Answer", exact: true }).getByRole("alert")).toBeVisible();
          await check("query-refused", false);
        });

        await test.step("a range of time", async () => {
          await visit(page, "/events?span=24h");
          const bars = page.getByRole("slider");
          await bars.focus();
          await page.keyboard.press("End");
          await page.keyboard.press("Shift+ArrowLeft");
          await check("events-selecting", false);
          await page.keyboard.press("Enter");
          await expect(page).toHaveURL(/since=.+&until=.+/);
          await settled(page);
          await check("events-selected", false);
          await page.getByRole("button", { name: "As a table" }).click();
          await check("events-table", false);
        });

        await test.step("an alert", async () => {
          await visit(page, "/alerts?state=any");
          const first = page.locator("main [data-list-item]").first();
          if ((await first.count()) === 0) return;
          await first.click();
          await expect(page.getByRole("heading", { name: "Why" })).toBeVisible();
          await settled(page);
          await check("alert");
        });

        await test.step("a command", async () => {
          await visit(page, "/commands");
          const first = page.locator("main [data-list-item]").first();
          if ((await first.count()) === 0) return;
          await first.click();
          await expect(page.getByRole("list", { name: "States" })).toBeVisible();
          await check("command");
        });

        await test.step("dialogs", async () => {
          const dialog = async (path: string, button: string, name: string) => {
            await visit(page, path);
            await page.getByRole("button", { name: button }).first().click();
            await expect(page.getByRole("dialog")).toBeVisible();
            await check(name, false);
            await page.keyboard.press("Escape");
            await expect(page.getByRole("dialog")).toHaveCount(0);
          };
          await dialog("/access?tab=keys", "Create a key", "key-dialog");
          await dialog("/access?tab=tokens", "Create a token", "token-dialog");
          await dialog("/access", "Add a person", "person-dialog");
          await dialog("/hosts", "Enrol a host", "enrol-dialog");
          await dialog("/webhooks", "Add a webhook", "webhook-dialog");
          await dialog("/guard", "Add a project", "guard-project-dialog");
          await dialog("/guard?tab=bans", "Ban an address", "ban-dialog");
          await dialog("/guard?tab=automatic", "Add a rule", "automatic-rule-dialog");
          await dialog(`/hosts/${host}`, "Order a command", "order-dialog");
          await visit(page, "/storage");
          await page.getByRole("button", { name: "Add a hold" }).click();
          await check("hold-dialog", false);
          await page.keyboard.press("Escape");
          await visit(page, "/indicators");
          await page.getByRole("button", { name: "Add an indicator" }).click();
          await check("indicator-dialog", false);
          await page.keyboard.press("Escape");
          await page.keyboard.press("?");
          await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
          await check("keyboard", false);
        });
      });
    });
  }
}

/** Where alerts are told: added with a secret told once, tried, replayed, removed. */

import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, signIn, test, visit } from "./page";

test.use({ viewport: { width: 1440, height: 900 } });

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver on loopback that answers as it is told. */
class Receiver {
  readonly received: Received[] = [];
  status = 204;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (part: string) => (body += part));
      request.on("end", () => {
        this.received.push({ headers: request.headers, body });
        response.writeHead(this.status, { "Content-Type": "text/plain" });
        response.end(this.status >= 300 ? "not now <b>please</b>" : "");
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  /** By name: where a name leads is looked at with each attempt, an address when it is written down. */
  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/told`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Whether the signature is that of the secret (Standard Webhooks 1.0). */
function isSigned({ headers, body }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const text = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  const wanted = `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
  return String(headers["webhook-signature"]).split(" ").includes(wanted);
}

test("a webhook is added, tried, and what it could not deliver is seen", async ({ page }) => {
  const receiver = await Receiver.start();
  const name = `browser-test-${Date.now()}`;
  const dialog = page.getByRole("dialog");
  try {
    await signIn(page);
    await visit(page, "/webhooks");
    await page.getByRole("button", { name: "Add a webhook" }).click();
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByLabel("Address to post to").fill("javascript:alert(1)");
    await dialog.getByRole("button", { name: "Add" }).click();
    await expect(dialog.getByRole("alert")).toContainText("https://");
    await dialog.getByLabel("Address to post to").fill(receiver.url);
    await dialog.getByRole("button", { name: "Add" }).click();
    const told = page.getByRole("dialog", { name: `Webhook ${name}` });
    await told.getByRole("button", { name: "Show" }).click();
    const secret = (await told.locator("code").first().textContent()) ?? "";
    expect(secret).toMatch(/^whsec_/);
    await told.getByRole("button", { name: "I have it" }).click();

    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("button", { name: "Send a test" }).click();
    const list = page.getByRole("region", { name: "Deliveries" });
    const first = list.locator("[data-list-item]").first();
    await expect(first).toContainText(/delivered|dead letter|tried again/);
    await first.click();
    await expect(list.getByRole("region", { name: "What is sent" })).toContainText('"type": "test"');
    await expect(list).toContainText(/\d attempt/);
    if (receiver.received.length > 0) {
      // The configuration allows loopback: it arrived, and the secret is the one that was told.
      await expect(first).toContainText("delivered");
      expect(receiver.received.every((one) => isSigned(one, secret))).toBe(true);
      receiver.status = 503;
      await page.getByRole("button", { name: "Send a test" }).click();
      await expect(list.locator("[data-list-item]").first()).toContainText("503");
    } else {
      // By itself the server posts to no address that is not of the public internet.
      await expect(first).toContainText("not allowed by webhooks.allow_networks");
    }

    await page.getByRole("button", { name: "Pause" }).click();
    await expect(page.getByText("paused", { exact: true })).toBeVisible();
    await page.getByRole("button", { name: "New secret" }).click();
    await dialog.getByRole("button", { name: "New secret" }).click();
    await expect(page.getByRole("dialog", { name: `New secret of ${name}` })).toBeVisible();
    await dialog.getByRole("button", { name: "I have it" }).click();
    await page.getByRole("button", { name: "Remove" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await expect(page.getByRole("heading", { name: "Webhooks", level: 1 })).toBeVisible();
    await expect(page.getByRole("link", { name, exact: true })).toHaveCount(0);
  } finally {
    await receiver.stop();
  }
});

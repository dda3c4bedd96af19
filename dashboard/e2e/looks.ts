/** How a page looks: it fits, it is accessible, and there is a picture of it where one is wanted. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect } from "./page";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const SIZES = [
  { name: "1440", width: 1440, height: 900 },
  { name: "390", width: 390, height: 844 },
];
export const SCHEMES = ["dark", "light"] as const;

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** Takes a picture of `page`, of all of it or of what is seen, and fails where it is too wide or not accessible. */
export async function checkLooks(page: Page, what: string, whole = true): Promise<void> {
  await picture(page, what, whole);
  await checkFits(page, what);
  await checkAccessible(page, what);
}

/** Fails on violations of WCAG A and AA that axe calls serious or critical. */
async function checkAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(AXE);
  const { violations, passed } = await page.evaluate(async () => {
    interface Found {
      violations: Violation[];
      passes: unknown[];
    }
    const { axe } = window as unknown as {
      axe: { run(context: Document, options: object): Promise<Found> };
    };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const found = await axe.run(document, { runOnly: tags });
    return { violations: found.violations, passed: found.passes.length };
  });
  expect(passed, `${what}: axe looked at the page`).toBeGreaterThan(10);
  const serious = violations
    .filter((one) => one.impact === "serious" || one.impact === "critical")
    .map((one) => `${one.id}: ${one.nodes[0]?.html} ${one.nodes[0]?.failureSummary}`);
  expect(serious, what).toEqual([]);
}

async function picture(page: Page, name: string, whole: boolean): Promise<void> {
  const directory = process.env["SCREENSHOT_DIR"];
  if (directory === undefined || directory === "") return;
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: whole });
}

/** Nothing makes the page itself scroll sideways. */
async function checkFits(page: Page, what: string): Promise<void> {
  const over = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(over, `${what} is too wide`).toBeLessThanOrEqual(0);
}

import { defineConfig } from "@playwright/test";

/** Tests of the built dashboard in Debian's Chromium, against the server that a ready file names. */
export default defineConfig({
  testDir: "e2e",
  // Bounds for a machine that is busy with other things: they end what hangs, and say nothing of speed.
  timeout: 600_000,
  expect: { timeout: 60_000 },
  workers: 1,
  reporter: [["list"]],
  outputDir: "test-results",
  use: {
    browserName: "chromium",
    actionTimeout: 60_000,
    navigationTimeout: 60_000,
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});

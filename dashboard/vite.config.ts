import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** `npm run dev` serves the sources and passes the API on to a server that runs. */
const server = process.env["RINGWALL_URL"] ?? "http://127.0.0.1:7400";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "dist",
    assetsDir: "assets",
    // A strict content security policy forbids data: fonts and scripts; nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": { target: server } } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});

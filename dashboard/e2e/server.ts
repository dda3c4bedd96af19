/** The running server, as its ready file describes it. */

import { readFileSync } from "node:fs";

interface ReadyFile {
  main: string;
  dialects: Record<string, string | undefined>;
  admin_token: string;
  admin_password: string;
}

export function readyFile(): ReadyFile {
  const path = process.env["RINGWALL_READY_FILE"];
  if (path === undefined || path === "") {
    throw new Error("RINGWALL_READY_FILE names no file: start `ringwall up --ready-file FILE` first");
  }
  return JSON.parse(readFileSync(path, "utf8")) as ReadyFile;
}

/** Processes that do nothing, to be found, stopped and ended. */

import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A harmless process: a copy of a program under another name. */
export class Sleeper {
  readonly #directory = mkdtempSync(join(tmpdir(), "ringwall-sleeper-"));
  readonly child: ChildProcess;
  readonly ended: Promise<NodeJS.Signals | number | null>;

  constructor(name: string, options: readonly string[] = ["600"], program = "/bin/sleep") {
    const path = join(this.#directory, name);
    copyFileSync(program, path);
    this.child = spawn(path, options, { stdio: "ignore" });
    this.ended = new Promise((resolve) => {
      this.child.on("exit", (code, signal) => resolve(signal ?? code));
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("the sleeper did not start");
    return this.child.pid;
  }

  /** The kernel's letter for what it does: `S` sleeps, `T` is stopped (proc_pid_stat(5)). */
  get state(): string {
    return readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ")[1]?.slice(0, 1) ?? "";
  }

  [Symbol.dispose](): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

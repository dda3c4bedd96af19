/** What is read from the server: a single thing, or a list that goes on. */

import { untrack } from "svelte";
import { ApiError, type PageQuery } from "./api";
import type { Page } from "./api-types";

function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, "Something broke", String(cause));
}

function isAbort(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === "AbortError";
}

/** Something that is read from the server, at most once at a time. While it is, the old value stays. */
export abstract class Reading<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);
  #running: AbortController | null = null;

  cancel(): void {
    this.#running?.abort();
    this.#running = null;
  }

  protected get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Asks, and takes the answer, unless a later question or `cancel` came first. */
  protected async ask<A>(
    question: (signal: AbortSignal) => Promise<A>,
    take: (answer: A) => void,
  ): Promise<void> {
    this.cancel();
    const running = new AbortController();
    this.#running = running;
    this.loading = true;
    try {
      const answer = await question(running.signal);
      if (running.signal.aborted) return;
      take(answer);
      this.error = null;
    } catch (cause) {
      if (isAbort(cause) || running.signal.aborted) return;
      this.error = asApiError(cause);
    } finally {
      if (this.#running === running) {
        this.#running = null;
        this.loading = false;
      }
    }
  }
}

/** One thing. */
export class Resource<T> extends Reading<T> {
  constructor(private readonly read: (signal: AbortSignal) => Promise<T>) {
    super();
  }

  /** Reads it; with `fresh` what was there before is dropped first. */
  load(fresh = false): Promise<void> {
    return untrack(() => {
      if (fresh) this.value = null;
      return this.ask(this.read, (value) => {
        this.value = value;
      });
    });
  }
}

/** A list that lives on for days must not grow for days. */
const ROWS_MAX = 2000;

/** A row that came live, and what it does: joins or replaces, replaces only, or goes. */
export interface Change<T> {
  row: T;
  how: "keep" | "replace" | "drop";
}

/** The rows after `changes`, which came oldest first; rows that are new stand on top. */
export function withChanges<T extends { id: string }>(
  rows: readonly T[],
  changes: readonly Change<T>[],
): T[] {
  const byId = new Map<string, Change<T>>();
  for (const change of changes) {
    byId.delete(change.row.id);
    byId.set(change.row.id, change);
  }
  const kept: T[] = [];
  for (const row of rows) {
    const change = byId.get(row.id);
    byId.delete(row.id);
    if (change === undefined) kept.push(row);
    else if (change.how !== "drop") kept.push(change.row);
  }
  const added = [...byId.values()].filter((change) => change.how === "keep");
  return [...added.reverse().map((change) => change.row), ...kept];
}

/** A list in pages, newest first, that live rows join. */
export class PagedList<T extends { id: string }> extends Reading<T[]> {
  /** Where the next page begins; null where the list is whole. */
  cursor = $state<string | null>(null);
  #arrived: Change<T>[] = [];

  constructor(
    private readonly read: (query: PageQuery, signal: AbortSignal) => Promise<Page<T>>,
    private readonly limit = 100,
  ) {
    super();
  }

  /** Reads the first page; with `fresh` the rows before go first. */
  load(query: PageQuery, fresh = true): Promise<void> {
    return untrack(() => {
      if (fresh) this.value = null;
      return this.#askPage(query, (page) => {
        this.value = page.data;
      });
    });
  }

  /** Reads the next page behind what is there. */
  async more(query: PageQuery): Promise<void> {
    if (this.cursor === null || this.loading) return;
    await this.#askPage({ ...query, cursor: this.cursor }, (page) => {
      const known = new Set(this.value?.map((row) => row.id));
      this.value = [...(this.value ?? []), ...page.data.filter((row) => !known.has(row.id))];
    });
  }

  /** Puts a live row in its place: over its older self, or on top; out where `keep` is false. */
  put(row: T, keep = true): void {
    this.#change([{ row, how: keep ? "keep" : "drop" }]);
  }

  /** Puts live rows, oldest first, over their older selves or on top, at most `rowsMax` in all. */
  putAll(rows: readonly T[], rowsMax = ROWS_MAX): void {
    this.#change(rows.map((row) => ({ row, how: "keep" })), rowsMax);
  }

  /** Puts live rows over their older selves; new ones join only where the list is whole. */
  update(rows: readonly T[]): void {
    const how = this.cursor === null ? "keep" : "replace";
    this.#change(rows.map((row) => ({ row, how })));
  }

  #change(changes: readonly Change<T>[], rowsMax = ROWS_MAX): void {
    // What arrives while a page is on its way may be newer than that page: it is put again after.
    if (this.isRunning) this.#arrived = [...this.#arrived, ...changes].slice(-ROWS_MAX);
    if (this.value !== null) this.value = withChanges(this.value, changes).slice(0, rowsMax);
  }

  async #askPage(query: PageQuery, take: (page: Page<T>) => void): Promise<void> {
    this.#arrived = [];
    await this.ask(
      (signal) => this.read({ limit: this.limit, ...query }, signal),
      (page) => {
        take(page);
        if (this.value !== null) this.value = withChanges(this.value, this.#arrived);
        this.cursor = page.next_cursor ?? null;
      },
    );
  }
}

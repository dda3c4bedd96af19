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
    this.loading = false;
  }

  protected get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Asks, and takes the answer, unless a later question or `cancel` came first. */
  protected async ask<A>(
    question: (signal: AbortSignal) => Promise<A>,
    take: (answer: A) => void,
  ): Promise<void> {
    this.#running?.abort();
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

/** How long a search goes on by itself while pages come short. */
const SEARCH_MS_MAX = 8000;

/** A list in pages, newest first, that live rows join. */
export class PagedList<T extends { id: string }> extends Reading<T[]> {
  /** Where the next page begins; null where the list is whole. */
  cursor = $state<string | null>(null);
  /** Whether pages came short, and the search goes on by itself. */
  searching = $state(false);
  /** How far back was looked, where the last page came short and the server says so. */
  searchedTo = $state<string | null>(null);
  #arrived: Change<T>[] = [];
  #search = 0;

  constructor(
    private readonly read: (query: PageQuery, signal: AbortSignal) => Promise<Page<T>>,
    private readonly limit = 100,
  ) {
    super();
  }

  /** Reads the first page; with `fresh` the rows before go first. */
  load(query: PageQuery, fresh = true): Promise<void> {
    return untrack(() => {
      if (fresh) {
        this.value = null;
        this.cursor = null;
        this.searchedTo = null;
      }
      return this.#fill(query, null);
    });
  }

  /** Reads the next page behind what is there. */
  async more(query: PageQuery): Promise<void> {
    if (this.cursor === null || this.loading || this.searching) return;
    await this.#fill(query, this.cursor);
  }

  /** Ends a search that goes on by itself; what it found stays. */
  stop(): void {
    if (this.searching) this.cancel();
  }

  override cancel(): void {
    this.#search += 1;
    this.searching = false;
    super.cancel();
  }

  /**
   * Reads pages from `cursor` on, or from the first, until there are rows for one. The server looks
   * through so much for each, and gives a short one where it found little: the next goes on from there.
   */
  async #fill(query: PageQuery, cursor: string | null): Promise<void> {
    this.cancel();
    const search = this.#search;
    const began = performance.now();
    let from = cursor;
    let found = 0;
    for (;;) {
      const isFirst = from === null;
      await this.#askPage(isFirst ? query : { ...query, cursor: from }, (page) => {
        found += page.data.length;
        this.searchedTo = found < this.limit ? (page.searched_to ?? null) : null;
        const known = new Set(isFirst ? [] : this.value?.map((row) => row.id));
        const before = isFirst ? [] : (this.value ?? []);
        this.value = [...before, ...page.data.filter((row) => !known.has(row.id))];
      });
      // Stopped, or another question came.
      if (search !== this.#search) return;
      from = this.cursor;
      if (this.error !== null || from === null || found >= this.limit) break;
      if (performance.now() - began > SEARCH_MS_MAX) break;
      this.searching = true;
    }
    this.searching = false;
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

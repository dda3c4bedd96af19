/** A host's processes as a forest: who started whom. Pure, and safe on what hosts make up. */

import type { HostProcess } from "./api-types";

export interface TreeNode {
  key: string;
  process: HostProcess;
  children: TreeNode[];
}

export interface TreeRow {
  key: string;
  process: HostProcess;
  depth: number;
  /** How many processes are below it. */
  descendants: number;
  expanded: boolean;
  /** Whether it matches the search itself, and is not only on the way to one that does. */
  matched: boolean;
}

export const SORT_KEYS = ["tree", "cpu", "memory", "risk", "started"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** A process's identity on its host: pid and start time. */
export function processKey(process: { pid: number; start_time: string | null }): string {
  return `${process.pid}@${process.start_time ?? ""}`;
}

/**
 * The forest of `processes`. A process whose parent is not in the list is a root; so is one of every
 * circle that hosts make up. Siblings are in the order of their pids.
 */
export function buildForest(processes: readonly HostProcess[]): TreeNode[] {
  const nodes = new Map<string, TreeNode>();
  const byPid = new Map<number, TreeNode>();
  for (const process of processes) {
    const key = processKey(process);
    if (nodes.has(key)) continue;
    const node: TreeNode = { key, process, children: [] };
    nodes.set(key, node);
    byPid.set(process.pid, node);
  }
  const cuts = circleCuts(nodes.values(), byPid);
  const roots: TreeNode[] = [];
  for (const node of nodes.values()) {
    const parent = parentOf(node, byPid);
    if (parent === null || cuts.has(node)) roots.push(node);
    else parent.children.push(node);
  }
  const byIdentity = (a: TreeNode, b: TreeNode) => a.process.pid - b.process.pid;
  roots.sort(byIdentity);
  for (const node of nodes.values()) node.children.sort(byIdentity);
  return roots;
}

function parentOf(node: TreeNode, byPid: Map<number, TreeNode>): TreeNode | null {
  const pid = node.process.parent_pid;
  if (pid === null || pid === undefined || pid === node.process.pid) return null;
  return byPid.get(pid) ?? null;
}

/** In every circle of parents the member with the lowest pid: there it is cut. One visit a node. */
function circleCuts(nodes: Iterable<TreeNode>, byPid: Map<number, TreeNode>): Set<TreeNode> {
  const walkOf = new Map<TreeNode, number>();
  const cuts = new Set<TreeNode>();
  let walk = 0;
  for (const start of nodes) {
    walk += 1;
    let at: TreeNode | null = start;
    while (at !== null && !walkOf.has(at)) {
      walkOf.set(at, walk);
      at = parentOf(at, byPid);
    }
    if (at === null || walkOf.get(at) !== walk) continue;
    let lowest: TreeNode = at;
    for (let member = parentOf(at, byPid); member !== null && member !== at; ) {
      if (member.process.pid < lowest.process.pid) lowest = member;
      member = parentOf(member, byPid);
    }
    cuts.add(lowest);
  }
  return cuts;
}

/** How many processes descend from the one of this identity. */
export function descendantsOf(
  processes: readonly HostProcess[],
  process: { pid: number; start_time: string | null },
): number {
  const key = processKey(process);
  const todo = [...buildForest(processes)];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (node.key === key) {
      let below = 0;
      const under = [...node.children];
      for (let child = under.pop(); child !== undefined; child = under.pop()) {
        below += 1;
        for (const one of child.children) under.push(one);
      }
      return below;
    }
    for (const child of node.children) todo.push(child);
  }
  return 0;
}

/** Whether `process` matches every word of `search`: pid, name, user, command line, path, container. */
export function matches(process: HostProcess, search: string): boolean {
  const wanted = search.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (wanted.length === 0) return true;
  const pid = String(process.pid);
  const { container } = process;
  const text = [
    process.name,
    process.user,
    process.executable,
    process.command_line,
    process.executable_sha256,
    container?.name,
    container?.uid,
  ]
    .filter((part) => part !== null && part !== undefined)
    .join("\n")
    .toLowerCase();
  return wanted.every((word) => pid === word || text.includes(word));
}

/**
 * The rows to show, top down. With a search: what matches and the way to it, all open. Without:
 * everything but what is below a collapsed row.
 */
export function flatten(
  roots: readonly TreeNode[],
  collapsed: ReadonlySet<string>,
  search: string,
): TreeRow[] {
  const searching = search.trim() !== "";
  const rows: TreeRow[] = [];
  // A stack of our own: a chain of 100,000 processes must not end the page's.
  const stack: { node: TreeNode; depth: number }[] = [];
  const push = (nodes: readonly TreeNode[], depth: number) => {
    for (let i = nodes.length - 1; i >= 0; i -= 1) {
      const node = nodes[i];
      if (node !== undefined) stack.push({ node, depth });
    }
  };
  const { sizes, kept } = survey(roots, search);
  push(roots, 0);
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { node, depth } = top;
    if (searching && !kept.has(node.key)) continue;
    const expanded = searching || !collapsed.has(node.key);
    rows.push({
      key: node.key,
      process: node.process,
      depth,
      descendants: sizes.get(node.key) ?? 0,
      expanded,
      matched: searching && matches(node.process, search),
    });
    if (expanded) push(node.children, depth + 1);
  }
  return rows;
}

/** How many are below each node, and which are kept by the search. */
function survey(
  roots: readonly TreeNode[],
  search: string,
): { sizes: Map<string, number>; kept: Set<string> } {
  const sizes = new Map<string, number>();
  const kept = new Set<string>();
  const order: TreeNode[] = [...roots];
  for (let i = 0; i < order.length; i += 1) {
    const node = order[i];
    if (node !== undefined) for (const child of node.children) order.push(child);
  }
  for (let i = order.length - 1; i >= 0; i -= 1) {
    const node = order[i];
    if (node === undefined) continue;
    let below = 0;
    let keep = matches(node.process, search);
    for (const child of node.children) {
      below += 1 + (sizes.get(child.key) ?? 0);
      keep ||= kept.has(child.key);
    }
    sizes.set(node.key, below);
    if (keep) kept.add(node.key);
  }
  return { sizes, kept };
}

/** The matching processes as a flat list, largest first. */
export function ranked(
  processes: readonly HostProcess[],
  sort: Exclude<SortKey, "tree">,
  search: string,
): TreeRow[] {
  const value = (process: HostProcess): number => {
    switch (sort) {
      case "cpu":
        return process.cpu_percent ?? -1;
      case "memory":
        return process.memory_percent ?? -1;
      case "risk":
        return process.risk_score ?? -1;
      case "started":
        return process.start_time === null ? -1 : Date.parse(process.start_time);
    }
  };
  return processes
    .filter((process) => matches(process, search))
    .sort((a, b) => value(b) - value(a) || a.pid - b.pid)
    .map((process) => ({
      key: processKey(process),
      process,
      depth: 0,
      descendants: 0,
      expanded: false,
      matched: false,
    }));
}

/** The client of `/api/v1/guard`: one function an operation. */

import { type PageQuery, request } from "./api";
import type { Page } from "./api-types";
import type {
  Automatic,
  Ban,
  GuardAgent,
  GuardEvent,
  GuardMetrics,
  GuardProject,
  GuardProjectChange,
  GuardRules,
  GuardSecrets,
  NewBan,
  NewGuardProject,
  Rules,
  RulesPreview,
  RulesVersion,
} from "./guard-types";

const id = encodeURIComponent;

export const guardApi = {
  projects: {
    list: (signal?: AbortSignal) => request<Page<GuardProject>>("/guard/projects", { signal }),
    read: (project: string, signal?: AbortSignal) =>
      request<GuardProject>(`/guard/projects/${id(project)}`, { signal }),
    add: (project: NewGuardProject) =>
      request<GuardSecrets>("/guard/projects", { method: "POST", body: project }),
    /** Makes another key and other secrets; those of now stay good for so long. */
    rotate: (project: string, graceSeconds: number) =>
      request<GuardSecrets>(`/guard/projects/${id(project)}/rotate`, {
        method: "POST",
        body: { grace_seconds: graceSeconds },
      }),
    /** Gives the project as it is then. */
    change: (project: string, change: GuardProjectChange) =>
      request<GuardProject>(`/guard/projects/${id(project)}`, { method: "PATCH", body: change }),
    remove: (project: string) => request<void>(`/guard/projects/${id(project)}`, { method: "DELETE" }),
    agents: (project: string, signal?: AbortSignal) =>
      request<Page<GuardAgent>>(`/guard/projects/${id(project)}/agents`, { signal }),
  },
  events: (query: PageQuery, signal?: AbortSignal) =>
    request<Page<GuardEvent>>("/guard/events", { query, signal }),
  metrics: (
    query: { project: string; metric: string; since: string; until: string; step_seconds: number },
    signal?: AbortSignal,
  ) => request<GuardMetrics>("/guard/metrics", { query, signal }),
  rules: {
    read: (project: string, signal?: AbortSignal) =>
      request<GuardRules>(`/guard/projects/${id(project)}/rules`, { signal }),
    /** Refused (409) where `baseVersion` is not the latest any more. */
    save: (project: string, rules: Rules, baseVersion: number, note: string) =>
      request<GuardRules>(`/guard/projects/${id(project)}/rules`, {
        method: "PUT",
        body: { rules, base_version: baseVersion, ...(note.trim() === "" ? {} : { note: note.trim() }) },
      }),
    history: (project: string, query: PageQuery, signal?: AbortSignal) =>
      request<Page<RulesVersion>>(`/guard/projects/${id(project)}/rules/history`, { query, signal }),
    restore: (project: string, version: number) =>
      request<GuardRules>(`/guard/projects/${id(project)}/rules/restore`, {
        method: "POST",
        body: { version },
      }),
    /** What these rules would have blocked in the last hours. */
    preview: (project: string, rules: Rules, hours: number, signal?: AbortSignal) =>
      request<RulesPreview>(`/guard/projects/${id(project)}/rules/preview`, {
        method: "POST",
        body: { rules, hours },
        signal,
      }),
  },
  bans: {
    list: (query: PageQuery, signal?: AbortSignal) => request<Page<Ban>>("/guard/bans", { query, signal }),
    add: (ban: NewBan) => request<Ban>("/guard/bans", { method: "POST", body: ban }),
    lift: (ban: string, reason: string) =>
      request<Ban>(`/guard/bans/${id(ban)}/lift`, { method: "POST", body: { reason } }),
  },
  automatic: {
    read: (signal?: AbortSignal) => request<Automatic>("/guard/automatic", { signal }),
    save: (automatic: Automatic) =>
      request<Automatic>("/guard/automatic", { method: "PUT", body: automatic }),
  },
};

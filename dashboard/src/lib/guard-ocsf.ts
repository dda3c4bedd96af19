/** What a guard reported, out of the OCSF form in which every event is listed. */

import type { EventRow } from "./api-types";
import { projectOf } from "./guard-events";
import type { GuardEvent } from "./guard-types";
import { numberAt, textAt, valueAt } from "./paths";

/** The event as the guard's own page shows it; null where it is of another kind. */
export function guardEventOf(row: Pick<EventRow, "id" | "time" | "source" | "kind" | "ocsf">): GuardEvent | null {
  const project = projectOf(row.source);
  if (row.kind !== "app_guard" || project === null) return null;
  const { ocsf } = row;
  const text = (path: string) => textAt(ocsf, path);
  return {
    id: row.id,
    time: row.time,
    project,
    install_id: text("unmapped.app_guard.install_id"),
    event_type: text("finding_info.types.0") ?? "",
    action: text("action"),
    reason: text("status_detail"),
    address: text("src_endpoint.ip"),
    country: text("src_endpoint.location.country"),
    user_agent: text("http_request.user_agent"),
    method: text("http_request.http_method"),
    endpoint: text("http_request.url.path"),
    status_code: numberAt(ocsf, "http_response.code"),
    response_time_ms: numberAt(ocsf, "duration"),
    category: text("finding_info.title"),
    pattern: text("finding_info.analytic.name"),
    metadata: metadataOf(text("raw_data")),
  };
}

/** What the guard sent stands beside the event, as it came. */
function metadataOf(original: string | null): Record<string, unknown> | null {
  if (original === null) return null;
  try {
    const found = valueAt(JSON.parse(original), "metadata");
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : null;
  } catch {
    // A guard of another make may have sent anything; the JSON of the event shows it.
    return null;
  }
}

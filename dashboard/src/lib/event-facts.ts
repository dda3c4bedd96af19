/** What matters about an event of a kind, out of its OCSF form. */

import { bytes, endpoint } from "./format";
import { numberAt, textAt } from "./paths";

export interface Fact {
  name: string;
  text: string;
  /** Whether it is code: a path, an address, a name that programs gave. */
  mono?: boolean;
}

/** The facts of web requests and sign-ins; of guards see `guard-ocsf`, of other kinds the summary says it all. */
export function factsOf(kind: string, ocsf: unknown): Fact[] {
  const text = (path: string) => textAt(ocsf, path);
  const facts: (Fact | null)[] = [];
  const add = (name: string, value: string | null, mono = true) =>
    facts.push(value === null ? null : { name, text: value, mono });
  if (kind === "http_request") {
    const length = numberAt(ocsf, "http_response.length");
    const code = text("http_response.code");
    const duration = text("duration");
    add("Method", text("http_request.http_method"));
    add("Host asked for", text("http_request.url.hostname"));
    add("Path", text("http_request.url.path"));
    add("Answer", code === null ? null : length === null ? code : `${code}, ${bytes(length)}`, false);
    add("Took", duration === null ? null : `${duration} ms`, false);
    add("Client", clientOf(ocsf));
    add("User", text("actor.user.name"));
    add("User agent", text("http_request.user_agent"));
    add("Referrer", text("http_request.referrer"));
  } else if (kind === "sign_in") {
    const status = numberAt(ocsf, "status_id");
    add("User", text("user.name"));
    add("Outcome", status === 1 ? "let in" : status === 2 ? "refused" : text("status"), false);
    add("Why", text("status_detail"));
    add("Service", text("service.name"));
    add("Proof", text("auth_protocol"));
    add("Client", clientOf(ocsf));
  }
  return facts.filter((fact) => fact !== null);
}

function clientOf(ocsf: unknown): string | null {
  const address = textAt(ocsf, "src_endpoint.ip");
  return address === null ? null : endpoint(address, numberAt(ocsf, "src_endpoint.port"));
}

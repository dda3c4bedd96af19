/** What stands in JSON at a path of names with points between them: `http_request.url.path`, `types.0`. */

export function valueAt(value: unknown, path: string): unknown {
  let here = value;
  for (const name of path.split(".")) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, name)) return null;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

/** A text or a number there, as text; null where there is none, or an empty one. */
export function textAt(value: unknown, path: string): string | null {
  const found = valueAt(value, path);
  return typeof found === "string" && found !== "" ? found : typeof found === "number" ? String(found) : null;
}

export function numberAt(value: unknown, path: string): number | null {
  const found = valueAt(value, path);
  return typeof found === "number" ? found : null;
}

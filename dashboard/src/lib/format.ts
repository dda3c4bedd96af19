/** Numbers, times and names in the words of the page. Pure: `now` is an argument. */

const grouped = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** Whole numbers in groups: `12,345`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** Short where it is long: `1.2M`. */
export function countShort(value: number): string {
  return value < 100_000 ? grouped.format(value) : compact.format(value);
}

/** Three figures where there is little room: `37.5K`. */
export function countCompact(value: number): string {
  return value < 10_000 ? grouped.format(value) : compact.format(value);
}

/** One decimal; a dash where nothing is known. */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(1);
}

/** A risk or anomaly score, 0 to 100. */
export function score(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value)
    ? "–"
    : String(Math.round(value));
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Binary units, three significant digits. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  let rest = value;
  let unit = 0;
  while (rest >= 1024 && unit < BYTE_UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)} ${BYTE_UNITS[unit] ?? "B"}`;
}

/** How long, in its two largest units: `3 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

/** How long ago, in one unit: `12 s ago`. */
export function ago(time: string, now: number): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return "–";
  const seconds = Math.round((now - then) / 1000);
  if (seconds < -5) return `in ${oneUnit(-seconds)}`;
  if (seconds < 3) return "now";
  return `${oneUnit(seconds)} ago`;
}

function oneUnit(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const clockFormat = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const yearFormat = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "short",
  year: "numeric",
});

/** The clock time in the reader's zone; with the day where it is not today. */
export function clockTime(time: string, now: number): string {
  const then = new Date(time);
  if (Number.isNaN(then.getTime())) return "–";
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) return clockFormat.format(then);
  const day = then.getFullYear() === today.getFullYear() ? dayFormat : yearFormat;
  return `${day.format(then)} ${clockFormat.format(then)}`;
}

/** The moment as the server wrote it, for titles: UTC to the microsecond. */
export function exactTime(time: string): string {
  return time.replace("T", " ").replace("Z", " UTC");
}

/** `process_started` → `process started`. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** `address:port`, IPv6 in brackets; a star where there is none. */
export function endpoint(address: string | null, port: number | null): string {
  if (address === null || address === "") return "*";
  const shown = address.includes(":") ? `[${address}]` : address;
  return port === null ? shown : `${shown}:${port}`;
}

/** One or many: `1 host`, `2 hosts`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** The dialect part of `dialect:name`. */
export function dialectOf(source: string): string {
  const colon = source.indexOf(":");
  return colon < 0 ? "" : source.slice(0, colon);
}

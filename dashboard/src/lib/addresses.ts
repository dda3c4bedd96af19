/** IP addresses as text: what is one, and what kind it is. */

export type AddressKind = "public" | "private" | "loopback" | "unspecified" | "multicast";

/** Whether `text` is an IPv4 or IPv6 address, without a zone, a prefix length or a port. */
export function isAddress(text: string): boolean {
  return v4(text) !== null || v6(text) !== null;
}

/** Whether `text` is an address, or a network of them: `192.0.2.0/24`. */
export function isNetwork(text: string): boolean {
  return networkOf(text) !== null;
}

/** The first address of a network, and how many addresses it has as a power of two; null for none. */
export function networkOf(text: string): { address: string; hostBits: number } | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  if (!isAddress(address)) return null;
  const width = v4(address) === null ? 128 : 32;
  if (slash < 0) return { address, hostBits: 0 };
  const prefix = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > width) return null;
  return { address, hostBits: width - Number(prefix) };
}

/** Whether `network`, or the one address that it is, holds `address`; an IPv4 address in IPv6 clothes is IPv4. */
export function networkHolds(network: string, address: string): boolean {
  const held = networkOf(network);
  if (held === null) return false;
  const [outer, inner] = [plainBits(held.address), plainBits(address)];
  if (outer === null || inner === null || outer.length !== inner.length) return false;
  const fixed = outer.length - Math.min(held.hostBits, outer.length);
  return outer.slice(0, fixed) === inner.slice(0, fixed);
}

/** The bits of an address as text, 32 or 128 of them. */
function plainBits(text: string): string | null {
  const four = v4(text);
  if (four !== null) return four.map((part) => part.toString(2).padStart(8, "0")).join("");
  const six = v6(text);
  if (six === null) return null;
  const bits = six.map((group) => group.toString(2).padStart(16, "0")).join("");
  const mapped = six.slice(0, 5).every((group) => group === 0) && six[5] === 0xffff;
  return mapped ? bits.slice(96) : bits;
}

/** What kind of address `text` is; one that is none counts as public. */
export function addressKind(text: string): AddressKind {
  const four = v4(text);
  if (four !== null) return kindOf4(four);
  const six = v6(text);
  if (six === null) return "public";
  const mapped = six.slice(0, 5).every((group) => group === 0) && six[5] === 0xffff;
  if (mapped) {
    const [high = 0, low = 0] = six.slice(6);
    return kindOf4([high >> 8, high & 0xff, low >> 8, low & 0xff]);
  }
  const first = six[0] ?? 0;
  if (six.slice(0, 7).every((group) => group === 0)) {
    if (six[7] === 0) return "unspecified";
    if (six[7] === 1) return "loopback";
  }
  if ((first & 0xff00) === 0xff00) return "multicast";
  if ((first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfe80) return "private";
  return "public";
}

function kindOf4([a = 0, b = 0, c = 0, d = 0]: number[]): AddressKind {
  if (a === 0 && b === 0 && c === 0 && d === 0) return "unspecified";
  if (a === 127) return "loopback";
  if (a >= 224 && a < 240) return "multicast";
  const isPrivate =
    a === 10 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 100 && b >= 64 && b < 128);
  return isPrivate ? "private" : "public";
}

function v4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const numbers = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return numbers.every((number) => number < 256) ? numbers : null;
}

/** Eight groups (RFC 4291 §2.2). */
function v6(text: string): number[] | null {
  let rest = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const tail = v4(dotted[2] ?? "");
    if (tail === null) return null;
    const [a = 0, b = 0, c = 0, d = 0] = tail;
    rest = `${dotted[1] ?? ""}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = rest.split("::");
  if (halves.length > 2) return null;
  const read = (half: string) => (half === "" ? [] : half.split(":"));
  const before = read(halves[0] ?? "");
  const after = read(halves[1] ?? "");
  const missing = 8 - before.length - after.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array<string>(halves.length === 1 ? 0 : missing).fill("0"), ...after];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16));
}

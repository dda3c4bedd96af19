import { describe, expect, it } from "vitest";
import { type AddressKind, addressKind, isAddress, networkOf } from "./addresses";

describe("addresses", () => {
  const check = (text: string, kind: AddressKind | null) =>
    it(`${text} is ${kind ?? "none"}`, () => {
      expect(isAddress(text)).toBe(kind !== null);
      if (kind !== null) expect(addressKind(text)).toBe(kind);
    });
  check("203.0.113.9", "public");
  check("127.8.8.8", "loopback");
  check("0.0.0.0", "unspecified");
  check("10.0.0.1", "private");
  check("172.31.255.255", "private");
  check("172.32.0.0", "public");
  check("192.168.1.1", "private");
  check("100.64.0.1", "private");
  check("239.1.2.3", "multicast");
  check("2001:db8::1", "public");
  check("::", "unspecified");
  check("::1", "loopback");
  check("::ffff:127.0.0.1", "loopback");
  check("::ffff:10.1.2.3", "private");
  check("fe80::1", "private");
  check("fd00:1:2:3:4:5:6:7", "private");
  check("ff02::fb", "multicast");
  check("1:2:3:4:5:6:7:8", "public");
  check("1:2:3:4:5:6:7", null);
  check("1:2:3:4:5:6:7::8", null);
  check("1::2::3", null);
  check(":1:2:3:4:5:6:7", null);
  check("fe80::1%eth0", null);
  check("10.0.0.0/8", null);
  check("10.0.0.1:443", null);
  check("010.0.0.1", null);
  check("256.0.0.1", null);
  check("1.2.3", null);
  check("example.org", null);
  check("", null);
});

describe("networks", () => {
  const check = (text: string, expected: [string, number] | null) =>
    it(`${text} is ${expected === null ? "none" : "one"}`, () => {
      const found = networkOf(text);
      expect(found === null ? null : [found.address, found.hostBits]).toEqual(expected);
    });
  check("192.0.2.7", ["192.0.2.7", 0]);
  check("192.0.2.0/24", ["192.0.2.0", 8]);
  check("2001:db8::/32", ["2001:db8::", 96]);
  check("192.0.2.0/33", null);
  check("192.0.2.0/", null);
  check("192.0.2.0/08", null);
  check("/24", null);
  check("host/24", null);
});

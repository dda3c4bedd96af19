import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { allows, PERMISSION_NAMES, permissionsOf, ROLES, rolesThatMay, whyNot } from "./roles";

/** The permissions as the server declares them, each with the least role that includes it. */
const declared = [
  ...readFileSync(new URL("../../../crates/access/src/permission.rs", import.meta.url), "utf8").matchAll(
    /^ {4}\w+ = "(\w+)" for (\w+);$/gm,
  ),
].map(([, name = "", role = ""]) => [name, role === "ReadOnly" ? "read_only" : role.toLowerCase()] as const);

describe("roles", () => {
  it("are what the server says", () => {
    expect(declared.length).toBeGreaterThan(15);
    const shown = PERMISSION_NAMES.map((name) => [name, rolesThatMay(name)[0]] as const);
    const byName = (a: readonly unknown[], b: readonly unknown[]) => String(a[0]).localeCompare(String(b[0]));
    expect(shown.toSorted(byName)).toEqual(declared.toSorted(byName));
  });

  it("each includes what the one below it includes", () => {
    for (let at = 1; at < ROLES.length; at += 1) {
      const [above, below] = [ROLES[at - 1] ?? "", ROLES[at] ?? ""];
      const lost = PERMISSION_NAMES.filter((one) => allows(below, one) && !allows(above, one));
      expect(lost, `${below} may, ${above} may not`).toEqual([]);
    }
  });

  it("only those who order commands are offered to", () => {
    expect(rolesThatMay("order_commands")).toEqual(["responder", "admin"]);
    expect(rolesThatMay("change_users")).toEqual(["admin"]);
  });

  it("one that is not known here may nothing", () => {
    for (const role of ["", "root", "constructor", "Admin"]) {
      expect(permissionsOf(role)).toEqual([]);
    }
  });

  it("a refusal names who could", () => {
    expect(whyNot("read_only", "order_commands")).toBe(
      "Your role is read only. To order and withdraw commands, one has to be a responder or an admin.",
    );
    expect(whyNot("analyst", "change_users")).toContain("be an admin.");
  });
});

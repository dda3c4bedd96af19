/** A query in the address, behind the `#`: it reaches the page, and no server or log on the way. */

/** Longer addresses are cut by what they are sent through. */
const SQL_CHARACTERS_MAX = 8000;

/** The hash of a query; empty where it is too long for one. */
export function hashOf(sql: string): string {
  if (sql === "" || sql.length > SQL_CHARACTERS_MAX) return "";
  return `#${new URLSearchParams({ sql }).toString()}`;
}

/** The query in a hash; null where there is none. */
export function queryOf(hash: string): string | null {
  const sql = new URLSearchParams(hash.replace(/^#/, "")).get("sql");
  return sql === null || sql === "" ? null : sql.slice(0, SQL_CHARACTERS_MAX);
}

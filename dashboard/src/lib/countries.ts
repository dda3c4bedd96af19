/** Countries by their two letters (ISO 3166-1 alpha-2): the names are the browser's own. */

const NAMES = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

/** The name for people; the letters where they are no country, and for none that it is not known. */
export function countryName(code: string | null): string {
  if (code === null || code === "") return "not known";
  const letters = code.toUpperCase();
  if (!/^[A-Z]{2}$/.test(letters)) return code;
  return NAMES.of(letters) ?? letters;
}

export interface CountryCount {
  /** Null: it is not known. */
  code: string | null;
  count: number;
}

/** How many rows are of each country, the most first, those not known last. */
export function byCountry(rows: readonly { country: string | null }[]): CountryCount[] {
  const counts = new Map<string | null, number>();
  for (const { country } of rows) {
    const code = country === null || country === "" ? null : country.toUpperCase();
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return [...counts]
    .map(([code, count]) => ({ code, count }))
    .toSorted((a, b) => {
      if ((a.code === null) !== (b.code === null)) return a.code === null ? 1 : -1;
      return b.count - a.count || ((a.code ?? "") < (b.code ?? "") ? -1 : 1);
    });
}

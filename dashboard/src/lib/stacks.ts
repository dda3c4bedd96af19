/** Bars that stand on each other, in pixels. */

export interface Series {
  key: string;
  name: string;
  /** A colour of the page: `--kind-process`. */
  colour: string;
  counts: readonly number[];
}

export interface Stone {
  bucket: number;
  /** From the top. */
  y: number;
  height: number;
}

/** What is there is seen, however little it is beside the rest. */
const HEIGHT_MIN = 2;

/** The sum of each bucket. */
export function totals(series: readonly Series[], buckets: number): number[] {
  const sums = new Array<number>(buckets).fill(0);
  for (const one of series) {
    for (let i = 0; i < buckets; i += 1) sums[i] = (sums[i] ?? 0) + (one.counts[i] ?? 0);
  }
  return sums;
}

/** The stones of each series, the first series at the bottom. `most` is the value at the top. */
export function stack(
  series: readonly Series[],
  buckets: number,
  most: number,
  height: number,
): Stone[][] {
  const tops = new Array<number>(buckets).fill(0);
  const drawn = totals(series, buckets).map((sum) =>
    sum <= 0 ? 0 : Math.max(HEIGHT_MIN, (sum / Math.max(1, most)) * height),
  );
  const sums = totals(series, buckets);
  return series.map((one) => {
    const stones: Stone[] = [];
    for (let i = 0; i < buckets; i += 1) {
      const count = one.counts[i] ?? 0;
      if (count <= 0) continue;
      const before = tops[i] ?? 0;
      tops[i] = before + count;
      const share = (drawn[i] ?? 0) / (sums[i] ?? 1);
      stones.push({ bucket: i, y: height - (before + count) * share, height: count * share });
    }
    return stones;
  });
}

/** One path through all stones of a series, with a joint on the right of each and above the high. */
export function pathOf(stones: readonly Stone[], width: number, left: number): string {
  const joint = width >= 4 ? Math.min(2, width / 6) : 0;
  const parts: string[] = [];
  for (const stone of stones) {
    const gap = stone.height >= 4 ? 1 : 0;
    const x = left + stone.bucket * width + joint / 2;
    parts.push(
      `M${x.toFixed(2)} ${(stone.y + gap).toFixed(2)}h${(width - joint).toFixed(2)}v${(stone.height - gap).toFixed(2)}h${(joint - width).toFixed(2)}z`,
    );
  }
  return parts.join("");
}

/** A round number that is no less than `value`, and round marks below it. */
export function scaleFor(value: number, marksMax = 4): { most: number; marks: number[] } {
  const top = Math.max(1, value);
  const rough = top / marksMax;
  const power = 10 ** Math.floor(Math.log10(rough));
  const nice = [1, 2, 2.5, 5, 10].map((factor) => factor * power);
  const step = Math.max(1, nice.find((one) => one >= rough && Number.isInteger(Math.max(1, one))) ?? 10 * power);
  const most = Math.ceil(top / step) * step;
  const marks: number[] = [];
  for (let mark = step; mark <= most; mark += step) marks.push(mark);
  return { most, marks };
}

/** JSON values, one a line, as they arrive (NDJSON). */

/** A line longer than this is no answer of ours, and must not fill the memory. */
const LINE_CHARACTERS_MAX = 64 << 20;

/** Why a stream of lines could not be read. */
export class NdjsonError extends Error {
  override readonly name = "NdjsonError";
}

/** The values of `body`, each as soon as its line is whole. Empty lines are passed over. */
export async function* readNdjson(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = body.getReader();
  const decoder = new TextDecoder("utf-8");
  let pending = "";
  let line = 0;
  const parse = (text: string): unknown => {
    line += 1;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new NdjsonError(`line ${line} of the answer is not JSON`);
    }
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      // What is left over has no newline in it: only what is new has to be searched.
      let from = pending.length;
      pending += done ? decoder.decode() : decoder.decode(value, { stream: true });
      let begin = 0;
      for (;;) {
        const end = pending.indexOf("\n", from);
        if (end < 0) break;
        const text = pending.slice(begin, end).trim();
        if (text !== "") yield parse(text);
        begin = end + 1;
        from = begin;
      }
      pending = pending.slice(begin);
      if (pending.length > LINE_CHARACTERS_MAX) {
        throw new NdjsonError(`line ${line + 1} of the answer is too long`);
      }
      if (done) break;
    }
    const last = pending.trim();
    if (last !== "") yield parse(last);
  } finally {
    // Whoever stops reading wants no more of it: the server is told so.
    await reader.cancel().catch(() => {});
  }
}

/** Hands `text` to the reader as a file; it is made here, and nothing is asked for. */
export function saveText(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the file on its own time.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

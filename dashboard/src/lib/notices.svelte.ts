/** Short notices in the corner, what screen readers hear, and the one dialog for whole texts. */

import { visibleText } from "./visible-text";

export interface Notice {
  id: number;
  kind: "good" | "bad" | "alert";
  text: string;
  href: string | null;
}

const SHOWN_MS = 7000;
const SHOWN_MAX = 4;
let last = 0;

export const notices = $state({
  shown: [] as Notice[],
  /** What the polite live region says. */
  announcement: "",
});

/** Shows `text` for some seconds; `href` makes it a link. */
export function notify(kind: Notice["kind"], text: string, href: string | null = null): void {
  last += 1;
  const id = last;
  notices.shown = [...notices.shown, { id, kind, text, href }].slice(-SHOWN_MAX);
  announce(text);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.shown = notices.shown.filter((notice) => notice.id !== id);
}

/** Says `text` to those who do not see the page. */
export function announce(text: string): void {
  notices.announcement = visibleText(text);
}

export const wholeText = $state({ title: "", text: null as string | null });

/** Opens the dialog with all of a text that is truncated on the page. */
export function showWholeText(title: string, text: string): void {
  wholeText.title = title;
  wholeText.text = text;
}

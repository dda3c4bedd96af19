/** The keyboard, as the page obeys it; where `g` and a letter lead, `pages.ts` says. */

import { PAGE_LINKS } from "./pages";

export interface ShortcutActions {
  go(href: string): void;
  help(): void;
  theme(): void;
}

const CHORD_MS = 1500;
const STORED = "ringwall.shortcuts";

/** Single keys can be switched off: speech input types them by accident (WCAG 2.1.4). */
let enabled = remembered();

function remembered(): boolean {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}

export function shortcutsEnabled(): boolean {
  return enabled;
}

export function enableShortcuts(on: boolean): void {
  enabled = on;
  try {
    if (on) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, "off");
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}

/** Listens until the returned function is called. */
export function listenForShortcuts(actions: ShortcutActions): () => void {
  let chordUntil = 0;
  const listener = (press: KeyboardEvent) => {
    if (!enabled || press.defaultPrevented || press.ctrlKey || press.metaKey || press.altKey) return;
    if (isTyping(press.target) || document.querySelector("dialog[open]") !== null) return;
    if (Date.now() < chordUntil) {
      chordUntil = 0;
      const destination = PAGE_LINKS.find((one) => one.key === press.key);
      if (destination !== undefined) {
        press.preventDefault();
        actions.go(destination.href);
      }
      return;
    }
    switch (press.key) {
      case "g":
        chordUntil = Date.now() + CHORD_MS;
        break;
      case "/": {
        const search = document.querySelector<HTMLElement>("[data-search]");
        if (search === null) break;
        press.preventDefault();
        search.focus();
        break;
      }
      case "?":
        press.preventDefault();
        actions.help();
        break;
      case "t":
        actions.theme();
        break;
      case "j":
      case "k":
        moveInList(press);
        break;
    }
  };
  window.addEventListener("keydown", listener);
  return () => window.removeEventListener("keydown", listener);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** `j` and `k` move the focus through whatever the page marks as its list. */
function moveInList(press: KeyboardEvent): void {
  const items = [...document.querySelectorAll<HTMLElement>("[data-list-item]")];
  if (items.length === 0) return;
  press.preventDefault();
  const at = items.findIndex((item) => item === document.activeElement);
  const next = press.key === "j" ? at + 1 : Math.max(0, at - 1);
  items[Math.min(next, items.length - 1)]?.focus();
}

/** Dark, light, or what the system says; remembered. `theme.js` sets it before first paint. */

const STORED = "ringwall.theme";

export type Theme = "system" | "dark" | "light";

function remembered(): Theme {
  const theme = document.documentElement.dataset["theme"];
  return theme === "dark" || theme === "light" ? theme : "system";
}

const system = window.matchMedia("(prefers-color-scheme: dark)");

export const theme = $state({ choice: remembered(), systemDark: system.matches });

system.addEventListener("change", (change) => {
  theme.systemDark = change.matches;
});

/** What is shown now. */
export function isDark(): boolean {
  return theme.choice === "system" ? theme.systemDark : theme.choice === "dark";
}

/** The other one of what is shown; back on the system's choice when that is the same. */
export function toggleTheme(): void {
  const dark = !isDark();
  theme.choice = dark === theme.systemDark ? "system" : dark ? "dark" : "light";
  if (theme.choice === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.choice;
  try {
    if (theme.choice === "system") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, theme.choice);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}

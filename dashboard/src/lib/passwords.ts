/** Passwords as people choose them; the server decides again. */

/** The server takes no shorter one. */
export const PASSWORD_CHARS_MIN = 12;
export const PASSWORD_BYTES_MAX = 1024;

/** What is wrong with a new password that was written twice, or null. */
export function passwordFault(next: string, again: string): string | null {
  if ([...next].length < PASSWORD_CHARS_MIN) {
    return `At least ${PASSWORD_CHARS_MIN} characters. Four or five words that do not belong together are good.`;
  }
  if (new TextEncoder().encode(next).length > PASSWORD_BYTES_MAX) return "The password is too long.";
  if (new Set(next).size < 5) return "The password has too few different characters.";
  if (next !== again) return "The two are not the same.";
  return null;
}

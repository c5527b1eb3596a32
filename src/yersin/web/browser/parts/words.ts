// Translations of the browser modules: `_("Saved at %(time)s", { time })`. Strings are collected by the bundler.
declare global {
  // eslint-disable-next-line no-var
  var yersinWords: Record<string, string> | undefined;
}

export function _(text: string, values: Record<string, string | number> = {}): string {
  const translated = globalThis.yersinWords?.[text] ?? text;
  return translated.replace(/%\((\w+)\)s/g, (_whole, name: string) => String(values[name] ?? ""));
}

/** Letters as they are compared: no case, no marks, đ as d. */
export function fold(text: string): string {
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[đĐ]/g, "d")
    .toLowerCase();
}

export const clock = (moment: Date): string =>
  `${String(moment.getHours()).padStart(2, "0")}:${String(moment.getMinutes()).padStart(2, "0")}`;

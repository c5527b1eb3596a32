// Vital signs: each value is placed among the usual ones as it is typed, and body mass index worked out. The server decides.
import { forEach } from "@yersin/web/browser/parts/page";
import { _ } from "@yersin/web/browser/parts/words";

function read(input: HTMLInputElement | null): number | null {
  const text = input?.value.trim().replace(",", ".") ?? "";
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}

function limit(input: HTMLInputElement, name: string): number | null {
  const text = input.dataset[name];
  return text === undefined ? null : Number(text);
}

function place(input: HTMLInputElement, value: number): [string, string] {
  const at = (name: string): number | null => limit(input, name);
  const [least, most] = [at("least") ?? 0, at("most") ?? Infinity];
  if (value < least || value > most) return ["impossible", _("cannot be")];
  const [low, high, cl, ch] = [at("low"), at("high"), at("criticalLow"), at("criticalHigh")];
  if (ch !== null && value >= ch) return ["critical", "▲▲ " + _("critically high")];
  if (cl !== null && value <= cl) return ["critical", "▼▼ " + _("critically low")];
  if (high !== null && value > high) return ["unusual", "▲ " + _("high")];
  if (low !== null && value < low) return ["unusual", "▼ " + _("low")];
  return ["usual", ""];
}

function weigh(form: HTMLFormElement): void {
  const weight = read(form.querySelector<HTMLInputElement>("#f-weight"));
  const height = read(form.querySelector<HTMLInputElement>("#f-height"));
  const shown = form.querySelector<HTMLElement>("[data-bmi]");
  if (!shown) return;
  const index = weight && height && height > 19 ? weight / (height / 100) ** 2 : null;
  shown.textContent = index ? index.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 }) + " kg/m²" : "—";
}

forEach<HTMLInputElement>("input[data-vital]", (input) => {
  const state = input.closest(".vital")?.querySelector<HTMLElement>("[data-state]");
  const show = (): void => {
    const value = read(input);
    const [kind, words] = value === null ? ["usual", ""] : place(input, value);
    if (state) {
      state.textContent = words;
      state.dataset["kind"] = kind;
    }
    if (input.form) weigh(input.form);
  };
  input.addEventListener("input", show);
  input.addEventListener("change", show);
  show();
});

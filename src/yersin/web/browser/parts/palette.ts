// The command palette: filters its own entries at once without marks, asks the server for more after a pause.
import { send } from "./page";
import { fold } from "./words";

class Palette {
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private readonly none: HTMLElement | null;
  private readonly searchUrl: string;
  private timer = 0;
  private asked = 0;

  constructor(private readonly dialog: HTMLDialogElement) {
    this.input = dialog.querySelector("input") as HTMLInputElement;
    this.list = dialog.querySelector('[role="listbox"]') as HTMLElement;
    this.none = dialog.querySelector(".palette-none");
    this.searchUrl = dialog.dataset["search"] ?? "";
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("close", () => this.reset());
    this.reset();
  }

  private entries(): HTMLAnchorElement[] {
    return [...this.list.querySelectorAll<HTMLAnchorElement>('[role="option"]:not([hidden])')];
  }

  private reset(): void {
    this.input.value = "";
    this.forget();
    this.filter();
  }

  private forget(): void {
    for (const found of this.list.querySelectorAll("[data-found]")) found.remove();
  }

  private filter(): void {
    const wanted = fold(this.input.value).split(/\s+/).filter(Boolean);
    for (const entry of this.list.querySelectorAll<HTMLElement>('[role="option"]:not([data-found])')) {
      const words = fold(entry.dataset["words"] ?? "");
      entry.hidden = !wanted.every((word) => words.includes(word));
    }
    this.select(this.entries()[0]);
  }

  private select(entry: HTMLAnchorElement | undefined): void {
    for (const other of this.list.querySelectorAll('[aria-selected="true"]')) other.setAttribute("aria-selected", "false");
    entry?.setAttribute("aria-selected", "true");
    entry?.scrollIntoView({ block: "nearest" });
    if (entry) this.input.setAttribute("aria-activedescendant", entry.id);
    else this.input.removeAttribute("aria-activedescendant");
    if (this.none) this.none.hidden = entry !== undefined;
  }

  private typed(): void {
    this.filter();
    clearTimeout(this.timer);
    this.forget();
    if (!this.searchUrl || this.input.value.trim().length < 2) return;
    this.timer = window.setTimeout(() => void this.ask(), 350);
  }

  private async ask(): Promise<void> {
    const turn = ++this.asked;
    const answer = await send(this.searchUrl, new URLSearchParams({ q: this.input.value })).catch(() => null);
    if (!answer?.ok || turn !== this.asked) return;
    const made = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const entry of made.querySelectorAll<HTMLElement>('[role="option"]')) {
      entry.dataset["found"] = "";
      this.list.append(document.adoptNode(entry));
    }
    if (!this.list.querySelector('[aria-selected="true"]')) this.select(this.entries()[0]);
  }

  private key(event: KeyboardEvent): void {
    const entries = this.entries();
    const here = entries.findIndex((entry) => entry.getAttribute("aria-selected") === "true");
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.dialog.close();
      entries[here]?.click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : entries.length - 1;
      this.select(entries[(here + step) % Math.max(1, entries.length)]);
    }
  }
}

export function startPalette(): void {
  const dialog = document.querySelector<HTMLDialogElement>("dialog[data-palette]");
  if (dialog) new Palette(dialog);
}

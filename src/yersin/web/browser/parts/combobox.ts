// A field searched on the server (POST q, answered with role=option lines), after a pause or at once on Enter.
import { forEach, send } from "./page";

class Combobox {
  private readonly input: HTMLInputElement;
  private readonly value: HTMLInputElement;
  private readonly list: HTMLElement;
  private timer = 0;
  private asked = 0;

  constructor(private readonly box: HTMLElement) {
    this.input = box.querySelector('[role="combobox"]') as HTMLInputElement;
    this.value = box.querySelector('input[type="hidden"]') as HTMLInputElement;
    this.list = box.querySelector('[role="listbox"]') as HTMLElement;
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target instanceof Element && event.target.closest<HTMLElement>('[role="option"]');
      if (option) this.take(option);
    });
  }

  private options(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>('[role="option"]')];
  }

  private typed(): void {
    this.value.value = "";
    clearTimeout(this.timer);
    if (this.input.value.trim().length < Number(this.box.dataset["least"])) {
      this.close();
      return;
    }
    this.timer = window.setTimeout(() => void this.ask(), 350);
  }

  private async ask(): Promise<void> {
    const turn = ++this.asked;
    const url = this.box.dataset["combobox"] ?? "";
    const answer = await send(url, new URLSearchParams({ q: this.input.value })).catch(() => null);
    if (!answer?.ok || turn !== this.asked || document.activeElement !== this.input) return;
    const made = new DOMParser().parseFromString(await answer.text(), "text/html");
    this.list.replaceChildren(...[...made.body.children].map((child) => document.adoptNode(child)));
    this.options().forEach((option, index) => (option.id = `${this.list.id}-${index}`));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
  }

  private close(): void {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  private mark(option: HTMLElement | undefined): void {
    for (const other of this.options()) other.setAttribute("aria-selected", String(other === option));
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
  }

  private take(option: HTMLElement): void {
    this.input.value = option.dataset["label"] ?? option.textContent?.trim() ?? "";
    this.value.value = option.dataset["value"] ?? "";
    this.close();
    this.value.dispatchEvent(new Event("change", { bubbles: true }));
  }

  private key(event: KeyboardEvent): void {
    const options = this.options();
    const here = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) void this.ask();
      else this.mark(options[(here + (event.key === "ArrowDown" ? 1 : options.length - 1 + Number(here < 0))) % options.length]);
    } else if (event.key === "Enter" && !event.isComposing && !this.value.value) {
      event.preventDefault();
      const chosen = options[here];
      if (!this.list.hidden && chosen) this.take(chosen);
      else void this.ask();
    }
  }
}

export function startComboboxes(): void {
  forEach("[data-combobox]", (box) => void new Combobox(box));
}

// Keys: Ctrl/Cmd+K and `/` search, `?` help, `g` and a letter go to a menu line, single letters act. Never while typing.
import { openDialog } from "./dialog";
import { isTyping } from "./page";

let wentAt = 0;

function act(selector: string): boolean {
  const target = document.querySelector<HTMLElement>(selector);
  if (!target || target.hasAttribute("disabled")) return false;
  target.click();
  return true;
}

function open(id: string): boolean {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement) openDialog(dialog);
  return dialog !== null;
}

function search(): boolean {
  const own = document.querySelector<HTMLElement>("[data-search-first]");
  if (!own) return open("shell-palette");
  own.focus();
  return true;
}

function letter(key: string, now: number): boolean {
  if (key === "/") return search();
  if (key === "?") return fillHelp() && open("shell-help");
  if (!/^[a-z0-9]$/.test(key)) return false;
  if (now - wentAt < 1500) {
    wentAt = 0;
    return act(`[data-go="${key}"]`);
  }
  if (key === "g") {
    wentAt = now;
    return true;
  }
  return act(`[data-key="${key}"]`);
}

function fillHelp(): boolean {
  const list = document.querySelector("[data-help-page]");
  if (!list) return true;
  list.replaceChildren();
  for (const target of document.querySelectorAll<HTMLElement>("[data-go], [data-key]")) {
    const line = document.createElement("div");
    const keys = document.createElement("dt");
    for (const name of target.dataset["go"] ? ["G", target.dataset["go"]] : [target.dataset["key"] ?? ""]) {
      const key = document.createElement("kbd");
      key.textContent = name.toUpperCase();
      keys.append(key, " ");
    }
    const words = document.createElement("dd");
    words.textContent = (target.querySelector("span") ?? target).textContent?.trim() ?? "";
    line.append(keys, words);
    list.append(line);
  }
  return true;
}

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || event.altKey) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open("shell-palette");
      return;
    }
    if (event.shiftKey && event.key === "Enter" && event.target instanceof HTMLElement) {
      const form = event.target.closest("form");
      if (form) {
        event.preventDefault();
        form.requestSubmit(form.querySelector<HTMLButtonElement>("button.primary[type=submit]"));
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (letter(event.key.toLowerCase(), Date.now())) event.preventDefault();
  });
}

// Finding and making elements of the call page.
import { iconMarkup } from "@yersin/web/browser/parts/page";

export function find<T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T {
  const found = root.querySelector<T>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = "", ...inside: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...inside);
  return made;
}

export function button(label: string, icon: string, kind: string, act: () => void): HTMLButtonElement {
  const made = make("button", `button small ${kind}`, iconMarkup(icon), make("span", "", label));
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

export const minutes = (seconds: number): string => {
  const two = (number: number): string => String(Math.floor(number)).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return `${hours ? `${hours}:` : ""}${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
};

// The people search: arrow keys walk the results, Enter opens the first, what was typed is still there on coming back.
import { forEach } from "@yersin/web/browser/parts/page";

const KEPT = "people-q";

function results(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("#found [data-result]")];
}

function step(event: KeyboardEvent, input: HTMLInputElement): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const all = results();
  const here = all.indexOf(document.activeElement as HTMLElement);
  if (document.activeElement !== input && here < 0) return;
  event.preventDefault();
  const next = event.key === "ArrowDown" ? here + 1 : here - 1;
  (next < 0 ? input : all[Math.min(next, all.length - 1)])?.focus();
}

forEach<HTMLFormElement>("[data-find]", (form) => {
  const input = form.querySelector<HTMLInputElement>("input[type=search]");
  if (!input) return;
  let shown = input.value;
  const before = sessionStorage.getItem(KEPT);
  if (!input.value && before) {
    input.value = before;
    input.select();
    queueMicrotask(() => input.dispatchEvent(new Event("find")));
  }
  document.addEventListener("htmx:afterSwap", () => {
    shown = input.value;
    sessionStorage.setItem(KEPT, shown);
  });
  document.addEventListener("keydown", (event) => step(event, input));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = results()[0];
    if (shown === input.value && first instanceof HTMLAnchorElement) first.click();
    else if (shown === input.value && first) first.focus();
    else input.dispatchEvent(new Event("find"));
  });
});

document.addEventListener("click", (event) => {
  const opener = event.target instanceof Element && event.target.closest<HTMLElement>("[data-here]");
  const form = document.querySelector<HTMLFormElement>("[data-here-form]");
  if (!opener || !form) return;
  form.action = `/people/${encodeURIComponent(opener.dataset["here"] ?? "")}/here`;
  const name = form.querySelector("[data-here-name]");
  if (name) name.textContent = opener.dataset["name"] ?? "";
});
document.querySelector("form[data-sign-out]")?.addEventListener("submit", () => sessionStorage.removeItem(KEPT));

// The people search: arrow keys walk the results, Enter opens the first, what was typed is still there on coming back.
// What was found is told to screen readers in one sentence; the list itself is no live region, or all of it would be read.
import { account, forEach } from "@yersin/web/browser/parts/page";

const KEPT = `people-q:${account()}`;

function results(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("#found [data-result]")];
}

/** The text that the results on the page are for; an answer overtaken by a newer question never gets here. */
function answered(): string {
  return document.getElementById("found")?.dataset["q"] ?? "";
}

function target(key: string, all: HTMLElement[], here: number, input: HTMLElement): HTMLElement | undefined {
  if (key === "ArrowDown") return all[Math.min(here + 1, all.length - 1)];
  if (key === "ArrowUp") return here > 0 ? all[here - 1] : input;
  if (here < 0) return undefined; // in the field these keys have their usual meaning
  if (key === "Home") return all[0];
  if (key === "End") return all[all.length - 1];
  return key === "Escape" ? input : undefined;
}

function step(event: KeyboardEvent, input: HTMLInputElement): void {
  const all = results();
  const here = all.indexOf(document.activeElement as HTMLElement);
  if (here < 0 && document.activeElement !== input) return;
  const next = target(event.key, all, here, input);
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function say(): void {
  const place = document.querySelector("[data-find-said]");
  const words = document.getElementById("found")?.dataset["said"] ?? "";
  if (place && place.textContent !== words) place.textContent = words;
}

forEach<HTMLFormElement>("[data-find]", (form) => {
  const input = form.querySelector<HTMLInputElement>("input[type=search]");
  if (!input) return;
  const before = sessionStorage.getItem(KEPT);
  if (!input.value && before) {
    input.value = before;
    input.select();
    queueMicrotask(() => input.dispatchEvent(new Event("find")));
  }
  document.addEventListener("htmx:afterSwap", () => {
    sessionStorage.setItem(KEPT, answered());
    say();
  });
  document.addEventListener("keydown", (event) => step(event, input));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = results()[0];
    const isAnswered = answered() === input.value.trim();
    if (isAnswered && first instanceof HTMLAnchorElement) first.click();
    else if (isAnswered && first) first.focus();
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

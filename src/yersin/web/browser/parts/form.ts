// Forms: sent once, focus on what is wrong, dates completed while typing, passwords shown on demand, leaving asks first.
import { forEach } from "./page";
import { _ } from "./words";

const BUSY = "busy";

function sendOnce(form: HTMLFormElement): void {
  form.addEventListener("submit", (event) => {
    if (form.dataset[BUSY]) {
      event.preventDefault();
      return;
    }
    form.dataset[BUSY] = "yes";
    form.dataset["sent"] = "yes";
    const button = event.submitter;
    setTimeout(() => button instanceof HTMLButtonElement && hold(button), 0);
  });
  const again = (): void => release(form);
  form.addEventListener("htmx:afterRequest", again);
  window.addEventListener("pageshow", again);
}

function hold(button: HTMLButtonElement): void {
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
}

function release(form: HTMLFormElement): void {
  delete form.dataset[BUSY];
  for (const button of form.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
  }
}

/** 14081962 becomes 14/08/1962 when the field is left; nothing jumps while typing. */
function completeDate(input: HTMLInputElement): void {
  input.addEventListener("change", () => {
    const found = /^(\d{1,2})[/.\-\s]?(\d{1,2})[/.\-\s]?(\d{4})$/.exec(input.value.trim());
    if (found?.[1] && found[2]) input.value = `${found[1].padStart(2, "0")}/${found[2].padStart(2, "0")}/${found[3]}`;
  });
}

function secret(box: HTMLElement): void {
  const input = box.querySelector("input");
  const reveal = box.querySelector<HTMLButtonElement>("[data-reveal]");
  const caps = box.parentElement?.querySelector<HTMLElement>("[data-caps]");
  if (!input || !reveal) return;
  reveal.hidden = false;
  reveal.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(shown));
    reveal.setAttribute("aria-label", shown ? _("Hide password") : _("Show password"));
  });
  input.form?.addEventListener("submit", () => (input.type = "password"));
  const watch = (event: KeyboardEvent): void => {
    if (caps) caps.hidden = !event.getModifierState?.("CapsLock");
  };
  input.addEventListener("keydown", watch);
  input.addEventListener("keyup", watch);
  input.addEventListener("blur", () => caps && (caps.hidden = true));
}

function guardLeaving(): void {
  document.addEventListener("input", (event) => {
    const form = event.target instanceof HTMLElement && event.target.closest<HTMLFormElement>("form[data-guard]");
    if (form && event.isTrusted) form.dataset["touched"] = "yes";
  });
  window.addEventListener("beforeunload", (event) => {
    const unsent = document.querySelector("form[data-guard][data-touched]:not([data-sent])");
    if (unsent && !unsent.hasAttribute("data-draft-safe")) event.preventDefault();
  });
}

export function startForms(): void {
  forEach<HTMLFormElement>("form[data-once]", sendOnce);
  forEach<HTMLInputElement>("input[data-date]", completeDate);
  forEach("[data-secret]", secret);
  forEach("[data-focus-first]", (element) => element.focus());
  guardLeaving();
}

// Messages in the corner: they leave by themselves unless the pointer or the focus is on them; errors stay.
import { iconMarkup, forEach } from "./page";
import { _ } from "./words";

type Kind = "ok" | "info" | "warn" | "danger";
// icon: "circle-check" icon: "info" icon: "triangle-alert" icon: "octagon-alert" icon: "x"
const MARKS: Record<Kind, string> = { ok: "circle-check", info: "info", warn: "triangle-alert", danger: "octagon-alert" };

export function toast(text: string, kind: Kind = "ok"): void {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  box.setAttribute("role", kind === "danger" ? "alert" : "status");
  box.dataset["toast"] = "";
  const words = document.createElement("span");
  words.className = "grow";
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button only-icon quiet";
  close.dataset["dismiss"] = "";
  close.setAttribute("aria-label", _("Dismiss"));
  close.append(iconMarkup("x"));
  box.append(iconMarkup(MARKS[kind]), words, close);
  document.getElementById("toasts")?.append(box);
  leave(box);
}

function leave(box: HTMLElement): void {
  if (box.classList.contains("danger")) return;
  const timer = setInterval(() => {
    if (box.matches(":hover, :focus-within")) return;
    clearInterval(timer);
    box.remove();
  }, 7000);
}

export function startToasts(): void {
  forEach("[data-toast]", leave);
  document.addEventListener("click", (event) => {
    const dismiss = event.target instanceof Element && event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".toast")?.remove();
  });
}

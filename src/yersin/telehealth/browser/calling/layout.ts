// The page's shape: waiting room or call; the video beside a panel with tabs, and a border to drag between them. On narrow
// screens one of the two fills the page: with the panel the video floats small above it.
import { find } from "./dom";

const WIDTH = "call:width";

export class Layout {
  private readonly live_ = find("[data-live]");
  private readonly tabs = [...document.querySelectorAll<HTMLElement>("[data-side-tab]")];
  private readonly chosen = new Map<string, () => void>();
  private readonly handle = find("[data-split]");
  private readonly narrow = matchMedia("(max-width: 60rem)");

  constructor() {
    for (const tab of this.tabs) {
      tab.addEventListener("click", () => this.choose(tab.dataset["sideTab"] ?? "", false));
      tab.addEventListener("keydown", (event) => this.key(event, tab));
    }
    this.handle.addEventListener("pointerdown", (event) => this.drag(event));
    this.handle.addEventListener("keydown", (event) => this.nudge(event));
    const kept = Number(localStorage.getItem(WIDTH));
    if (kept) this.width(kept);
    const first = this.tabs.find((tab) => !tab.hidden);
    if (first) this.choose(first.dataset["sideTab"] ?? "", false);
    this.narrow.addEventListener("change", () => this.seen());
  }

  live(on: boolean): void {
    find("[data-lobby]").hidden = on;
    this.live_.hidden = !on;
    document.body.classList.toggle("in-call", on);
    this.seen();
  }

  /** On a narrow screen: the panel over the page, or the video again. */
  swap(panel = this.live_.dataset["view"] !== "panel"): void {
    this.live_.dataset["view"] = panel ? "panel" : "video";
    for (const key of document.querySelectorAll(".to-panel")) key.setAttribute("aria-pressed", String(panel));
    this.seen();
  }

  over(): void {
    this.live(false);
    find("[data-lobby]").hidden = true;
    find("[data-over]").hidden = false;
    find("[data-over] h1").focus();
  }

  shows(name: string): boolean {
    return (document.querySelector(`[data-side="${name}"]`)?.getClientRects().length ?? 0) > 0;
  }

  onChosen(name: string, act: () => void): void {
    this.chosen.set(name, act);
  }

  choose(name: string, focus: boolean): void {
    for (const tab of this.tabs) {
      const here = tab.dataset["sideTab"] === name;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      find(`[data-side="${tab.dataset["sideTab"]}"]`).hidden = !here;
      if (here && focus) tab.focus();
    }
    this.seen();
  }

  /** Tell whoever waits for it that their panel is in sight. */
  private seen(): void {
    for (const [name, act] of this.chosen) if (this.shows(name)) act();
  }

  count(name: string, number: number): void {
    for (const mark of document.querySelectorAll<HTMLElement>(`[data-unread="${name}"]`)) {
      mark.textContent = String(number);
      mark.hidden = number === 0;
    }
  }

  private key(event: KeyboardEvent, tab: HTMLElement): void {
    const shown = this.tabs.filter((each) => !each.hidden);
    const move = { ArrowRight: 1, ArrowLeft: shown.length - 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const next = shown[(shown.indexOf(tab) + move) % shown.length];
    if (next) this.choose(next.dataset["sideTab"] ?? "", true);
  }

  private width(share: number): void {
    const kept = Math.max(28, Math.min(75, share));
    this.live_.style.setProperty("--stage", `${kept}%`);
    this.handle.setAttribute("aria-valuenow", String(Math.round(kept)));
    localStorage.setItem(WIDTH, String(kept));
  }

  private drag(event: PointerEvent): void {
    event.preventDefault();
    this.handle.setPointerCapture(event.pointerId);
    const box = this.live_.getBoundingClientRect();
    const move = (moved: PointerEvent): void => this.width(((moved.clientX - box.left) / box.width) * 100);
    this.handle.addEventListener("pointermove", move);
    this.handle.addEventListener("lostpointercapture", () => this.handle.removeEventListener("pointermove", move), { once: true });
  }

  private nudge(event: KeyboardEvent): void {
    const by = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.width(Number(this.handle.getAttribute("aria-valuenow")) + by);
  }
}

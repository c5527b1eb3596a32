// Tabs after the ARIA authoring practices: arrows, Home and End move, the panel follows.
import { forEach } from "./page";

function choose(tabs: HTMLElement[], wanted: HTMLElement): void {
  for (const tab of tabs) {
    const chosen = tab === wanted;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls") ?? "")?.toggleAttribute("hidden", !chosen);
  }
  wanted.focus();
}

export function startTabs(): void {
  forEach("[data-tabs]", (box) => {
    const tabs = [...box.querySelectorAll<HTMLElement>('[role="tab"]')];
    box.addEventListener("click", (event) => {
      const tab = event.target instanceof Element && event.target.closest<HTMLElement>('[role="tab"]');
      if (tab) choose(tabs, tab);
    });
    box.addEventListener("keydown", (event) => {
      const here = tabs.indexOf(event.target as HTMLElement);
      if (here < 0) return;
      const last = tabs.length - 1;
      const moves: Record<string, number> = { ArrowRight: here === last ? 0 : here + 1, ArrowLeft: here === 0 ? last : here - 1, Home: 0, End: last };
      const next = tabs[moves[event.key] ?? -1];
      if (!next) return;
      event.preventDefault();
      choose(tabs, next);
    });
  });
}

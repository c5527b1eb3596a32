// The patient's chart beside the video: the chart's own pages in a frame, opened when they are first looked at, so that
// access and audit are those of the chart. What leads out of the chart opens elsewhere: the call goes on.

export class RecordFrame {
  private readonly frame = document.querySelector<HTMLIFrameElement>("iframe[data-record]");
  private readonly place = this.frame?.dataset["record"] ?? "";

  constructor() {
    this.frame?.addEventListener("load", () => this.opened());
  }

  /** Open the chart; a second time nothing happens, and the person finds it where they left it. */
  open(): void {
    if (this.frame && !this.frame.hasAttribute("src")) this.frame.src = this.place;
  }

  private opened(): void {
    const inside = this.frame?.contentDocument;
    if (!this.frame?.hasAttribute("src") || !inside) return;
    document.querySelector("[data-record-wait]")?.setAttribute("hidden", "");
    inside.addEventListener("click", (event) => this.kept(event, "a[href]"), true);
    inside.addEventListener("submit", (event) => this.kept(event, "form"), true);
    inside.addEventListener("keydown", (event) => this.pass(event));
  }

  /** Letters that mean nothing in the chart are those of the call: who reads a result can still mute with one key. */
  private pass(event: KeyboardEvent): void {
    const typing = (event.target as Element | null)?.closest?.("input, textarea, select, [contenteditable], .viewer-stage");
    if (typing || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !/^[a-z]$/.test(event.key)) return;
    document.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
  }

  private kept(event: Event, selector: string): void {
    // Elements of another document are of another realm, so they are asked and not tested by class.
    const found = (event.target as Element | null)?.closest?.(selector) as HTMLAnchorElement | HTMLFormElement | null | undefined;
    if (!found) return;
    const address = new URL("action" in found ? String(found.getAttribute("action") ?? "") : found.href, found.ownerDocument.URL);
    if (!this.stays(address)) found.target = "_blank";
  }

  private stays({ origin, pathname }: URL): boolean {
    const within = pathname === this.place || pathname.startsWith(`${this.place}/`);
    return origin === location.origin && within && !pathname.includes("/files/");
  }
}

// htmx with morphing swaps, a line that shows something is under way, and a note when the connection is gone.
import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import { _ } from "./words";
import { toast } from "./toast";

declare global {
  interface Window {
    htmx: typeof htmx;
  }
}
window.htmx = htmx;

htmx.defineExtension("morph", {
  isInlineSwap: (style: string) => style === "morph" || style.startsWith("morph:"),
  handleSwap: (style: string, target: Node, fragment: Node) => {
    if (style !== "morph" && !style.startsWith("morph:")) return [];
    const morphStyle = style === "morph:innerHTML" ? "innerHTML" : "outerHTML";
    const content = fragment instanceof DocumentFragment ? [...fragment.children] : fragment;
    return Idiomorph.morph(target as Element, content as never, { morphStyle }) as Node[];
  },
} as never);

let running = 0;
function show(change: number): void {
  running = Math.max(0, running + change);
  const line = document.getElementById("progress");
  setTimeout(() => line?.classList.toggle("on", running > 0), running > 0 ? 250 : 0);
}
document.addEventListener("htmx:beforeRequest", () => show(1));
document.addEventListener("htmx:afterRequest", () => show(-1));
document.addEventListener("htmx:sendError", () => toast(_("No connection. Nothing was lost; try again in a moment."), "warn"));

function online(): void {
  document.body.classList.toggle("is-offline", !navigator.onLine);
}
window.addEventListener("online", online);
window.addEventListener("offline", online);
online();

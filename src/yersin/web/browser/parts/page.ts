// Small things several modules need: the CSRF token, safe storage, and starting on content that arrives later.
export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

export async function send(url: string, body: BodyInit, type?: string, keepalive = false): Promise<Response> {
  const headers: Record<string, string> = { "x-csrf-token": csrfToken() };
  if (type) headers["content-type"] = type;
  return fetch(url, { method: "POST", body, headers, credentials: "same-origin", keepalive });
}

/** Run for each matching element now and for those htmx brings later, once each. */
export function forEach<T extends HTMLElement>(selector: string, start: (element: T) => void): void {
  const done = new WeakSet<T>();
  const visit = (root: ParentNode): void => {
    const found = [...root.querySelectorAll<T>(selector)];
    if (root instanceof HTMLElement && root.matches(selector)) found.unshift(root as T);
    for (const element of found) {
      if (done.has(element)) continue;
      done.add(element);
      start(element);
    }
  };
  visit(document);
  document.addEventListener("htmx:load", (event) => {
    if (event.target instanceof HTMLElement) visit(event.target);
  });
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit", "file"].includes(target.type);
}

export function iconMarkup(name: string): SVGSVGElement {
  const sprite = document.querySelector("svg.icon use")?.getAttribute("href")?.split("#")[0] ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** Opaque mark of the account signed in, empty for nobody: what is kept on this device is kept by it. */
export function account(): string {
  return document.body.dataset["account"] ?? "";
}

// Sends one file piece by piece. A cut costs one piece: it waits for the network and goes on from where the server is.
// The contract is that of imaging/requests.py. Only an opaque id is kept on this device, so that a reload can go on too.
import { csrfToken } from "../../../web/browser/parts/page";
import { _ } from "../../../web/browser/parts/words";
import type { Line } from "./line";

interface State {
  id: string;
  offset: number;
  piece: number;
  state: "open" | "kept";
}

interface Finished {
  state: "ready" | "confirm";
  href?: string;
  resource?: string;
  warnings?: { vi: string; en: string }[];
}

class Refused extends Error {}
class SignedOut extends Refused {}
class Elsewhere extends Error {}
class Gone extends Error {}

const PATIENCE = 30_000;
const SLOWEST = 8; // bytes in a millisecond; below it a piece counts as lost
const LONGEST_WAIT = 30_000;

function hex(bytes: ArrayBuffer): string {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function digest(bytes: BufferSource): Promise<string> {
  return hex(await crypto.subtle.digest("SHA-256", bytes));
}

/** Small pieces on a slow line, where a large one might never arrive whole. */
function pieceSize(): number {
  const line = (navigator as Navigator & { connection?: { effectiveType?: string } }).connection?.effectiveType;
  return line && line !== "4g" ? 128 * 1024 : 1024 * 1024;
}

/** Wait, but no longer than until the network is back. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    window.addEventListener("online", () => resolve(), { once: true, signal });
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

export class Sending {
  private readonly stopped = new AbortController();
  private id = "";
  private failures = 0;
  private memory = "";

  constructor(
    private readonly prefix: string,
    private readonly file: File,
    private readonly about: Record<string, string>,
    private readonly line: Line,
  ) {}

  /** Send it to the end. Resolves when there is nothing left to do without the person. */
  async run(): Promise<void> {
    this.failures = 0;
    const cancel: [string, () => void] = [_("Cancel"), () => void this.cancel()];
    while (!this.stopped.signal.aborted) {
      try {
        this.line.say("sending", "", [cancel]);
        await this.send();
        this.line.say("checking", _("Checking…"), [cancel]);
        return await this.finish(false);
      } catch (error) {
        if (this.stopped.signal.aborted) return;
        if (error instanceof SignedOut) return this.signedOut(error.message);
        if (error instanceof Refused) return this.refuse(error.message);
        await this.wait(error, cancel);
      }
    }
  }

  private refuse(words: string): void {
    this.forget();
    this.line.say("refused", words, [[_("Remove"), () => this.line.item.remove()]]);
  }

  private signedOut(words: string): void {
    this.line.say("failed", words, [[_("Try now"), () => void this.run()], [_("Cancel"), () => void this.cancel()]]);
  }

  private async wait(error: unknown, cancel: [string, () => void]): Promise<void> {
    if (error instanceof Gone) {
      this.forget();
      this.id = "";
    }
    this.failures += 1;
    const words = navigator.onLine ? _("The server does not answer. Sending goes on by itself.") : _("No network. Sending goes on by itself when it is back.");
    this.line.say("waiting", words, [[_("Try now"), () => window.dispatchEvent(new Event("online"))], cancel]);
    const again = error instanceof Elsewhere && this.failures < 5 ? 0 : Math.min(LONGEST_WAIT, 500 * 2 ** this.failures);
    await pause(again, this.stopped.signal);
  }

  private async send(): Promise<void> {
    let state = await this.begin();
    while (state.state === "open" && state.offset < this.file.size) {
      const content = await this.file.slice(state.offset, state.offset + state.piece).arrayBuffer();
      const headers = { "content-type": "application/octet-stream", "upload-offset": String(state.offset), "upload-digest": await digest(content) };
      state = await this.ask<State>(`/${this.id}/pieces`, { method: "POST", headers, body: content });
      this.failures = 0;
      this.line.progress(state.offset);
    }
  }

  private async begin(): Promise<State> {
    this.memory ||= `upload:${await digest(new TextEncoder().encode([this.prefix, this.file.name, this.file.size, this.file.lastModified].join("|")))}`;
    this.id ||= localStorage.getItem(this.memory) ?? "";
    if (this.id) {
      const state = await this.ask<State>(`/${this.id}`, { method: "GET" });
      this.line.progress(state.offset);
      return state;
    }
    const wish = { name: this.file.name.slice(0, 255), size: this.file.size, piece: pieceSize(), about: this.about };
    const state = await this.ask<State>("", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wish) });
    this.id = state.id;
    try {
      localStorage.setItem(this.memory, this.id);
    } catch {
      // Storage may be full or forbidden; then a reload starts again.
    }
    return state;
  }

  private async finish(confirmed: boolean): Promise<void> {
    const headers = { "content-type": "application/json" };
    const done = await this.ask<Finished>(`/${this.id}/finish`, { method: "POST", headers, body: JSON.stringify({ confirmed }) });
    if (done.state === "confirm") return this.confirm(done.warnings ?? []);
    this.forget();
    this.line.say("ready", _("In the chart"));
    if (done.href) this.line.link(done.href);
    this.line.item.dispatchEvent(new CustomEvent("attached", { bubbles: true, detail: { id: this.id, resource: done.resource, href: done.href } }));
  }

  private confirm(warnings: { vi: string; en: string }[]): void {
    const words = warnings.map((warning) => (document.documentElement.lang === "en" ? warning.en : warning.vi));
    const anyway = async (): Promise<void> => {
      this.line.say("checking", _("Checking…"));
      await this.finish(true).catch((error: unknown) => (error instanceof Refused ? this.refuse(error.message) : this.confirm(warnings)));
    };
    this.line.say("confirm", _("This may be another person's image. Attach it only if you are sure."), [[_("Attach to this chart"), () => void anyway()], [_("Do not attach"), () => void this.cancel()]], words);
  }

  private async cancel(): Promise<void> {
    const id = this.id;
    this.stopped.abort();
    this.forget();
    this.line.item.remove();
    if (id) await fetch(`${this.prefix}/${id}/cancel`, { method: "POST", headers: { "x-csrf-token": csrfToken() }, keepalive: true }).catch(() => null);
  }

  private forget(): void {
    if (this.memory) localStorage.removeItem(this.memory);
  }

  private async ask<T>(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<T> {
    const patience = path.endsWith("/finish") ? 10 * PATIENCE : PATIENCE + (init.body instanceof ArrayBuffer ? init.body.byteLength / SLOWEST : 0);
    const signal = "any" in AbortSignal ? AbortSignal.any([this.stopped.signal, AbortSignal.timeout(patience)]) : this.stopped.signal;
    const headers = { accept: "application/json", "x-csrf-token": csrfToken(), ...init.headers };
    const answer = await fetch(this.prefix + path, { ...init, headers, signal, credentials: "same-origin", cache: "no-store" });
    const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
    if (answer.ok && isJson) return (await answer.json()) as T;
    if (answer.status === 401 || answer.redirected) throw new SignedOut(_("You are signed out. Sign in again in another tab, then try now: sending goes on from where it was."));
    if (answer.status === 409) throw new Elsewhere();
    if (answer.status === 404 && this.id) throw new Gone();
    if (answer.status === 507 || (answer.status < 500 && answer.status !== 429 && answer.status !== 408)) throw new Refused(isJson ? ((await answer.json()) as { text?: string }).text : _("The server refused this file."));
    throw new Error(String(answer.status));
  }
}

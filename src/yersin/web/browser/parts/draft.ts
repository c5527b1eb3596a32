// Drafts: a form with data-draft="key" is kept as it is typed, here at once and on the server after a pause, and restored.
// Never passwords, files or tokens. The key is opaque. A newer copy from another tab or device is noted, never overwritten.
// Several people share a device: each account has its own drafts. When another one comes, what the server holds of the
// first is removed here; what it does not hold yet is kept for a day, for its owner alone.
import { account, forEach, iconMarkup, send } from "./page";
import { _, clock } from "./words";

interface Draft {
  key: string;
  version: number;
  values: Record<string, string[]>;
  saved_at: string;
  on_server?: boolean;
}

const PREFIX = "draft:";
const DAY = 24 * 3600 * 1000;
const LEFT_OUT = new Set(["csrf_token", "idempotency_key"]);
const channel = "BroadcastChannel" in window ? new BroadcastChannel("drafts") : null;

function nameOf(key: string): string {
  return `${PREFIX}${account()}:${key}`;
}

function read(name: string): Draft | null {
  try {
    const found = JSON.parse(localStorage.getItem(name) ?? "null") as Draft | null;
    return found && Date.now() - Date.parse(found.saved_at) < DAY ? found : null;
  } catch {
    return null;
  }
}

function toDisk(draft: Draft): void {
  try {
    localStorage.setItem(nameOf(draft.key), JSON.stringify(draft));
  } catch {
    // Storage may be full or forbidden; the server copy remains.
  }
}

/** Forget drafts kept on this device: one's own on signing out; at every start stale ones, and those of others that the server holds. */
export function forgetLocal(own: boolean): void {
  for (const name of Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) {
    const mine = name.startsWith(nameOf(""));
    const draft = read(name);
    if (!draft || (mine ? own : account() && draft.on_server)) localStorage.removeItem(name);
  }
}

/** No copy of a draft remains, here or on the server. */
function forget(key: string): void {
  localStorage.removeItem(nameOf(key));
  void send(`/drafts/${encodeURIComponent(key)}/discard`, "").catch(() => null);
}

class Keeper {
  private version = 0;
  private timer = 0;
  private conflict = false;
  private done = false;
  private readonly key: string;
  private readonly untouched: string;
  private readonly state: HTMLElement | null;

  constructor(private readonly form: HTMLFormElement) {
    this.key = form.dataset["draft"] ?? "";
    this.state = form.querySelector("[data-draft-state]");
    this.untouched = JSON.stringify(this.values());
    form.addEventListener("input", () => this.touched());
    form.addEventListener("change", () => this.touched());
    form.addEventListener("htmx:afterRequest", (event) => this.answered(event as CustomEvent));
    channel?.addEventListener("message", (event: MessageEvent<{ name: string }>) => this.elsewhere(event.data.name));
    void this.begin();
  }

  private fields(): (HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement)[] {
    return [...this.form.querySelectorAll<HTMLInputElement>("input[name], textarea[name], select[name]")].filter(
      (field) => !LEFT_OUT.has(field.name) && !["password", "file"].includes(field.type) && !field.closest("[data-secret], [data-no-draft]"),
    );
  }

  private values(): Record<string, string[]> {
    const values: Record<string, string[]> = {};
    for (const field of this.fields()) {
      if (field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type) && !field.checked) continue;
      (values[field.name] ??= []).push(field.value);
    }
    return values;
  }

  private async begin(): Promise<void> {
    const local = read(nameOf(this.key));
    if (local) this.restore(local);
    const answer = await fetch(`/drafts/${encodeURIComponent(this.key)}`, { headers: { accept: "application/json" } }).catch(() => null);
    if (answer?.status !== 200) return;
    const remote = (await answer.json()) as Draft;
    if (!this.form.dataset["touched"] && remote.version > this.version) this.restore(remote);
    else this.version = Math.max(this.version, remote.version);
  }

  private restore(draft: Draft): void {
    this.version = draft.version;
    if (JSON.stringify(draft.values) === this.untouched) return;
    const left = new Map(Object.entries(draft.values).map(([name, values]) => [name, [...values]]));
    for (const field of this.fields()) {
      if (field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type)) {
        field.checked = draft.values[field.name]?.includes(field.value) ?? false;
      } else if (left.has(field.name)) field.value = left.get(field.name)?.shift() ?? "";
    }
    this.form.setAttribute("data-draft-safe", "");
    this.notice(_("A draft from %(moment)s was restored. Nothing has been sent yet.", { moment: clock(new Date(draft.saved_at)) }), true);
  }

  private touched(): void {
    if (this.done) return;
    this.version += 1;
    const draft = { key: this.key, version: this.version, values: this.values(), saved_at: new Date().toISOString() };
    toDisk(draft);
    this.form.setAttribute("data-draft-safe", "");
    channel?.postMessage({ name: nameOf(this.key) });
    this.say(_("Kept on this device at %(time)s", { time: clock(new Date()) }));
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.upload(draft), 1500);
  }

  private async upload(draft: Draft): Promise<void> {
    if (this.conflict || this.done) return;
    const { key, version, values } = draft;
    const answer = await send("/drafts", JSON.stringify({ key, version, values }), "application/json").catch(() => null);
    if (answer?.ok) {
      if (this.version === version && !this.done) toDisk({ ...draft, on_server: true });
      this.say(_("Draft saved at %(time)s", { time: clock(new Date()) }));
    } else if (answer?.status === 409) this.elsewhere(nameOf(key));
  }

  private elsewhere(name: string): void {
    if (name !== nameOf(this.key) || this.conflict) return;
    this.conflict = true;
    this.notice(_("This draft is being changed in another tab or on another device. Only one of them will be kept."), false);
  }

  private answered(event: CustomEvent<{ successful: boolean; elt: Element; xhr?: XMLHttpRequest }>): void {
    if (event.detail.elt === this.form && event.detail.successful && event.detail.xhr?.status !== 422) this.clear();
  }

  /** The work is done or the person discards: no copy remains anywhere. */
  private clear(): void {
    this.done = true;
    clearTimeout(this.timer);
    forget(this.key);
  }

  private say(text: string): void {
    if (this.state) this.state.textContent = text;
  }

  private notice(text: string, discard: boolean): void {
    const box = document.createElement("div");
    box.className = "draft-notice";
    box.setAttribute("role", "status");
    const words = document.createElement("span");
    words.className = "grow";
    words.textContent = text;
    box.append(iconMarkup("history"), words);
    if (discard) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button small";
      button.textContent = _("Discard draft");
      button.addEventListener("click", () => {
        this.clear();
        this.form.dataset["sent"] = "yes";
        location.reload();
      });
      box.append(button);
    }
    this.form.prepend(box);
  }
}

/** Whoever comes next on this device finds neither drafts nor what was searched for. */
function signedOut(): void {
  forgetLocal(true);
  sessionStorage.clear();
}

export function startDrafts(): void {
  forgetLocal(false);
  forEach<HTMLFormElement>("form[data-draft]", (form) => void new Keeper(form));
  forEach<HTMLElement>("[data-draft-done]", (mark) => forget(mark.dataset["draftDone"] ?? ""));
  forEach<HTMLFormElement>("form[data-sign-out]", (form) => form.addEventListener("submit", () => signedOut()));
}

// The line of one file in the list: its name, size, progress, state in words and what can be done about it.
import { _ } from "../../../web/browser/parts/words";

export function readable(bytes: number): string {
  const format = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
  return bytes < 1e6 ? `${format.format(Math.max(1, Math.round(bytes / 1e3)))} kB` : `${format.format(bytes / 1e6)} MB`;
}

function text(tag: string, className: string, content: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

export type Action = [label: string, act: () => void];

export class Line {
  readonly item = document.createElement("li");
  private readonly bar = document.createElement("progress");
  private readonly state = text("span", "upload-state", "");
  private readonly warnings = document.createElement("ul");
  private readonly actions = text("span", "upload-actions", "");
  private readonly name: HTMLElement;

  constructor(place: Element, private readonly file: File) {
    this.item.className = "upload-item attach-item";
    this.name = text("span", "grow truncate", file.name);
    this.bar.max = file.size;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", _("Sent of %(name)s", { name: file.name }));
    this.warnings.className = "attach-warnings";
    this.warnings.hidden = true;
    this.item.append(this.name, text("small", "muted", readable(file.size)), this.bar, this.state, this.warnings, this.actions);
    place.append(this.item);
  }

  progress(bytes: number): void {
    this.bar.value = bytes;
  }

  /** Say a state; the progress bar stays only while there is something to wait for. */
  say(state: string, words: string, actions: Action[] = [], warnings: string[] = []): void {
    this.item.dataset["state"] = state;
    this.state.textContent = words;
    this.state.classList.toggle("error", state === "refused" || state === "failed");
    this.bar.hidden = !["sending", "waiting", "checking"].includes(state);
    this.warnings.hidden = warnings.length === 0;
    this.warnings.replaceChildren(...warnings.map((warning) => text("li", "", warning)));
    this.actions.replaceChildren(...actions.map(([label, act]) => this.button(label, act)));
  }

  link(href: string): void {
    const link = document.createElement("a");
    link.className = "link grow truncate";
    link.href = href;
    link.textContent = this.file.name;
    this.name.replaceWith(link);
  }

  private button(label: string, act: () => void): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = label;
    button.setAttribute("aria-label", `${label}: ${this.file.name}`);
    button.addEventListener("click", act);
    return button;
  }
}

// The chat, kept with the record: a line is shown at once, marked until the server has it, and sent again after a loss.
import { clock, _ } from "@yersin/web/browser/parts/words";
import { find, make } from "./dom";
import { type LineShown, randomKey, type Wire } from "./wire";

export class Chat {
  private readonly list = find("[data-chat-lines]");
  private readonly input = find<HTMLTextAreaElement>("[data-chat-input]");
  private unread = 0;

  constructor(
    private readonly wire: Wire,
    private readonly seen: () => boolean,
    private readonly count: (unread: number) => void,
  ) {
    const form = find<HTMLFormElement>("[data-chat-form]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.say();
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.say();
    });
    wire.on("line", (line) => this.show(line));
    wire.on("said", ({ key, kept }) => kept || this.refused(key));
  }

  private say(): void {
    const text = this.input.value.trim();
    if (!text) return;
    const key = randomKey();
    this.wire.must(`say ${key}`, { kind: "say", key, text });
    this.add({ id: 0, key, name: "", text, said: "", mine: true }).classList.add("sending");
    this.input.value = "";
  }

  private show(line: LineShown): void {
    this.list.querySelector(`[data-line="${line.key}"]`)?.remove();
    this.add(line);
    if (line.mine || this.seen()) return;
    this.unread += 1;
    this.count(this.unread);
  }

  private add(line: LineShown): HTMLElement {
    find("[data-chat-empty]").hidden = true;
    const when = line.said ? clock(new Date(line.said)) : _("sending…");
    const head = make("p", "line-head", make("strong", "", line.mine ? _("You") : line.name), make("time", "", when));
    const item = make("li", line.mine ? "mine" : "", head, make("p", "line-text", line.text));
    item.dataset["line"] = line.key;
    this.list.append(item);
    this.list.scrollTop = this.list.scrollHeight;
    return item;
  }

  private refused(key: string): void {
    const time = this.list.querySelector(`[data-line="${key}"] time`);
    if (time) time.textContent = _("not sent: you are in the waiting room");
  }

  read(): void {
    this.unread = 0;
    this.count(0);
    this.list.scrollTop = this.list.scrollHeight;
  }

  focus(): void {
    this.input.focus();
  }
}

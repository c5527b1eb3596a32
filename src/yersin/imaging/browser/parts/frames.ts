// Frames drawn by the server: the newest wish wins, one request at a time, and what was seen is kept for going back.
export interface Window {
  center: number;
  width: number;
}

export interface Wish {
  frame: number;
  window: Window | null;
  side: number;
}

export interface Drawn {
  url: string;
  window: Window | null;
}

const KEPT = 60;

export class Refusal extends Error {}

export class Frames {
  private readonly kept = new Map<string, Drawn>();
  private next: Wish | null = null;
  private busy = false;
  private timer = 0;

  constructor(
    private readonly prefix: string,
    private readonly show: (drawn: Drawn, wish: Wish) => void,
    private readonly fail: (words: string) => void,
  ) {}

  /** Ask after a short pause, so that a drag makes few requests. */
  ask(wish: Wish, soon = 50): void {
    this.next = wish;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.go(), this.kept.has(this.key(wish)) ? 0 : soon);
  }

  private key(wish: Wish): string {
    return [wish.frame, wish.window?.center ?? "", wish.window?.width ?? "", wish.side].join("/");
  }

  private async go(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      const wish = this.next;
      this.next = null;
      try {
        this.show(await this.drawn(wish), wish);
      } catch (error) {
        this.fail(error instanceof Refusal ? error.message : "");
      }
    }
    this.busy = false;
  }

  private async drawn(wish: Wish): Promise<Drawn> {
    const key = this.key(wish);
    const known = this.kept.get(key);
    if (known) return known;
    const query = new URLSearchParams({ side: String(wish.side) });
    if (wish.window) {
      query.set("center", String(wish.window.center));
      query.set("width", String(wish.window.width));
    }
    const answer = await fetch(`${this.prefix}/frames/${wish.frame}?${query}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Refusal(await words(answer));
    const [center, width] = ["x-window-center", "x-window-width"].map((name) => answer.headers.get(name));
    const made = { url: URL.createObjectURL(await answer.blob()), window: center && width ? { center: Number(center), width: Number(width) } : null };
    this.keep(key, made);
    return made;
  }

  private keep(key: string, made: Drawn): void {
    this.kept.set(key, made);
    for (const [oldest, drawn] of this.kept) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(oldest);
      URL.revokeObjectURL(drawn.url);
    }
  }
}

async function words(answer: Response): Promise<string> {
  if (!answer.headers.get("content-type")?.includes("json")) return "";
  return ((await answer.json()) as { text?: string }).text ?? "";
}

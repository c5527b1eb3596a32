// The WebSocket of a call: it reconnects with growing pauses into the same seat, and sends again what was not taken.
import { _ } from "@yersin/web/browser/parts/words";

export interface SeatShown {
  id: string;
  name: string;
  place: string;
  role: "host" | "asker" | "guest";
  may_host: boolean;
  state: "waiting" | "admitted" | "away" | "left" | "removed";
  present: boolean;
  page: string;
  consent: boolean | null;
}
export interface RoomShown {
  me: SeatShown;
  seats: SeatShown[];
  recording: "off" | "asked" | "running";
  may_record: boolean;
  inside: boolean;
  elapsed: number | null;
}
export interface SignalBody {
  description: RTCSessionDescriptionInit | null;
  candidate: RTCIceCandidateInit | null;
}
export interface LineShown {
  id: number;
  key: string;
  name: string;
  text: string;
  said: string;
  mine: boolean;
}
export interface Told {
  welcome: { seat: string; ice: RTCIceServer[] };
  room: RoomShown;
  signal: { id: number; sender: string; page: string; body: SignalBody };
  taken: { n: number; posted: boolean };
  line: LineShown;
  said: { key: string; kept: boolean };
  refused: { why: string };
  over: { why: string };
  pong: { n: number };
  /** Said by this module itself: the line came or went, or has ended for good with a close code. */
  line_up: Record<string, never>;
  line_down: { tries: number };
  closed: { code: number };
}
type Ear<K extends keyof Told> = (told: Told[K]) => void;

const FINAL = new Set([4400, 4404, 4409, 4410]);
const SILENCE = 12_000;

export const refusals = (): Record<string, string> => ({
  ended: _("The call has ended."),
  "not-host": _("Only the person in charge of the call can do this."),
  "not-here": _("This person has left."),
  "not-waiting": _("This person is no longer waiting."),
  full: _("Three people are in the call, and it is full. Hand someone back to the waiting room first."),
  removed: _("You were shown out of this call."),
  consent: _("The call is being recorded. This person can come in after agreeing to it."),
  stale: _("This call is open on another page of yours."),
  "not-admitted": _("Only people in the call can do this."),
});

/** A random name for this page, made anew by each load, so that others know a reload from a blip. */
export const randomKey = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Wire {
  readonly page = randomKey();
  private socket: WebSocket | null = null;
  private readonly ears = new Map<string, ((told: never) => void)[]>();
  private readonly unsent = new Map<string, object>();
  private readonly heard = new Set<number>();
  private tries = 0;
  private line = 0;
  private count = 0;
  private last = 0;
  private timer = 0;
  private stopped = false;
  /** Round trip to the server in milliseconds, as last measured. */
  trip = 0;
  private pinged = 0;

  constructor(private readonly url: string) {
    addEventListener("online", () => this.again());
    addEventListener("offline", () => this.dead());
    setInterval(() => this.pulse(), 4000);
  }

  on<K extends keyof Told>(kind: K, ear: Ear<K>): void {
    const ears = this.ears.get(kind) ?? [];
    ears.push(ear as (told: never) => void);
    this.ears.set(kind, ears);
  }

  get up(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open(): void {
    this.stopped = false;
    clearTimeout(this.timer);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.last = performance.now();
      this.give({ kind: "hello", page: this.page, line: this.line });
    };
    socket.onmessage = (event) => this.take(event.data as string);
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
  }

  close(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }

  /** Say something that is of use only now. */
  say(message: { kind: string } & Record<string, unknown>): boolean {
    return this.give(message);
  }

  /** Say something that must arrive: it is said again after a reconnection until it is taken. */
  must(key: string, message: object): void {
    this.unsent.set(key, message);
    if (this.tries === 0) this.give(message);
  }

  signal(to: string, page: string, body: Partial<SignalBody>): void {
    const n = this.count++;
    this.must(`signal ${n}`, { kind: "signal", n, to, page, ...body });
  }

  private give(message: object): boolean {
    if (!this.up) return false;
    this.socket?.send(JSON.stringify(message));
    return true;
  }

  private take(text: string): void {
    this.last = performance.now();
    const told = JSON.parse(text) as { kind: keyof Told } & Record<string, unknown>;
    if (told.kind === "welcome") this.welcomed();
    if (told.kind === "taken") this.unsent.delete(`signal ${told["n"] as number}`);
    if (told.kind === "said") this.unsent.delete(`say ${told["key"] as string}`);
    if (told.kind === "line") this.line = Math.max(this.line, told["id"] as number);
    if (told.kind === "pong") this.trip = performance.now() - this.pinged;
    if (told.kind === "signal" && !this.fresh(told["id"] as number)) return;
    this.tell(told.kind, told as never);
  }

  private welcomed(): void {
    this.tries = 0;
    this.tell("line_up", {});
    for (const message of this.unsent.values()) this.give(message);
  }

  private fresh(id: number): boolean {
    this.give({ kind: "took", ids: [id] });
    if (this.heard.has(id)) return false;
    this.heard.add(id);
    return true;
  }

  private tell<K extends keyof Told>(kind: K, told: Told[K]): void {
    for (const ear of this.ears.get(kind) ?? []) (ear as Ear<K>)(told);
  }

  private lost(code: number): void {
    this.socket = null;
    if (this.stopped) return;
    if (FINAL.has(code)) {
      this.tell("closed", { code });
      return;
    }
    this.tries += 1;
    this.tell("line_down", { tries: this.tries });
    // Half of each pause is drawn by lot, so that a restarted server is not met by everybody at once.
    const pause = Math.min(8000, 400 * 2 ** Math.min(this.tries, 6)) * (0.5 + Math.random() / 2);
    this.timer = window.setTimeout(() => this.open(), pause);
  }

  /** A line that lies dead without saying so, as cables and mobile networks do; closing it asks the other side for a minute. */
  private dead(): void {
    const { socket } = this;
    if (!socket) return;
    this.lost(1006);
    socket.close();
  }

  private again(): void {
    if (this.stopped || this.up || this.tries === 0) return;
    this.open();
  }

  private pulse(): void {
    if (!this.up) return;
    if (performance.now() - this.last > SILENCE) {
      this.dead();
      return;
    }
    this.pinged = performance.now();
    this.give({ kind: "ping", n: 0 });
  }
}

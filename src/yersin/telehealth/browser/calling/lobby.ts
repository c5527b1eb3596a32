// The waiting room: camera, microphone, speaker and line are tried, and each trouble gets its cure in plain words.
import { iconMarkup, send } from "@yersin/web/browser/parts/page";
import { _ } from "@yersin/web/browser/parts/words";
import { type Devices, helpOf, type Kind, titleOf } from "./devices";
import { find, make } from "./dom";
import { type Relay, tryRelay } from "./relay";
import { chime, loudness } from "./sound";

type State = "testing" | "ok" | "warn" | "bad";
// icon: "loader" icon: "circle-check" icon: "triangle-alert" icon: "octagon-alert"
const MARKS: Record<State, string> = { testing: "loader", ok: "circle-check", warn: "triangle-alert", bad: "octagon-alert" };

export class Lobby {
  private readonly preview = find<HTMLVideoElement>("[data-preview]");
  private readonly meter = find<HTMLMeterElement>("[data-meter]");
  private stopMeter: (() => void) | null = null;
  private metered: MediaStreamTrack | null = null;
  private loudest = 0;
  private shownFor = "";

  constructor(
    private readonly devices: Devices,
    private readonly url: string,
  ) {
    devices.addEventListener("change", () => void this.show());
    for (const kind of ["audio", "video"] as const) {
      find<HTMLSelectElement>(`[data-choose="${kind}"]`).addEventListener("change", (event) => void devices.choose(kind, (event.target as HTMLSelectElement).value));
      find(`[data-lobby] [data-toggle="${kind}"]`).addEventListener("click", () => void devices.toggle(kind));
    }
    find("[data-chime]").addEventListener("click", () => this.soundTest());
    find("[data-line-again]").addEventListener("click", () => void this.lineTest());
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.lists());
    void this.lineTest();
  }

  private check(name: string, state: State, words: string, help: string[] = []): void {
    const item = find(`[data-check="${name}"]`);
    item.dataset["state"] = state;
    find("[data-mark]", item).replaceChildren(iconMarkup(MARKS[state]));
    const text = find("[data-words]", item);
    if (text.textContent !== words) text.textContent = words;
    find("[data-cure]", item).replaceChildren(...help.map((line) => make("li", "", line)));
  }

  private async show(): Promise<void> {
    const { tracks } = this.devices;
    const shown = this.preview.srcObject instanceof MediaStream ? this.preview.srcObject.getVideoTracks()[0] : null;
    if (shown !== tracks.video) this.preview.srcObject = tracks.video ? new MediaStream([tracks.video]) : null;
    find("[data-no-preview]").hidden = tracks.video !== null;
    this.hear(tracks.audio);
    for (const kind of ["audio", "video"] as const) this.state(kind);
    await this.lists();
  }

  private state(kind: Kind): void {
    const trouble = this.devices.troubles[kind];
    const on = this.devices.isOn(kind);
    for (const toggle of document.querySelectorAll(`[data-lobby] [data-toggle="${kind}"]`)) toggle.setAttribute("aria-pressed", String(on));
    const again = find(`[data-again="${kind}"]`);
    again.hidden = trouble === null;
    again.onclick = () => void this.devices.open(kind);
    if (trouble) this.check(kind, "bad", titleOf(kind, trouble), helpOf(trouble));
    else if (!on) this.check(kind, "warn", kind === "video" ? _("The camera is off. You can come in without it.") : _("The microphone is off. Others will not hear you."));
    else if (kind === "video") this.check(kind, "ok", _("The camera works. Do you see yourself?"));
    else this.check(kind, this.loudest > 0.25 ? "ok" : "testing", this.loudest > 0.25 ? _("The microphone hears you.") : _("Say something: the bar must move."));
  }

  private hear(track: MediaStreamTrack | null): void {
    if (track === this.metered) return;
    this.stopMeter?.();
    this.metered = track;
    this.loudest = 0;
    this.meter.value = 0;
    this.stopMeter = track && loudness(track, (level) => this.heard(level));
  }

  private heard(level: number): void {
    this.meter.value = this.devices.isOn("audio") ? level : 0;
    const before = this.loudest;
    this.loudest = Math.max(this.loudest, this.meter.value);
    if (before <= 0.25 && this.loudest > 0.25) this.state("audio");
  }

  private async lists(): Promise<void> {
    for (const kind of ["audio", "video"] as const) {
      const all = await this.devices.list(kind);
      const select = find<HTMLSelectElement>(`[data-choose="${kind}"]`);
      const here = this.devices.tracks[kind]?.getSettings().deviceId ?? "";
      const key = all.map((each) => each.deviceId + each.label).join() + here;
      if (this.shownFor.includes(`${kind}:${key};`)) continue;
      this.shownFor += `${kind}:${key};`;
      select.replaceChildren(...all.filter((each) => each.label).map((each) => new Option(each.label, each.deviceId, false, each.deviceId === here)));
      find(`[data-choice="${kind}"]`).hidden = select.options.length < 2;
    }
  }

  private soundTest(): void {
    chime();
    this.check("speaker", "warn", _("Did you hear three notes? If not, turn up the volume or choose another speaker in the computer's settings."));
    const heard = find<HTMLButtonElement>("[data-heard]");
    heard.hidden = false;
    heard.onclick = () => {
      heard.hidden = true;
      this.check("speaker", "ok", _("The speaker works."));
    };
  }

  /** Three small round trips, then a quarter of a megabyte each way; and the relay, where there is one. */
  private async lineTest(): Promise<void> {
    this.check("line", "testing", _("Testing the line…"));
    try {
      const trips: number[] = [];
      for (let turn = 0; turn < 3; turn++) trips.push(await this.time(() => fetch(`${this.url}/probe?size=1`, { cache: "no-store" })));
      const trip = Math.min(...trips);
      const size = trip > 800 ? 32_768 : 262_144;
      const down = await this.time(async () => (await fetch(`${this.url}/probe?size=${size}`, { cache: "no-store" })).arrayBuffer());
      const up = await this.time(() => send(`${this.url}/probe`, new Blob([new Uint8Array(size)]), "application/octet-stream"));
      const servers = (await (await fetch(`${this.url}/ice`, { cache: "no-store" })).json()) as RTCIceServer[];
      const relay = await tryRelay(servers);
      this.judge(trip, (size * 8) / Math.max(1, down), (size * 8) / Math.max(1, up), relay);
    } catch {
      this.check("line", "bad", _("The server cannot be reached."), [_("Check the cable or the Wi-Fi, then press “Test again”.")]);
    }
  }

  private async time(act: () => Promise<unknown>): Promise<number> {
    const began = performance.now();
    await act();
    return performance.now() - began;
  }

  private judge(trip: number, down: number, up: number, relay: Relay): void {
    const speed = (kbps: number): string => new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format(Math.min(999, kbps / 1000));
    const figures = _("There and back %(trip)s ms, receives %(down)s and sends %(up)s Mbit/s.", { trip: Math.round(trip), down: speed(down), up: speed(up) });
    const slow = Math.min(down, up);
    if (relay === "refused" || relay === "unreachable") this.check("line", "warn", `${this.relayWords(relay)} ${figures}`, this.relayCure(relay));
    else if (slow > 1200 && trip < 400) this.check("line", "ok", `${_("Good for video.")} ${figures}`);
    else if (slow > 250) this.check("line", "warn", `${_("Enough for a smaller picture.")} ${figures}`);
    else this.check("line", "warn", `${_("Slow: choose “Audio only”, pictures are sent one at a time.")} ${figures}`);
  }

  private relayWords(relay: Relay): string {
    if (relay === "refused") return _("The relay turns this server away. Between two hospital or mobile networks the call may find no way.");
    return _("The relay cannot be reached from here. Between two hospital or mobile networks the call may find no way.");
  }

  private relayCure(relay: Relay): string[] {
    const again = _("You can come in all the same: on most networks the call finds its way by itself.");
    if (relay === "refused") return [_("Tell the person who looks after the server: YERSIN_TURN_SECRET and the static-auth-secret of the relay must be the same."), again];
    return [_("Tell the person who looks after the network: this computer must be let through to the relay, by default to port 3478, UDP and TCP."), again];
  }

  close(): void {
    this.stopMeter?.();
    this.metered = null;
    this.preview.srcObject = null;
  }
}

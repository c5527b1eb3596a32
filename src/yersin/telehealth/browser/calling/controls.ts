// The bar of the call: microphone, camera, audio only, screen, camera switch, recording, invitation, leaving, quality.
import { openDialog } from "@yersin/web/browser/parts/dialog";
import { send } from "@yersin/web/browser/parts/page";
import { toast } from "@yersin/web/browser/parts/toast";
import { _ } from "@yersin/web/browser/parts/words";
import { type Devices, helpOf, type Kind, titleOf } from "./devices";
import { find } from "./dom";
import type { Rung, Why } from "./ladder";
import type { Layout } from "./layout";
import type { Mesh } from "./mesh";
import type { Recorder } from "./recorder";
import type { RoomShown, Wire } from "./wire";

const KEPT = "call:audio-only";

export class Controls {
  private room: RoomShown | null = null;
  private readonly badge = find("[data-quality]");

  constructor(
    private readonly url: string,
    private readonly wire: Wire,
    private readonly devices: Devices,
    private readonly mesh: Mesh,
    private readonly recorder: Recorder,
    private readonly layout: Layout,
  ) {
    const acts: Record<string, () => unknown> = {
      audio: () => this.toggle("audio"),
      video: () => this.toggle("video"),
      only: () => this.audioOnly(!mesh.audioOnly),
      screen: () => this.screen(),
      turn: () => devices.nextCamera(),
      record: () => this.record(),
      invite: () => this.invite(),
      chat: () => this.chat(),
      panel: () => this.layout.swap(),
      leave: () => this.leave(),
      end: () => wire.say({ kind: "end" }),
      go: () => this.go(),
      copy: () => this.copy(),
    };
    for (const control of document.querySelectorAll<HTMLElement>("[data-act-on]")) {
      control.addEventListener("click", () => void acts[control.dataset["actOn"] ?? ""]?.());
    }
    devices.addEventListener("change", () => void this.draw());
    mesh.addEventListener("health", () => this.quality());
    find<HTMLButtonElement>('[data-act-on="screen"]').hidden = !("getDisplayMedia" in (navigator.mediaDevices ?? {}));
    if (sessionStorage.getItem(KEPT)) void this.audioOnly(true);
  }

  show(room: RoomShown): void {
    this.room = room;
    const host = room.me.role === "host";
    this.allow("record", host);
    this.allow("invite", room.me.role !== "guest");
    this.allow("end", host);
    const record = find('[data-act-on="record"]');
    record.setAttribute("aria-pressed", String(room.recording !== "off"));
    find("span", record).textContent = room.recording === "off" ? _("Start recording") : _("Stop recording");
    void this.draw();
  }

  private allow(name: string, on: boolean): void {
    const control = find<HTMLButtonElement>(`[data-act-on="${name}"]`);
    control.hidden = !on;
    control.disabled = !on;
  }

  private async toggle(kind: Kind): Promise<void> {
    await this.devices.toggle(kind);
    const trouble = this.devices.troubles[kind];
    if (trouble) toast([titleOf(kind, trouble), ...helpOf(trouble)].join(". ").replaceAll("..", "."), "warn");
    else if (kind === "video" && this.devices.isOn("video") && this.mesh.audioOnly) toast(_("“Audio only” is on: your camera is not sent."), "info");
  }

  private async draw(): Promise<void> {
    const words: Record<Kind, [string, string]> = {
      audio: [_("Mute"), _("Unmute")],
      video: [_("Stop camera"), _("Start camera")],
    };
    for (const kind of ["audio", "video"] as const) {
      const control = find(`.call-bar [data-act-on="${kind}"]`);
      const on = this.devices.isOn(kind);
      control.classList.toggle("off", !on);
      control.setAttribute("aria-pressed", String(!on));
      find("span", control).textContent = words[kind][on ? 0 : 1];
      find("[data-on]", control).toggleAttribute("hidden", !on);
      find("[data-off]", control).toggleAttribute("hidden", on);
    }
    find("[data-act-on='turn']").hidden = !this.devices.isOn("video") || (await this.devices.list("video")).length < 2;
  }

  private async audioOnly(on: boolean): Promise<void> {
    if (on) sessionStorage.setItem(KEPT, "yes");
    else sessionStorage.removeItem(KEPT);
    await this.mesh.setAudioOnly(on);
    find('[data-act-on="only"]').setAttribute("aria-pressed", String(on));
    this.quality();
  }

  private async screen(): Promise<void> {
    if (this.mesh.screen) await this.stopScreen();
    else {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 12 } } }).catch(() => null);
      const track = stream?.getVideoTracks()[0];
      if (!track) return;
      track.contentHint = "detail";
      track.addEventListener("ended", () => void this.stopScreen());
      await this.mesh.share(new MediaStream([track]).getVideoTracks()[0] ?? null);
      this.devices.changed();
      find('[data-act-on="screen"]').setAttribute("aria-pressed", "true");
    }
  }

  private async stopScreen(): Promise<void> {
    await this.mesh.share(null);
    this.devices.changed();
    find('[data-act-on="screen"]').setAttribute("aria-pressed", "false");
  }

  private async record(): Promise<void> {
    if (this.room?.recording === "off") this.wire.say({ kind: "askrecording" });
    else if (this.recorder.running) await this.recorder.stop();
    else this.wire.say({ kind: "stoprecording" });
  }

  private async invite(): Promise<void> {
    const answer = await send(`${this.url}/invitations`, "").catch(() => null);
    if (!answer?.ok) {
      toast(_("The link could not be made. Try again."), "danger");
      return;
    }
    const { path } = (await answer.json()) as { path: string };
    find<HTMLInputElement>("[data-link]").value = location.origin + path;
    const dialog = document.getElementById("invite");
    if (dialog instanceof HTMLDialogElement) openDialog(dialog);
  }

  private async copy(): Promise<void> {
    const field = find<HTMLInputElement>("[data-link]");
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      toast(_("The link is copied."));
    } catch {
      toast(_("Copy the marked link with Ctrl C."), "info");
    }
  }

  private chat(): void {
    this.layout.swap(true);
    this.layout.choose("chat", true);
  }

  private leave(): void {
    const dialog = document.getElementById("leave");
    if (dialog instanceof HTMLDialogElement) openDialog(dialog);
  }

  private async go(): Promise<void> {
    await this.recorder.stop();
    this.wire.say({ kind: "leave" });
  }

  private quality(): void {
    const { rung, why, rtt, loss } = this.mesh.health;
    const shown = this.mesh.audioOnly && rung === "video" ? "audio" : rung;
    const poor = loss > 0.05 || rtt > 400;
    const kind = shown === "video" ? (poor ? "warn" : "ok") : this.mesh.audioOnly && shown === "audio" ? "quiet" : shown === "low" ? "warn" : "danger";
    this.badge.className = `badge ${this.mesh.peers.size ? kind : "quiet"}`;
    const text = this.mesh.peers.size ? this.rungWords(shown, why, poor) : _("Nobody else is connected");
    const place = find("[data-quality-words]");
    if (place.textContent !== text) place.textContent = text;
    this.badge.title = _("There and back %(rtt)s ms, lost %(loss)s %", { rtt: Math.round(rtt), loss: Math.round(loss * 100) });
    find("[data-fallback]").hidden = shown !== "text" || !this.mesh.peers.size;
  }

  private rungWords(rung: Rung, why: Why, poor: boolean): string {
    if (rung === "video") return poor ? _("Unsteady line") : _("Good line");
    if (rung === "audio" && this.mesh.audioOnly) return _("Audio only, as you chose");
    const cause: Partial<Record<Why, string>> = { loss: _("data is being lost"), delay: _("the line is slow to answer"), rate: _("the line carries little") };
    const words: Record<Rung, string> = {
      video: "",
      low: _("Small picture"),
      audio: _("Audio only"),
      stills: _("Single pictures"),
      text: _("Writing only"),
    };
    return cause[why] ? `${words[rung]}: ${cause[why]}` : words[rung];
  }
}

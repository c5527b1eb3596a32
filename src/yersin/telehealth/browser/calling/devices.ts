// Camera, microphone and speaker of this device, and plain words for each way in which they can fail.
import { _ } from "@yersin/web/browser/parts/words";

export type Kind = "audio" | "video";
export type Trouble = "denied" | "system" | "none" | "busy" | "insecure" | "other";

const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const VIDEO: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24, max: 30 } };

function troubleOf(error: unknown): Trouble {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return error instanceof DOMException && /system/i.test(error.message) ? "system" : "denied";
  if (name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "other";
}

export class Devices extends EventTarget {
  readonly tracks: Record<Kind, MediaStreamTrack | null> = { audio: null, video: null };
  readonly troubles: Record<Kind, Trouble | null> = { audio: null, video: null };
  /** What the person wants: a camera that is off is stopped, so its lamp goes out. */
  readonly wanted: Record<Kind, boolean> = { audio: true, video: true };
  readonly chosen: Record<Kind, string> = { audio: "", video: "" };
  private facing: "user" | "environment" = "user";

  get secure(): boolean {
    return typeof navigator.mediaDevices?.getUserMedia === "function";
  }

  /** Ask for both at once, so the browser asks the person once; then one by one, if one of them failed. */
  async openBoth(): Promise<void> {
    if (!this.secure) {
      this.troubles.audio = this.troubles.video = "insecure";
      this.changed();
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: this.constraints("audio"), video: this.constraints("video") });
      for (const track of stream.getTracks()) this.keep(track.kind as Kind, track);
    } catch {
      await this.open("audio");
      await this.open("video");
    }
    this.changed();
  }

  async open(kind: Kind): Promise<void> {
    this.wanted[kind] = true;
    this.stop(kind);
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: this.constraints(kind) });
      this.keep(kind, stream.getTracks()[0] ?? null);
    } catch (error) {
      this.troubles[kind] = this.secure ? troubleOf(error) : "insecure";
    }
    this.changed();
  }

  private constraints(kind: Kind): MediaTrackConstraints {
    const base = kind === "audio" ? AUDIO : { ...VIDEO, facingMode: this.facing };
    return this.chosen[kind] ? { ...base, facingMode: {}, deviceId: { exact: this.chosen[kind] } } : base;
  }

  private keep(kind: Kind, track: MediaStreamTrack | null): void {
    this.tracks[kind] = track;
    this.troubles[kind] = track ? null : "none";
    track?.addEventListener("ended", () => {
      // Unplugged, or taken away by the system, while the call goes on.
      if (this.tracks[kind] !== track) return;
      this.tracks[kind] = null;
      this.troubles[kind] = "none";
      this.changed();
    });
  }

  private stop(kind: Kind): void {
    this.tracks[kind]?.stop();
    this.tracks[kind] = null;
  }

  async toggle(kind: Kind): Promise<void> {
    if (kind === "audio" && this.tracks.audio) {
      this.wanted.audio = !this.wanted.audio;
      this.tracks.audio.enabled = this.wanted.audio;
      this.changed();
    } else if (this.tracks[kind]) {
      this.wanted[kind] = false;
      this.stop(kind);
      this.changed();
    } else await this.open(kind);
  }

  isOn(kind: Kind): boolean {
    return this.wanted[kind] && this.tracks[kind] !== null;
  }

  async choose(kind: Kind, id: string): Promise<void> {
    this.chosen[kind] = id;
    await this.open(kind);
  }

  /** The next camera: front and back on a phone, one after the other elsewhere. */
  async nextCamera(): Promise<void> {
    const all = await this.list("video");
    const here = all.findIndex((each) => each.deviceId === this.tracks.video?.getSettings().deviceId);
    const facing = this.tracks.video?.getSettings().facingMode;
    if (facing) {
      this.chosen.video = "";
      this.facing = facing === "user" ? "environment" : "user";
    } else this.chosen.video = all[(here + 1) % Math.max(1, all.length)]?.deviceId ?? "";
    await this.open("video");
  }

  async list(kind: Kind): Promise<MediaDeviceInfo[]> {
    if (!this.secure) return [];
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    return all.filter((each) => each.kind === `${kind}input`);
  }

  close(): void {
    this.stop("audio");
    this.stop("video");
  }

  changed(): void {
    this.dispatchEvent(new Event("change"));
  }
}

export function titleOf(kind: Kind, trouble: Trouble): string {
  const camera = kind === "video";
  if (trouble === "denied") return camera ? _("The browser may not use the camera") : _("The browser may not use the microphone");
  if (trouble === "system") return camera ? _("The computer's settings block the camera") : _("The computer's settings block the microphone");
  if (trouble === "none") return camera ? _("No camera was found") : _("No microphone was found");
  if (trouble === "busy") return camera ? _("Another program is using the camera") : _("Another program is using the microphone");
  if (trouble === "insecure") return _("This address is not secure, so the browser gives no camera and no microphone");
  return camera ? _("The camera could not be started") : _("The microphone could not be started");
}

/** What to do about it, in the words of the browser in hand. */
export function helpOf(trouble: Trouble): string[] {
  if (trouble === "denied") return [...permissionSteps(), _("Then press “Try again”.")];
  if (trouble === "system") return [systemStep(), _("Then close the browser, open it again and press “Try again”.")];
  if (trouble === "none") return [_("Check that it is plugged in, or use another device."), _("Then press “Try again”. You can also come in without it.")];
  if (trouble === "busy") return [_("Close Zalo, Zoom, Teams and other pages that use it."), _("Then press “Try again”.")];
  if (trouble === "insecure") return [_("Open this page by its address that begins with https://."), _("Tell the person who looks after the computers if it happens again.")];
  return [_("Unplug it and plug it in again, or restart the browser."), _("Then press “Try again”.")];
}

function permissionSteps(): string[] {
  const agent = navigator.userAgent;
  if (/iPhone|iPad/.test(agent)) return [_("Open Settings on the iPhone, choose Safari, then Camera and Microphone, and choose Allow.")];
  if (/Android/.test(agent)) return [_("Press the padlock or the sliders beside the address, choose Permissions, and allow camera and microphone.")];
  if (/Firefox/.test(agent)) return [_("Press the crossed-out camera beside the address and take the block away.")];
  if (/Safari/.test(agent) && !/Chrom/.test(agent)) return [_("In the Safari menu choose Settings for this website, and allow camera and microphone.")];
  return [_("Press the sliders or the padlock to the left of the address."), _("Switch on Camera and Microphone.")];
}

function systemStep(): string {
  if (/Windows/.test(navigator.userAgent)) return _("Open Windows Settings, Privacy, and allow the browser to use camera and microphone.");
  if (/Mac OS/.test(navigator.userAgent)) return _("Open System Settings, Privacy & Security, and allow the browser to use camera and microphone.");
  return _("Allow the browser to use camera and microphone in the settings of the computer.");
}

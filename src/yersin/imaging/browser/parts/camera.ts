// Taking a photograph with the camera of a computer: see it, take it, look at it, use it or take it again.
// On phones the system's own camera does it better; attach.ts asks for that one there.
import { iconMarkup } from "../../../web/browser/parts/page";
import { _ } from "../../../web/browser/parts/words";

const SIDE = 2560;

function button(label: string, icon: string, act: () => void, primary = false): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = primary ? "button primary" : "button";
  const words = document.createElement("span");
  words.textContent = label;
  made.append(iconMarkup(icon), words);
  made.addEventListener("click", act);
  return made;
}

/** Why there is no picture, and what helps. */
function refusal(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return _("The browser may not use the camera. Allow it beside the address, then try again; or choose a file.");
  if (name === "NotFoundError" || name === "OverconstrainedError") return _("No camera was found. Connect one and try again, or choose a file.");
  if (name === "NotReadableError") return _("Another program is using the camera. Close it and try again.");
  return _("The camera could not be started. Choose a file instead.");
}

class Camera {
  private readonly dialog = document.createElement("dialog");
  private readonly video = document.createElement("video");
  private readonly canvas = document.createElement("canvas");
  private readonly words = document.createElement("p");
  private readonly actions = document.createElement("div");
  private stream: MediaStream | null = null;

  constructor(private readonly use: (file: File) => void) {
    this.dialog.className = "dialog wide camera";
    this.dialog.setAttribute("aria-label", _("Take a photo"));
    this.video.muted = true;
    this.video.playsInline = true;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", _("The photograph taken"));
    this.words.className = "camera-words";
    this.words.setAttribute("role", "status");
    this.actions.className = "row";
    const body = document.createElement("div");
    body.className = "dialog-body";
    body.append(this.video, this.canvas, this.words, this.actions);
    this.dialog.append(body);
    this.dialog.addEventListener("close", () => this.stop());
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  async start(): Promise<void> {
    this.show("video");
    this.words.textContent = _("Starting the camera…");
    this.offer([button(_("Cancel"), "x", () => this.dialog.close())]);
    try {
      const wish = { video: { facingMode: "environment", width: { ideal: SIDE } }, audio: false };
      this.stream ??= await navigator.mediaDevices.getUserMedia(wish);
      if (!this.dialog.open) return this.stop();
      this.video.srcObject = this.stream;
      await this.video.play();
      this.words.textContent = "";
      this.offer([button(_("Take the picture"), "camera", () => this.take(), true), button(_("Cancel"), "x", () => this.dialog.close())]);
    } catch (error) {
      this.stop();
      this.words.textContent = refusal(error);
      this.offer([button(_("Try again"), "refresh-cw", () => void this.start(), true), button(_("Close"), "x", () => this.dialog.close())]);
    }
  }

  private take(): void {
    this.canvas.width = this.video.videoWidth;
    this.canvas.height = this.video.videoHeight;
    this.canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    this.show("canvas");
    this.words.textContent = _("Is it sharp, and is what matters on it?");
    this.offer([
      button(_("Use this picture"), "check", () => this.keep(), true),
      button(_("Take it again"), "refresh-cw", () => void this.start()),
      button(_("Cancel"), "x", () => this.dialog.close()),
    ]);
  }

  private keep(): void {
    const now = new Date();
    const name = `${_("photo")}-${now.toISOString().slice(0, 19).replace(/[:T]/g, "-")}.jpg`;
    this.canvas.toBlob(
      (blob) => {
        if (blob) this.use(new File([blob], name, { type: "image/jpeg", lastModified: now.getTime() }));
        this.dialog.close();
      },
      "image/jpeg",
      0.92,
    );
  }

  private show(which: "video" | "canvas"): void {
    this.video.hidden = which !== "video";
    this.canvas.hidden = which !== "canvas";
  }

  private offer(buttons: HTMLButtonElement[]): void {
    this.actions.replaceChildren(...buttons);
    buttons[0]?.focus();
  }

  private stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    if (!this.dialog.open) this.dialog.remove();
  }
}

/** Open the camera; what is taken is handed over as a file. icon="camera" icon="refresh-cw" icon="check" icon="x" */
export function photograph(use: (file: File) => void): void {
  void new Camera(use).start();
}

// Attaching files: an `upload` component whose field has data-attach="<uploads>" sends at once, piece by piece.
// data-largest (bytes) refuses early, data-camera adds a camera button, data-about-<key> goes along. Without this module, or
// where the browser has no cryptography (plain http), the form sends the files as forms do.
import { forEach, iconMarkup } from "../../web/browser/parts/page";
import { _ } from "../../web/browser/parts/words";
import { photograph } from "./parts/camera";
import { Line, readable } from "./parts/line";
import { Sending } from "./parts/sending";

const BUSY = new Set(["sending", "waiting", "checking"]);

function aboutOf(input: HTMLInputElement): Record<string, string> {
  const found = Object.entries(input.dataset).filter(([name]) => /^about[A-Z]/.test(name));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(5).toLowerCase(), value ?? ""]));
}

class Attaching {
  private queue: Promise<void> = Promise.resolve();
  private readonly place: Element;
  private readonly largest: number;

  constructor(
    private readonly zone: HTMLElement,
    private readonly input: HTMLInputElement,
  ) {
    this.place = zone.querySelector("[data-upload-list]") ?? zone;
    this.largest = Number(input.dataset["largest"] ?? 0);
    // The zone's own module lists files for the form to send; here they are sent at once, so it must not see them.
    zone.addEventListener("change", (event) => this.chosen(event), { capture: true });
    zone.addEventListener("drop", (event) => this.dropped(event), { capture: true });
    for (const plain of input.form?.querySelectorAll<HTMLElement>("[data-attach-plain]") ?? []) plain.hidden = true;
    if (input.dataset["camera"]) this.addCamera();
    zone.dataset["attaching"] = "yes";
  }

  private chosen(event: Event): void {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || input.type !== "file") return;
    event.stopImmediatePropagation();
    this.take([...(input.files ?? [])]);
    input.value = "";
  }

  private dropped(event: DragEvent): void {
    event.preventDefault();
    event.stopImmediatePropagation();
    this.zone.classList.remove("over");
    this.take([...(event.dataTransfer?.files ?? [])]);
  }

  /** On a phone the system's camera is asked for; elsewhere, where the browser has one, it is opened in a dialog. */
  private addCamera(): void {
    const isPhone = matchMedia("(pointer: coarse)").matches;
    if (!isPhone && !navigator.mediaDevices?.getUserMedia) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button attach-camera";
    const words = document.createElement("span");
    words.textContent = _("Take a photo");
    button.append(iconMarkup("camera"), words);
    const place = this.zone.querySelector("[data-upload-choose]") ?? this.input;
    place.after(button);
    if (!isPhone) {
      button.addEventListener("click", () => photograph((file) => this.take([file])));
      return;
    }
    const camera = document.createElement("input");
    camera.type = "file";
    camera.accept = "image/*";
    camera.setAttribute("capture", "environment");
    camera.hidden = true;
    button.addEventListener("click", () => camera.click());
    place.after(camera);
  }

  private take(files: File[]): void {
    for (const file of files) {
      const line = new Line(this.place, file);
      const refusal = this.refusal(file);
      if (refusal) {
        line.say("refused", refusal, [[_("Remove"), () => line.item.remove()]]);
        continue;
      }
      const sending = new Sending((this.input.dataset["attach"] ?? "").replace(/\/$/, ""), file, aboutOf(this.input), line);
      line.say("queued", _("Waiting its turn"), [[_("Cancel"), () => line.item.remove()]]);
      // one after the other: on a thin line two at once finish later than both in turn
      this.queue = this.queue.then(() => (line.item.isConnected ? sending.run() : undefined));
    }
  }

  private refusal(file: File): string {
    if (file.size === 0) return _("The file is empty");
    if (this.largest && file.size > this.largest) return _("Too large: at most %(limit)s", { limit: readable(this.largest) });
    return "";
  }
}

if ("subtle" in (globalThis.crypto ?? {})) {
  forEach<HTMLElement>("[data-upload]", (zone) => {
    const input = zone.querySelector<HTMLInputElement>('input[type="file"][data-attach]');
    if (input) new Attaching(zone, input);
  });
  window.addEventListener("beforeunload", (event) => {
    const lines = [...document.querySelectorAll<HTMLElement>(".attach-item")];
    if (lines.some((line) => BUSY.has(line.dataset["state"] ?? ""))) event.preventDefault();
  });
}

// Images in the chart. data-viewer="<prefix>": frames of a DICOM file, drawn by the server with the window asked for;
// data-viewer-image="<address>": a photograph. Both: zoom, pan, keys, touch; data-label names the image.
// Keys while it has the focus: + - 0 zoom, arrows pan, PageUp PageDown Home End frames, Shift+arrows window, R back to the start.
import { forEach, iconMarkup } from "../../web/browser/parts/page";
import { _ } from "../../web/browser/parts/words";
import { Frames, type Drawn, type Window, type Wish } from "./parts/frames";
import { Stage } from "./parts/stage";

interface Facts {
  rows: number;
  columns: number;
  frames: number;
  grey: boolean;
  windows: Window[];
}

const SIDES = [512, 1024, 2048, 4096];

function button(label: string, icon: string, act: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button only-icon quiet";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(iconMarkup(icon));
  made.addEventListener("click", act);
  return made;
}

class Viewer {
  private readonly box = document.createElement("div");
  private readonly bar = document.createElement("div");
  private readonly image = document.createElement("img");
  private readonly words = document.createElement("p");
  private readonly slider = document.createElement("input");
  private readonly stage: Stage;
  private readonly frames: Frames;
  private readonly tool = button(_("Brightness and contrast by dragging"), "contrast", () => this.setWindowing(!this.windowing));
  private facts: Facts = { rows: 0, columns: 0, frames: 1, grey: false, windows: [] };
  private frame = 1;
  private wished: Window | null = null;
  private used: Window | null = null;
  private windowing = false;
  private settling = 0;

  constructor(private readonly place: HTMLElement) {
    this.box.className = "viewer-stage";
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", place.dataset["label"] ?? _("Image"));
    this.image.alt = place.dataset["label"] ?? "";
    this.bar.className = "viewer-bar";
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", _("Image tools"));
    this.words.className = "viewer-words";
    this.words.setAttribute("role", "status");
    this.box.append(this.image);
    place.classList.add("viewer");
    place.replaceChildren(this.bar, this.box, this.words);
    this.stage = new Stage(this.box, this.image, {
      drag: (dx, dy) => this.windowing && this.shift(dx, dy),
      wheel: (steps) => this.facts.frames > 1 && this.go(this.frame + steps),
      changed: () => this.settle(),
    });
    this.frames = new Frames(place.dataset["viewer"] ?? "", (drawn, wish) => this.shown(drawn, wish), (words) => this.refused(words));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.tools();
  }

  private tools(): void {
    // icon: "zoom-in" icon: "zoom-out" icon: "maximize" icon: "rotate-ccw" icon: "contrast"
    const zoomIn = button(_("Zoom in"), "zoom-in", () => this.stage.zoomBy(1.5));
    const zoomOut = button(_("Zoom out"), "zoom-out", () => this.stage.zoomBy(1 / 1.5));
    const fit = button(_("Whole image"), "maximize", () => this.stage.fit());
    const back = button(_("Back to the start"), "rotate-ccw", () => this.reset());
    this.tool.hidden = true;
    this.bar.append(zoomIn, zoomOut, fit, this.tool, back);
  }

  async startDicom(prefix: string): Promise<void> {
    const answer = await fetch(prefix, { headers: { accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) return this.refused("");
    this.facts = (await answer.json()) as Facts;
    if (this.facts.frames < 1) return this.refused(_("This file holds no picture. It can be downloaded."));
    this.tool.hidden = !this.facts.grey;
    this.setWindowing(this.facts.grey);
    if (this.facts.windows.length > 1) this.addPresets();
    if (this.facts.frames > 1) this.addSlider();
    this.ask(0);
  }

  startPhoto(address: string): void {
    this.image.addEventListener("error", () => this.refused(""));
    this.image.src = address;
  }

  private addPresets(): void {
    const select = document.createElement("select");
    select.className = "viewer-presets";
    select.setAttribute("aria-label", _("Window"));
    this.facts.windows.forEach((window, index) => select.add(new Option(`${window.center} / ${window.width}`, String(index))));
    select.addEventListener("change", () => {
      this.wished = this.facts.windows[Number(select.value)] ?? null;
      this.ask(0);
    });
    this.bar.append(select);
  }

  private addSlider(): void {
    this.slider.type = "range";
    this.slider.min = "1";
    this.slider.max = String(this.facts.frames);
    this.slider.value = "1";
    this.slider.className = "viewer-frames";
    this.slider.setAttribute("aria-label", _("Frame"));
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.bar.append(this.slider);
  }

  private setWindowing(on: boolean): void {
    this.windowing = on && this.facts.grey;
    this.tool.setAttribute("aria-pressed", String(this.windowing));
    this.box.classList.toggle("windowing", this.windowing);
  }

  /** Right is more width, down is a darker centre: as radiology stations do. */
  private shift(dx: number, dy: number): boolean {
    const from = this.wished ?? this.used;
    if (!this.facts.grey || !from) return false;
    const step = Math.max(from.width / 300, 0.5);
    const round = (value: number): number => Math.round(value * 10) / 10;
    this.wished = { center: round(from.center + dy * step), width: round(Math.max(1, from.width + dx * step)) };
    this.ask();
    return true;
  }

  private go(frame: number): boolean {
    const wanted = Math.min(this.facts.frames, Math.max(1, frame));
    if (wanted !== this.frame) {
      this.frame = wanted;
      this.slider.value = String(wanted);
      this.ask(20);
    }
    return true;
  }

  private reset(): void {
    this.wished = null;
    this.stage.fit();
    this.ask(0);
  }

  /** While something moves a small picture will do; once it rests, one as fine as the screen can show. */
  private ask(soon?: number): void {
    if (!this.place.dataset["viewer"]) return;
    this.frames.ask({ frame: this.frame, window: this.wished, side: SIDES[0] ?? 512 }, soon);
    this.settle();
  }

  private settle(): void {
    clearTimeout(this.settling);
    if (!this.place.dataset["viewer"] || !this.facts.rows) return;
    this.settling = window.setTimeout(() => {
      const needed = Math.max(this.box.clientWidth, this.box.clientHeight) * this.stage.zoom * devicePixelRatio;
      const side = SIDES.find((one) => one >= Math.min(needed, Math.max(this.facts.rows, this.facts.columns))) ?? 16384;
      if (side > (SIDES[0] ?? 512)) this.frames.ask({ frame: this.frame, window: this.wished, side }, 0);
    }, 250);
  }

  private shown(drawn: Drawn, wish: Wish): void {
    this.image.src = drawn.url;
    this.used = drawn.window;
    this.place.dataset["shown"] = `${wish.frame}`;
    this.place.dataset["window"] = drawn.window ? `${drawn.window.center}/${drawn.window.width}` : "";
    const parts = [];
    if (this.facts.frames > 1) parts.push(_("Frame %(number)s of %(total)s", { number: wish.frame, total: this.facts.frames }));
    if (drawn.window) parts.push(_("Window %(center)s / %(width)s", { center: Math.round(drawn.window.center), width: Math.round(drawn.window.width) }));
    this.words.textContent = parts.join(" · ");
    this.words.classList.remove("error");
  }

  private refused(words: string): void {
    this.words.textContent = words || _("The image cannot be loaded. Check the network, then try again.");
    this.words.classList.add("error");
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = event.shiftKey ? this.windowKey(event.key) : this.plainKey(event.key);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  private windowKey(key: string): (() => unknown) | undefined {
    const keys: Record<string, () => unknown> = {
      ArrowUp: () => this.shift(0, -10),
      ArrowDown: () => this.shift(0, 10),
      ArrowLeft: () => this.shift(-10, 0),
      ArrowRight: () => this.shift(10, 0),
      "+": () => this.stage.zoomBy(1.25),
    };
    return keys[key];
  }

  private plainKey(key: string): (() => unknown) | undefined {
    const keys: Record<string, () => unknown> = {
      "+": () => this.stage.zoomBy(1.25),
      "=": () => this.stage.zoomBy(1.25),
      "-": () => this.stage.zoomBy(0.8),
      "0": () => this.stage.fit(),
      r: () => this.reset(),
      ArrowUp: () => this.stage.pan(0, 40),
      ArrowDown: () => this.stage.pan(0, -40),
      ArrowLeft: () => this.stage.pan(40, 0),
      ArrowRight: () => this.stage.pan(-40, 0),
      PageUp: () => this.go(this.frame - 1),
      PageDown: () => this.go(this.frame + 1),
      Home: () => this.go(1),
      End: () => this.go(this.facts.frames),
    };
    return keys[key];
  }
}

forEach<HTMLElement>("[data-viewer]", (place) => void new Viewer(place).startDicom(place.dataset["viewer"] ?? ""));
forEach<HTMLElement>("[data-viewer-image]", (place) => new Viewer(place).startPhoto(place.dataset["viewerImage"] ?? ""));

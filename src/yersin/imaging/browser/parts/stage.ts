// The stage an image lies on: zoom to a point, pan, pinch; and drags that mean something else when a tool is chosen.
const LARGEST = 16;

export interface Hands {
  /** A drag with the tool in hand, in pixels; false leaves it to panning. */
  drag: (dx: number, dy: number) => boolean;
  /** The wheel without Ctrl; false leaves it to zooming. */
  wheel: (steps: number) => boolean;
  changed: () => void;
}

export class Stage {
  zoom = 1;
  private x = 0;
  private y = 0;
  private readonly fingers = new Map<number, { x: number; y: number }>();
  private rolled = 0;

  constructor(
    readonly box: HTMLElement,
    readonly image: HTMLImageElement,
    private readonly hands: Hands,
  ) {
    box.addEventListener("pointerdown", (event) => this.down(event));
    box.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) box.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("dblclick", () => this.fit());
    image.draggable = false;
  }

  fit(): void {
    this.zoom = 1;
    this.x = this.y = 0;
    this.place();
  }

  /** Zoom by a factor, keeping the point (from the middle of the stage) where it is. */
  zoomBy(factor: number, px = 0, py = 0): void {
    const zoom = Math.min(LARGEST, Math.max(1, this.zoom * factor));
    const ratio = zoom / this.zoom;
    this.x = px - (px - this.x) * ratio;
    this.y = py - (py - this.y) * ratio;
    this.zoom = zoom;
    this.place();
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.place();
  }

  private place(): void {
    const most = (size: number): number => (size * (this.zoom - 1)) / 2;
    this.x = Math.max(-most(this.box.clientWidth), Math.min(most(this.box.clientWidth), this.x));
    this.y = Math.max(-most(this.box.clientHeight), Math.min(most(this.box.clientHeight), this.y));
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
    this.hands.changed();
  }

  private down(event: PointerEvent): void {
    this.box.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.box.focus({ preventScroll: true });
  }

  private move(event: PointerEvent): void {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.fingers.size > 1) this.pinch(event.pointerId, before, now);
    else if (event.shiftKey || event.buttons === 4 || !this.hands.drag(now.x - before.x, now.y - before.y)) this.pan(now.x - before.x, now.y - before.y);
    this.fingers.set(event.pointerId, now);
  }

  private pinch(id: number, before: { x: number; y: number }, now: { x: number; y: number }): void {
    const other = [...this.fingers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const apart = (from: { x: number; y: number }): number => Math.max(1, Math.hypot(from.x - other.x, from.y - other.y));
    const [px, py] = this.fromMiddle((now.x + other.x) / 2, (now.y + other.y) / 2);
    this.zoomBy(apart(now) / apart(before), px, py);
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    this.rolled += event.deltaMode === 0 ? event.deltaY / 60 : event.deltaY;
    const steps = Math.trunc(this.rolled);
    if (!event.ctrlKey && !event.metaKey) {
      if (steps && this.hands.wheel(steps)) return void (this.rolled -= steps);
      if (this.hands.wheel(0)) return;
    }
    this.rolled = 0;
    this.zoomBy(Math.exp(-event.deltaY / 400), ...this.fromMiddle(event.clientX, event.clientY));
  }

  private fromMiddle(x: number, y: number): [number, number] {
    const place = this.box.getBoundingClientRect();
    return [x - place.left - place.width / 2, y - place.top - place.height / 2];
  }
}

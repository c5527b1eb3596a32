// The pictures: one tile a seat with its name, who is talking, and the last frame kept when the line falters.
import { iconMarkup } from "@yersin/web/browser/parts/page";
import { _ } from "@yersin/web/browser/parts/words";
import type { Devices } from "./devices";
import { button, find, make } from "./dom";
import type { Mesh } from "./mesh";
import type { Peer } from "./peer";
import type { RoomShown, SeatShown } from "./wire";

const STALLED = 2500;

class Tile {
  readonly box = make("div", "tile");
  readonly video = make("video");
  private readonly frozen = make("canvas", "frozen");
  private readonly still = make("img", "still");
  private readonly initials: HTMLElement;
  private readonly note = make("p", "tile-note");
  private readonly marks = make("span", "tile-marks");
  private frames = 0;
  private movedAt = performance.now();
  private peer: Peer | null = null;

  constructor(public seat: SeatShown) {
    const names = seat.name.trim().split(/\s+/);
    this.initials = make("div", "tile-initials", (names.at(-1)?.[0] ?? "?").toUpperCase());
    this.video.autoplay = true;
    this.video.playsInline = true;
    this.still.alt = "";
    this.still.hidden = true;
    this.frozen.hidden = true;
    this.note.setAttribute("role", "status");
    const name = make("p", "tile-name", make("strong", "", seat.name), make("small", "", seat.place), this.marks);
    this.box.append(this.initials, this.video, this.still, this.frozen, this.note, name);
    this.box.dataset["seat"] = seat.id;
  }

  follow(seat: SeatShown, peer: Peer | null): void {
    this.seat = seat;
    if (peer !== this.peer) this.take(peer);
    const side = peer?.side;
    this.box.classList.toggle("shares", side?.screen === true);
    const muted = iconMarkup("mic-off"); // icon: "mic-off" icon: "monitor-up"
    this.marks.replaceChildren(...(side && !side.mic ? [muted] : []), ...(side?.screen ? [iconMarkup("monitor-up")] : []));
    this.draw();
  }

  private take(peer: Peer | null): void {
    if (this.peer) this.freeze();
    this.peer = peer;
    this.frames = 0;
    this.play();
    peer?.addEventListener("media", () => this.play());
    peer?.addEventListener("still", (event) => this.show((event as CustomEvent<Blob>).detail));
  }

  private play(): void {
    // Given anew: after the line was arranged afresh the element would hold on to a track that has ended.
    this.video.srcObject = this.peer ? new MediaStream(this.peer.stream.getTracks()) : null;
    this.video.play().catch((error: DOMException) => {
      if (error.name === "NotAllowedError") this.box.dispatchEvent(new CustomEvent("silenced", { bubbles: true }));
    });
  }

  private show(picture: Blob): void {
    URL.revokeObjectURL(this.still.src);
    this.still.src = URL.createObjectURL(picture);
    this.still.hidden = false;
  }

  /** Keep the picture that was seen last; somebody looks at it. */
  private freeze(): void {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || !this.frozen.hidden) return;
    this.frozen.width = videoWidth;
    this.frozen.height = videoHeight;
    this.frozen.getContext("2d")?.drawImage(this.video, 0, 0);
    this.frozen.hidden = false;
  }

  look(frames: number, talking: boolean): void {
    if (frames !== this.frames) {
      this.frames = frames;
      this.movedAt = performance.now();
    }
    this.box.classList.toggle("talks", talking);
    this.draw();
  }

  /** Show moving pictures, single ones, the last one, or the initials; and say why it is not moving. */
  draw(): void {
    const side = this.peer?.side;
    const expected = side?.camera === true && (side.rung === "video" || side.rung === "low") && side.want !== "audio";
    const moving = this.frames > 0 && performance.now() - this.movedAt < STALLED;
    // A line to the server that is cut does not concern media that still flow.
    const lost = this.peer ? !this.peer.connected : this.seat.state === "away";
    if ((lost || (expected && !moving)) && this.frames > 0) this.freeze();
    else if (moving || (!lost && !expected)) this.frozen.hidden = true;
    if (moving || side?.rung !== "stills") this.still.hidden = true;
    const bare = !moving && this.frozen.hidden !== false && this.still.hidden !== false;
    this.box.classList.toggle("bare", bare);
    this.video.classList.toggle("resting", !moving);
    const words = this.words(lost, moving, expected, bare);
    if (this.note.textContent !== words) this.note.textContent = words;
  }

  private words(lost: boolean, moving: boolean, expected: boolean, bare: boolean): string {
    const side = this.peer?.side;
    if (lost && (this.frames > 0 || !this.frozen.hidden || this.seat.state === "away")) return _("Connection lost. It comes back by itself.");
    if (lost || (!moving && expected && bare)) return _("Connecting…");
    if (!moving && expected) return _("The picture has stopped. The last one is shown.");
    if (side?.rung === "stills") return _("Weak line: one picture every five seconds");
    if (side && !side.camera) return _("Camera off");
    if (side?.rung === "audio" || bare) return _("Audio only");
    return "";
  }
}

export class Stage {
  private readonly tiles = new Map<string, Tile>();
  private readonly place = find("[data-tiles]");
  private readonly empty = find("[data-alone]");
  readonly own = find<HTMLVideoElement>("[data-own]");
  private room: RoomShown | null = null;

  constructor(
    private readonly mesh: Mesh,
    private readonly devices: Devices,
  ) {
    mesh.addEventListener("peers", () => this.follow());
    mesh.addEventListener("health", () => this.look());
    devices.addEventListener("change", () => this.showOwn());
    setInterval(() => void this.count(), 700);
    this.place.addEventListener("silenced", () => this.offerSound());
  }

  show(room: RoomShown): void {
    this.room = room;
    this.follow();
  }

  private follow(): void {
    const there = this.room?.inside ? this.room.seats.filter((seat) => seat.state === "admitted" || seat.state === "away") : [];
    for (const [id, tile] of this.tiles) {
      if (there.some((seat) => seat.id === id)) continue;
      tile.box.remove();
      this.tiles.delete(id);
    }
    for (const seat of there) {
      const tile = this.tiles.get(seat.id) ?? this.add(seat);
      tile.follow(seat, this.mesh.peers.get(seat.id) ?? null);
    }
    this.place.dataset["count"] = String(there.length);
    this.empty.hidden = there.length > 0;
    this.showOwn();
  }

  private add(seat: SeatShown): Tile {
    const tile = new Tile(seat);
    this.tiles.set(seat.id, tile);
    this.place.append(tile.box);
    return tile;
  }

  private async count(): Promise<void> {
    for (const [id, tile] of this.tiles) {
      const video = this.mesh.peers.get(id)?.stream.getVideoTracks()[0];
      const played = video ? tile.video.getVideoPlaybackQuality().totalVideoFrames : 0;
      const level = await this.level(id);
      tile.look(played, level > 0.02);
    }
  }

  private async level(id: string): Promise<number> {
    const receiver = this.mesh.peers.get(id)?.pc.getReceivers().find((each) => each.track.kind === "audio");
    return receiver?.getSynchronizationSources()[0]?.audioLevel ?? 0;
  }

  private look(): void {
    for (const tile of this.tiles.values()) tile.draw();
  }

  private showOwn(): void {
    const track = this.mesh.screen ?? this.devices.tracks.video;
    const shown = this.own.srcObject instanceof MediaStream ? this.own.srcObject.getVideoTracks()[0] : undefined;
    if (shown !== (track ?? undefined)) this.own.srcObject = track ? new MediaStream([track]) : null;
    this.own.hidden = !track;
    this.own.classList.toggle("mirrored", !this.mesh.screen && track?.getSettings().facingMode !== "environment");
    find("[data-own-muted]").hidden = this.devices.isOn("audio");
  }

  private offerSound(): void {
    if (this.place.querySelector("[data-hear]")) return;
    const hear = button(_("Press to hear the others"), "volume-2", "primary", () => {
      for (const tile of this.tiles.values()) void tile.video.play();
      hear.remove();
    }); // icon: "volume-2"
    hear.dataset["hear"] = "";
    this.place.append(hear);
  }

  /** Small JPEG of the own camera, for lines too weak for video. */
  async picture(): Promise<ArrayBuffer | null> {
    const { videoWidth, videoHeight } = this.own;
    if (!videoWidth) return null;
    const canvas = make("canvas");
    canvas.width = 320;
    canvas.height = Math.round((320 * videoHeight) / videoWidth);
    canvas.getContext("2d")?.drawImage(this.own, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", 0.5));
    return blob && blob.size < 60_000 ? blob.arrayBuffer() : null;
  }

  /** What is seen now, for the recording. */
  videos(): { video: HTMLVideoElement; name: string }[] {
    const own = this.own.srcObject ? [{ video: this.own, name: this.room?.me.name ?? "" }] : [];
    return [...[...this.tiles.values()].map((tile) => ({ video: tile.video, name: tile.seat.name })), ...own];
  }
}

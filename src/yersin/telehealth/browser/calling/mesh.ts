// Everybody in the call, each connected with each: peers come and go with the room as the server shows it.
import type { Devices, Kind } from "./devices";
import { lower, type Ladder, type Rung, start, step } from "./ladder";
import { type Measured, Peer, type Side } from "./peer";
import type { RoomShown, SeatShown, SignalBody, Wire } from "./wire";

export interface Health {
  rung: Rung;
  why: Ladder["why"];
  rtt: number;
  loss: number;
  kbps: number;
}

export class Mesh extends EventTarget {
  readonly peers = new Map<string, Peer>();
  readonly measured = new Map<string, Measured>();
  health: Health = { rung: "video", why: "start", rtt: 0, loss: 0, kbps: 0 };
  audioOnly = false;
  screen: MediaStreamTrack | null = null;
  private ladder = start();
  private me = "";
  private ice: RTCIceServer[] = [];
  private early: { sender: string; page: string; body: SignalBody }[] = [];
  private told = "";
  private stillAt = 0;

  constructor(
    private readonly wire: Wire,
    private readonly devices: Devices,
    /** Draws the present camera picture small, for the rung of single pictures. */
    private readonly picture: () => Promise<ArrayBuffer | null>,
  ) {
    super();
    wire.on("welcome", ({ seat, ice }) => {
      this.me = seat;
      this.ice = ice;
      this.told = "";
      for (const peer of this.peers.values()) peer.wake();
    });
    wire.on("room", (room) => this.follow(room));
    wire.on("signal", (told) => void this.hear(told.sender, told.page, told.body));
    devices.addEventListener("change", () => void this.setTracks());
    setInterval(() => void this.tick(), 2000);
  }

  private tracks(): Record<Kind, MediaStreamTrack | null> {
    return { audio: this.devices.tracks.audio, video: this.screen ?? this.devices.tracks.video };
  }

  private side(): Side {
    return {
      mic: this.devices.isOn("audio"),
      camera: this.screen !== null || this.devices.isOn("video"),
      screen: this.screen !== null,
      rung: this.rung,
      want: this.audioOnly ? "audio" : "video",
    };
  }

  get rung(): Rung {
    return this.audioOnly ? lower("audio", this.ladder.rung) : this.ladder.rung;
  }

  private follow(room: RoomShown): void {
    const there = room.inside ? room.seats.filter((seat) => seat.page && (seat.state === "admitted" || seat.state === "away")) : [];
    for (const [id, peer] of this.peers) {
      if (!there.some((seat) => seat.id === id && seat.page === peer.page)) this.drop(id, peer);
    }
    for (const seat of there) {
      const peer = this.peers.get(seat.id) ?? this.meet(seat);
      // Whoever is back at the server can be reached with signals again.
      if (seat.present && !peer.connected) peer.wake();
    }
    if (!there.length) {
      this.ladder = start();
      this.told = "";
    }
    this.dispatchEvent(new Event("peers"));
  }

  private drop(id: string, peer: Peer): void {
    peer.close();
    this.peers.delete(id);
    this.measured.delete(id);
    this.sizeUp();
  }

  private meet(seat: SeatShown): Peer {
    const send = (body: Partial<SignalBody>): void => this.wire.signal(seat.id, seat.page, body);
    const peer = new Peer(this.me, seat.id, seat.page, this.ice, () => this.tracks(), send, () => this.side(), () => this.peers.size, () => this.wire.up);
    this.peers.set(seat.id, peer);
    this.sizeUp();
    for (const kind of ["state", "side", "media"]) peer.addEventListener(kind, () => this.dispatchEvent(new Event("peers")));
    for (const signal of this.early.filter((each) => each.page === seat.page)) void peer.hear(signal.body);
    this.early = this.early.filter((each) => each.page !== seat.page);
    return peer;
  }

  /** The size of the pictures follows the number of people. */
  private sizeUp(): void {
    for (const peer of this.peers.values()) void peer.setRung();
  }

  private async hear(sender: string, page: string, body: SignalBody): Promise<void> {
    const peer = this.peers.get(sender);
    if (peer?.page === page) await peer.hear(body);
    else this.early = [...this.early.slice(-199), { sender, page, body }];
  }

  async setTracks(): Promise<void> {
    for (const peer of this.peers.values()) await peer.setTracks();
  }

  async share(track: MediaStreamTrack | null): Promise<void> {
    this.screen?.stop();
    this.screen = track;
    await this.setTracks();
  }

  async setAudioOnly(on: boolean): Promise<void> {
    this.audioOnly = on;
    await this.apply();
  }

  private async apply(): Promise<void> {
    for (const peer of this.peers.values()) await peer.setRung(this.rung);
    this.tell();
    this.dispatchEvent(new Event("health"));
  }

  private async tick(): Promise<void> {
    if (!this.peers.size) return;
    for (const peer of [...this.peers.values()]) {
      const measured = await peer.measure();
      if (this.peers.get(peer.seat) === peer) this.measured.set(peer.seat, measured);
    }
    const all = [...this.measured.values()];
    const worst = (of: (each: Measured) => number | null): number | null => {
      const known = all.map(of).filter((each) => each !== null);
      return known.length ? Math.max(...known) : null;
    };
    const kbps = all.map((each) => each.kbps).filter((each) => each !== null);
    const sample = {
      connected: all.some((each) => each.connected),
      loss: worst((each) => (each.connected ? each.loss : null)),
      rtt: worst((each) => (each.connected ? each.rtt : null)),
      kbps: kbps.length ? Math.min(...kbps) : null,
    };
    const before = this.rung;
    this.ladder = step(this.ladder, sample);
    const lossIn = worst((each) => each.lossIn) ?? 0;
    this.health = { rung: this.rung, why: this.ladder.why, rtt: sample.rtt ?? 0, loss: Math.max(sample.loss ?? 0, lossIn), kbps: sample.kbps ?? 0 };
    if (before !== this.rung) await this.apply();
    else this.tell();
    await this.sendStill();
    this.dispatchEvent(new Event("health"));
  }

  private tell(): void {
    if (this.told === this.rung || !this.peers.size) return;
    const chosen = this.audioOnly && this.rung === "audio";
    const { rtt, loss, kbps } = this.health;
    const said = this.wire.say({ kind: "quality", rung: this.rung, why: chosen ? "chosen" : this.ladder.why, rtt: Math.round(rtt), loss, kbps: Math.round(kbps) });
    if (said) this.told = this.rung;
  }

  private async sendStill(): Promise<void> {
    if (this.rung !== "stills" || performance.now() - this.stillAt < 4500) return;
    this.stillAt = performance.now();
    const picture = this.devices.isOn("video") ? await this.picture() : null;
    if (picture) for (const peer of this.peers.values()) peer.still(picture);
  }

  close(): void {
    for (const [id, peer] of this.peers) this.drop(id, peer);
    this.screen?.stop();
    this.screen = null;
  }
}

// One connection to one page of one seat: perfect negotiation, ICE restarts, a side channel, measurements.
// The seat with the smaller id makes the lines and every offer; the other, polite, asks it to, so that offers rarely meet:
// an offer taken back costs Chromium the pictures it was sending.
// Source: https://www.w3.org/TR/webrtc/#perfect-negotiation-example
import type { Kind } from "./devices";
import { at, lower, type Rung, type Sample } from "./ladder";
import { Told } from "./told";
import type { SignalBody } from "./wire";

/** What pages tell each other directly. `want` is the most this page wants to receive. */
export interface Side {
  mic: boolean;
  camera: boolean;
  screen: boolean;
  rung: Rung;
  want: Rung;
}
export interface Measured extends Sample {
  lossIn: number;
  framesDecoded: number;
  level: number;
  kbpsIn: number;
}
/** The parts of getStats that are read here, of several kinds of reports. */
interface Report {
  id: string;
  type: string;
  timestamp: number;
  nominated?: boolean;
  state?: string;
  fractionLost?: number;
  roundTripTime?: number;
  currentRoundTripTime?: number;
  availableOutgoingBitrate?: number;
  packetsLost?: number;
  packetsReceived?: number;
  bytesReceived?: number;
  framesDecoded?: number;
  audioLevel?: number;
}
interface Sums {
  lost: number;
  received: number;
  bytes: number;
  at: number;
}
const ENCODINGS: Record<Rung, Partial<RTCRtpEncodingParameters>> = {
  video: { active: true, maxBitrate: 1_200_000, maxFramerate: 24, scaleResolutionDownBy: 1 },
  low: { active: true, maxBitrate: 140_000, maxFramerate: 10, scaleResolutionDownBy: 3 },
  audio: { active: false },
  stills: { active: false },
  text: { active: false },
};

/** Each further person costs another picture to make: half the size is made for two. */
const CROWD: Partial<RTCRtpEncodingParameters> = { active: true, maxBitrate: 600_000, maxFramerate: 20, scaleResolutionDownBy: 2 };

export class Peer extends EventTarget {
  readonly stream = new MediaStream();
  readonly pc: RTCPeerConnection;
  side: Side = { mic: true, camera: true, screen: false, rung: "video", want: "video" };
  connected = false;
  private readonly channel: RTCDataChannel;
  private readonly polite: boolean;
  private making = false;
  private ignoring = false;
  private settling = false;
  private early: RTCIceCandidateInit[] = [];
  private rung: Rung = "video";
  private setting: Promise<void> = Promise.resolve();
  private sums: Sums = { lost: 0, received: 0, bytes: 0, at: performance.now() };
  private readonly words = new Told();
  private healing = 0;
  private tries = 0;
  private offered = 0;
  private closed = false;

  constructor(
    me: string,
    readonly seat: string,
    readonly page: string,
    ice: RTCIceServer[],
    private readonly tracks: () => Record<Kind, MediaStreamTrack | null>,
    private readonly signal: (body: Partial<SignalBody>) => void,
    private readonly mySide: () => Side,
    private readonly crowd: () => number,
    /** Whether signals can be sent now; without a line to the server nothing can be arranged. */
    private readonly reachable: () => boolean,
  ) {
    super();
    this.polite = me > seat;
    this.pc = new RTCPeerConnection({ iceServers: ice, bundlePolicy: "max-bundle" });
    this.channel = this.pc.createDataChannel("side", { negotiated: true, id: 0 });
    this.channel.binaryType = "arraybuffer";
    this.channel.onopen = () => this.tellSide();
    this.channel.onmessage = (event) => this.told(event.data as string | ArrayBuffer);
    this.pc.onicecandidate = ({ candidate }) => candidate && this.signal({ candidate: candidate.toJSON() });
    this.pc.onnegotiationneeded = () => void this.offer();
    this.pc.ontrack = ({ track }) => this.arrived(track);
    this.pc.onconnectionstatechange = () => this.changed();
    if (!this.polite) this.makeLines();
  }

  private makeLines(): void {
    for (const kind of ["audio", "video"] as const) {
      const transceiver = this.pc.addTransceiver(kind, { direction: "sendrecv" });
      const track = this.tracks()[kind];
      if (track) void transceiver.sender.replaceTrack(track);
    }
    this.preferVp8();
  }

  private preferVp8(): void {
    const all = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
    const first = all.filter((codec) => codec.mimeType === "video/VP8");
    const video = this.pc.getTransceivers()[1];
    if (first.length && video?.setCodecPreferences) video.setCodecPreferences([...first, ...all.filter((codec) => codec.mimeType !== "video/VP8")]);
  }

  private async offer(): Promise<void> {
    if (this.polite) return;
    try {
      this.making = true;
      this.offered = performance.now();
      await this.pc.setLocalDescription();
      this.send();
    } finally {
      this.making = false;
    }
  }

  private send(): void {
    const description = this.pc.localDescription;
    if (description && !this.closed) this.signal({ description: { type: description.type, sdp: description.sdp } });
  }

  async hear({ description, candidate }: SignalBody): Promise<void> {
    if (this.closed) return;
    // An answer to an offer that was made again meanwhile is out of date, and the newer one is on its way.
    if (description) await this.describe(description).catch((error: Error) => console.warn("description not taken", error.name));
    else if (candidate) await this.consider(candidate);
    else this.restart();
  }

  private async describe(description: RTCSessionDescriptionInit): Promise<void> {
    const ready = !this.making && (this.pc.signalingState === "stable" || this.settling);
    const collision = description.type === "offer" && !ready;
    this.ignoring = !this.polite && collision;
    if (this.ignoring) return;
    this.settling = description.type === "answer";
    await this.pc.setRemoteDescription(description);
    this.settling = false;
    for (const candidate of this.early.splice(0)) await this.consider(candidate);
    if (description.type !== "offer") return;
    for (const transceiver of this.pc.getTransceivers()) transceiver.direction = "sendrecv";
    await this.setTracks();
    await this.pc.setLocalDescription();
    this.send();
  }

  private async consider(candidate: RTCIceCandidateInit): Promise<void> {
    if (!this.pc.remoteDescription) {
      this.early.push(candidate);
      return;
    }
    try {
      await this.pc.addIceCandidate(candidate);
    } catch (error) {
      if (!this.ignoring) console.warn("candidate not taken", (error as Error).name);
    }
  }

  /** Put the present camera, screen and microphone on the lines; nothing is negotiated for that. */
  async setTracks(): Promise<void> {
    const tracks = this.tracks();
    for (const transceiver of this.pc.getTransceivers()) {
      const wanted = tracks[transceiver.receiver.track.kind as Kind];
      if (transceiver.sender.track !== wanted) await transceiver.sender.replaceTrack(wanted).catch(() => undefined);
    }
    this.tellSide();
  }

  /** Send at most what this rung of the ladder carries and what the other side wants. */
  async setRung(rung = this.rung): Promise<void> {
    this.rung = rung;
    this.tellSide();
    // One after the other: a sender refuses parameters that were read before another change.
    this.setting = this.setting.then(() => this.encode());
    await this.setting;
  }

  private async encode(): Promise<void> {
    const together = lower(this.rung, this.side.want);
    const picture = together === "video" && this.crowd() > 1 ? CROWD : ENCODINGS[together];
    const sound = { active: at(this.rung) <= at("audio"), maxBitrate: this.rung === "video" ? 40_000 : 20_000 };
    for (const { sender, receiver } of this.pc.getTransceivers()) {
      const wanted = receiver.track.kind === "video" ? picture : sound;
      const parameters = sender.getParameters();
      if (!parameters.encodings?.length) continue;
      parameters.encodings = parameters.encodings.map((encoding) => ({ ...encoding, ...wanted }));
      await sender.setParameters(parameters).catch((error: Error) => console.warn("rung not set", error.name));
    }
  }

  private arrived(track: MediaStreamTrack): void {
    const before = this.stream.getTracks().filter((each) => each.kind === track.kind && each !== track);
    for (const old of before) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    this.dispatchEvent(new Event("media"));
  }

  private changed(): void {
    const state = this.pc.connectionState;
    this.connected = state === "connected";
    clearTimeout(this.healing);
    if (this.connected) {
      this.tries = 0;
      void this.setRung();
    } else if (state === "failed") this.heal(0);
    else if (state === "disconnected") this.heal(1500);
    this.dispatchEvent(new Event("state"));
  }

  /** Look for another way to the other side, again and again with growing pauses; one side begins, the other follows. */
  private heal(pause: number): void {
    clearTimeout(this.healing);
    this.healing = window.setTimeout(() => {
      if (this.closed || this.connected) return;
      if (!this.reachable()) {
        this.heal(1000);
        return;
      }
      if (this.polite) this.signal({});
      else this.restart();
      this.tries += 1;
      this.heal(Math.min(10_000, 3000 + this.tries * 1000));
    }, pause);
  }

  /** Offer another way, one offer at a time; one that was not answered for long may have been lost. */
  private restart(): void {
    const age = performance.now() - this.offered;
    if (this.polite || age < 3000) return;
    if (this.pc.signalingState === "stable") this.pc.restartIce();
    else if (age > 20_000) {
      this.offered = performance.now();
      this.send();
    }
  }

  /** The line to the server is back: whatever was being tried is tried at once. */
  wake(): void {
    if (!this.closed && ["disconnected", "failed"].includes(this.pc.connectionState)) this.heal(0);
  }

  tellSide(): void {
    if (this.channel.readyState === "open") this.channel.send(JSON.stringify(this.mySide()));
  }

  private told(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      this.dispatchEvent(new CustomEvent("still", { detail: new Blob([data], { type: "image/jpeg" }) }));
      return;
    }
    const before = this.side.want;
    this.side = { ...this.side, ...(JSON.parse(data) as Partial<Side>) };
    if (this.side.want !== before) void this.setRung();
    this.dispatchEvent(new Event("side"));
  }

  still(picture: ArrayBuffer): void {
    if (this.channel.readyState === "open" && this.channel.bufferedAmount < 32_768) this.channel.send(picture);
  }

  async measure(): Promise<Measured> {
    const made: Measured = { connected: this.connected, loss: null, rtt: null, kbps: null, lossIn: 0, framesDecoded: 0, level: 0, kbpsIn: 0 };
    if (this.closed) return made;
    const now: Sums = { lost: 0, received: 0, bytes: 0, at: performance.now() };
    for (const report of (await this.pc.getStats()).values() as Iterable<Report>) this.read(report, made, now);
    const lost = Math.max(0, now.lost - this.sums.lost);
    const all = lost + Math.max(0, now.received - this.sums.received);
    made.lossIn = all > 20 ? lost / all : 0;
    made.kbpsIn = ((now.bytes - this.sums.bytes) * 8) / Math.max(1, now.at - this.sums.at);
    this.sums = now;
    return made;
  }

  private read(report: Report, made: Measured, sums: Sums): void {
    const { type } = report;
    if (type === "remote-inbound-rtp") {
      if (!this.words.isNew(report.id, report.timestamp, sums.at)) return;
      made.loss = Math.max(made.loss ?? 0, report.fractionLost ?? 0);
      made.rtt = Math.max(made.rtt ?? 0, (report.roundTripTime ?? 0) * 1000);
    } else if (type === "candidate-pair" && report.nominated && report.state === "succeeded") {
      if (report.availableOutgoingBitrate) made.kbps = report.availableOutgoingBitrate / 1000;
      made.rtt = Math.max(made.rtt ?? 0, (report.currentRoundTripTime ?? 0) * 1000);
    } else if (type === "inbound-rtp") {
      sums.lost += report.packetsLost ?? 0;
      sums.received += report.packetsReceived ?? 0;
      sums.bytes += report.bytesReceived ?? 0;
      made.framesDecoded += report.framesDecoded ?? 0;
      made.level = Math.max(made.level, report.audioLevel ?? 0);
    }
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.healing);
    this.pc.close();
  }
}

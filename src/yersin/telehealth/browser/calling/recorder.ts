// The recording, made in the host's browser from what is seen and heard, and streamed to the server piece by piece.
import { send } from "@yersin/web/browser/parts/page";
import type { Devices } from "./devices";
import type { Mesh } from "./mesh";
import { context } from "./sound";
import type { Stage } from "./stage";
import { make } from "./dom";

const SLICE = 2000;
const FORMATS = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

export class Recorder extends EventTarget {
  private recorder: MediaRecorder | null = null;
  private readonly canvas = make("canvas");
  private timer = 0;
  private mixed: MediaStreamAudioDestinationNode | null = null;
  private readonly sources = new Map<string, MediaStreamAudioSourceNode>();
  private queue: { number: number; chunk: Blob }[] = [];
  private kept = new Map<number, Blob>();
  private count = 0;
  private id = "";
  private sending = false;
  private done: (() => void) | null = null;

  constructor(
    private readonly url: string,
    private readonly stage: Stage,
    private readonly mesh: Mesh,
    private readonly devices: Devices,
  ) {
    super();
    this.canvas.width = 1280;
    this.canvas.height = 720;
    addEventListener("online", () => void this.upload());
  }

  get running(): boolean {
    return this.recorder !== null && this.recorder.state !== "inactive";
  }

  /** Pieces that the server does not have yet. */
  get waiting(): number {
    return this.queue.length;
  }

  async start(): Promise<boolean> {
    const type = FORMATS.find((each) => MediaRecorder.isTypeSupported(each));
    if (!type || this.running) return false;
    const answer = await send(`${this.url}/recordings`, JSON.stringify({ media_type: type }), "application/json").catch(() => null);
    if (!answer?.ok) return false;
    this.id = ((await answer.json()) as { id: string }).id;
    this.count = 0;
    this.kept = new Map();
    this.mixed = context().createMediaStreamDestination();
    this.draw();
    this.timer = window.setInterval(() => this.draw(), 66);
    const stream = new MediaStream([...this.canvas.captureStream(15).getTracks(), ...this.mixed.stream.getTracks()]);
    this.recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 900_000, audioBitsPerSecond: 48_000 });
    this.recorder.ondataavailable = ({ data }) => this.add(data);
    this.recorder.onstop = () => void this.finish();
    this.recorder.start(SLICE);
    return true;
  }

  pause(on: boolean): void {
    if (on && this.recorder?.state === "recording") this.recorder.pause();
    if (!on && this.recorder?.state === "paused") this.recorder.resume();
  }

  /** Stop; the answer comes when every piece has reached the server. */
  async stop(): Promise<void> {
    if (!this.recorder || this.recorder.state === "inactive") return;
    const finished = new Promise<void>((done) => (this.done = done));
    this.recorder.stop();
    clearInterval(this.timer);
    await finished;
  }

  private add(chunk: Blob): void {
    if (!chunk.size) return;
    this.queue.push({ number: this.count++, chunk });
    void this.upload();
  }

  private async upload(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    let pause = 500;
    while (this.queue[0]) {
      const { number, chunk } = this.queue[0];
      const answer = await send(`${this.url}/recordings/${this.id}/chunks/${number}`, chunk, "application/octet-stream").catch(() => null);
      if (answer?.ok || answer?.status === 409) {
        // The last minutes are held until the recording is closed, lest the server lost what it had taken.
        this.kept.set(number, chunk);
        this.kept.delete(number - 90);
        this.queue.shift();
        pause = 500;
      } else {
        await new Promise((again) => setTimeout(again, pause));
        pause = Math.min(8000, pause * 2);
      }
      this.dispatchEvent(new Event("change"));
    }
    this.sending = false;
  }

  private async finish(): Promise<void> {
    for (let turn = 0; turn < 40; turn++) {
      await this.upload();
      const answer = this.queue.length ? null : await this.close();
      if (answer && !answer.length) break;
      for (const number of answer ?? []) {
        const chunk = this.kept.get(number);
        if (chunk) this.queue.push({ number, chunk });
      }
      await new Promise((again) => setTimeout(again, 1000));
    }
    this.clear();
  }

  private async close(): Promise<number[] | null> {
    const answer = await send(`${this.url}/recordings/${this.id}/finish`, JSON.stringify({ chunks: this.count }), "application/json").catch(() => null);
    return answer?.ok ? ((await answer.json()) as { missing: number[] }).missing : null;
  }

  private clear(): void {
    for (const source of this.sources.values()) source.disconnect();
    this.sources.clear();
    this.recorder = null;
    this.done?.();
    this.dispatchEvent(new Event("change"));
  }

  private draw(): void {
    const pen = this.canvas.getContext("2d");
    if (!pen) return;
    this.hear();
    pen.fillStyle = "#12142a";
    pen.fillRect(0, 0, 1280, 720);
    const shown = this.stage.videos();
    const columns = shown.length > 1 ? 2 : 1;
    const [width, height] = [1280 / columns, 720 / Math.ceil(Math.max(1, shown.length) / columns)];
    shown.forEach(({ video, name }, index) => {
      const [left, top] = [(index % columns) * width, Math.floor(index / columns) * height];
      const scale = Math.min(width / (video.videoWidth || width), (height - 34) / (video.videoHeight || height));
      const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
      if (w) pen.drawImage(video, left + (width - w) / 2, top + (height - 34 - h) / 2, w, h);
      pen.fillStyle = "#ffffff";
      pen.font = "20px system-ui, sans-serif";
      pen.fillText(name, left + 14, top + height - 11, width - 28);
    });
  }

  /** Mix in every voice that has come since. */
  private hear(): void {
    const voices = [this.devices.tracks.audio, ...[...this.mesh.peers.values()].map((peer) => peer.stream.getAudioTracks()[0])];
    for (const track of voices) {
      if (!track || !this.mixed || this.sources.has(track.id)) continue;
      const source = context().createMediaStreamSource(new MediaStream([track]));
      source.connect(this.mixed);
      this.sources.set(track.id, source);
    }
  }
}

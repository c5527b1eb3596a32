// What the other side has told of our streams. Of a stream that rests it tells nothing more, and the browser shows its last
// word for ever: a picture that stopped on a bad line would keep the call from ever being taken up again.
// Source: https://www.w3.org/TR/webrtc-stats/#remoteinboundrtpstats-dict* (a report comes by RTCP, of sound each five seconds or so)
const COUNTS = 10_000;

export class Told {
  private readonly last = new Map<string, { said: number; heard: number }>();

  /** Whether a report speaks of the line as it is now; `said` is its own time, `now` ours, in milliseconds. */
  isNew(stream: string, said: number, now: number): boolean {
    const before = this.last.get(stream);
    if (before?.said === said) return now - before.heard < COUNTS;
    this.last.set(stream, { said, heard: now });
    return true;
  }
}

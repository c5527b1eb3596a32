// The ladder from video down to writing: steps down quickly, up slowly, and says why. Pure: samples in, a step out.
export const RUNGS = ["video", "low", "audio", "stills", "text"] as const;
export type Rung = (typeof RUNGS)[number];
export type Why = "start" | "loss" | "delay" | "rate" | "chosen" | "better";

/** What two seconds have shown: share of packets lost, round trip in ms, kbit/s the line would carry; null is unknown. */
export interface Sample {
  connected: boolean;
  loss: number | null;
  rtt: number | null;
  kbps: number | null;
}
export interface Ladder {
  rung: Rung;
  why: Why;
  bad: number;
  good: number;
  /** Good samples needed to go up; doubles when going up turned out too early. */
  patience: number;
  /** Samples since the last step up. */
  since: number;
  apart: number;
}
interface Limit {
  loss: number;
  rtt: number;
  kbps: number;
}
const LIMITS: Record<Rung, Limit> = {
  video: { loss: 0.08, rtt: 700, kbps: 220 },
  low: { loss: 0.15, rtt: 1300, kbps: 70 },
  audio: { loss: 0.3, rtt: 2500, kbps: 14 },
  stills: { loss: 0.7, rtt: 8000, kbps: 0 },
  text: { loss: 1, rtt: Infinity, kbps: 0 },
};
const PATIENCE = 6;
const APART = 6;

export const start = (): Ladder => ({ rung: "video", why: "start", bad: 0, good: 0, patience: PATIENCE, since: 0, apart: 0 });
export const at = (rung: Rung): number => RUNGS.indexOf(rung);
export const lower = (one: Rung, other: Rung): Rung => (at(one) >= at(other) ? one : other);

/** What is wrong with a line for a rung; `share` of what may be lost and last, `carried` times what is measured as its rate. */
function trouble(sample: Sample, limit: Limit, share = 1, carried = 1): Why | null {
  if ((sample.loss ?? 0) > limit.loss * share) return "loss";
  if ((sample.rtt ?? 0) > limit.rtt * share) return "delay";
  if (sample.kbps !== null && sample.kbps * carried < limit.kbps) return "rate";
  return null;
}

function down(ladder: Ladder, why: Why): Ladder {
  const rung = RUNGS[Math.min(at(ladder.rung) + 1, RUNGS.length - 1)] as Rung;
  const hasty = ladder.since > 0 && ladder.since < 15;
  return { ...ladder, rung, why, bad: 0, good: 0, since: 0, patience: hasty ? Math.min(48, ladder.patience * 2) : ladder.patience };
}

export function step(ladder: Ladder, sample: Sample): Ladder {
  if (!sample.connected) return apart(ladder);
  const now = { ...ladder, apart: 0, since: ladder.since && ladder.since + 1 };
  if (ladder.rung === "text") return { ...now, rung: "audio", why: "better", good: 0, bad: 0, since: 1 };
  // What was not sent while a picture rested is counted as lost in the first reports after it.
  const seen = ladder.since > 0 && ladder.since < 4 ? { ...sample, loss: null } : sample;
  const why = trouble(seen, LIMITS[ladder.rung]);
  if (why) {
    const severe = (seen.loss ?? 0) > LIMITS[ladder.rung].loss * 2;
    return now.bad + 1 >= 2 || severe ? down(now, why) : { ...now, bad: now.bad + 1, good: 0 };
  }
  const above = RUNGS[at(ladder.rung) - 1];
  if (!above) return { ...now, bad: 0 };
  // Without video on the line the browser does not know what it could carry, so only loss and delay speak.
  const known = ladder.rung === "low" ? sample : { ...sample, kbps: null };
  // Going up asks for clearly less loss and delay than would cost the rung; the rate is believed more than it says, since a
  // browser that sends a small picture does not try how much more the line would carry.
  const good = trouble(known, LIMITS[above], 0.6, 1.6) ? 0 : now.good + 1;
  if (good < now.patience) return { ...now, bad: 0, good };
  return { ...now, rung: above, why: "better", bad: 0, good: 0, since: 1 };
}

/** No connection at all: after some seconds only writing is left, which goes by the server. */
function apart(ladder: Ladder): Ladder {
  const count = ladder.apart + 1;
  if (count < APART || ladder.rung === "text") return { ...ladder, apart: count };
  return { ...ladder, apart: count, rung: "text", why: "loss", bad: 0, good: 0 };
}

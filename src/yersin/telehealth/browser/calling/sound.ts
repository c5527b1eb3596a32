// Loudness of a microphone, and a tone to test the speaker.
let shared: AudioContext | null = null;

export function context(): AudioContext {
  shared ??= new AudioContext();
  void shared.resume();
  return shared;
}

/** Call `heard` with a loudness from 0 to 1 ten times a second until the answer is called. */
export function loudness(track: MediaStreamTrack, heard: (level: number) => void): () => void {
  const source = context().createMediaStreamSource(new MediaStream([track]));
  const analyser = context().createAnalyser();
  analyser.fftSize = 512;
  source.connect(analyser);
  const wave = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(wave);
    const power = Math.sqrt(wave.reduce((sum, each) => sum + each * each, 0) / wave.length);
    // Speech lies between -50 and -10 dB; the meter shows that range.
    heard(Math.max(0, Math.min(1, (20 * Math.log10(power + 1e-6) + 55) / 45)));
  }, 100);
  return () => {
    clearInterval(timer);
    source.disconnect();
  };
}

export function chime(): void {
  const now = context().currentTime;
  [523.25, 659.25, 783.99].forEach((pitch, index) => {
    const tone = context().createOscillator();
    const gain = context().createGain();
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0, now + index * 0.28);
    gain.gain.linearRampToValueAtTime(0.25, now + index * 0.28 + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, now + index * 0.28 + 0.5);
    tone.connect(gain).connect(context().destination);
    tone.start(now + index * 0.28);
    tone.stop(now + index * 0.28 + 0.55);
  });
}

// Waiting clocks count up every second; colour and a mark change when a wait grows long. The server says how long it has
// been when the page is drawn, and the browser only counts on from there: its own clock and zone may be wrong.
const began = new WeakMap<HTMLElement, number>();

function text(seconds: number): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

function start(clock: HTMLElement): number {
  const known = began.get(clock);
  if (known !== undefined) return known;
  const made = performance.now() - Number(clock.dataset["waited"]) * 1000;
  began.set(clock, made);
  return made;
}

function tick(): void {
  for (const clock of document.querySelectorAll<HTMLElement>("[data-waited]")) {
    const seconds = Math.max(0, Math.floor((performance.now() - start(clock)) / 1000));
    const words = clock.querySelector(".wait-text");
    const minutes = seconds / 60;
    const late = minutes >= Number(clock.dataset["late"]);
    clock.classList.toggle("late", late);
    clock.classList.toggle("warn", !late && minutes >= Number(clock.dataset["warn"]));
    if (words) words.textContent = text(seconds);
  }
}

export function startClocks(): void {
  tick();
  setInterval(tick, 1000);
}

// Waiting clocks count up every second; colour and a mark change when a wait grows long.
function text(seconds: number): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

function tick(): void {
  for (const clock of document.querySelectorAll<HTMLElement>("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset["since"] ?? "")) / 1000));
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

// The drop zone: dropped files join the file field, and each is listed with its size. The form sends them.
import { forEach } from "./page";
import { _ } from "./words";

function size(bytes: number): string {
  const format = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
  if (bytes < 1e6) return `${format.format(Math.max(1, Math.round(bytes / 1e3)))} kB`;
  return `${format.format(bytes / 1e6)} MB`;
}

function list(input: HTMLInputElement, place: Element | null): void {
  const items = [...(input.files ?? [])].map((file) => {
    const item = document.createElement("li");
    item.className = "upload-item";
    const name = document.createElement("span");
    name.className = "grow truncate";
    name.textContent = file.name;
    const note = document.createElement("small");
    note.className = "muted";
    note.textContent = size(file.size);
    item.append(name, note);
    return item;
  });
  place?.replaceChildren(...items);
}

function progress(form: HTMLFormElement, place: Element | null): void {
  form.addEventListener("htmx:xhr:progress", (event) => {
    const { loaded, total } = (event as CustomEvent<{ loaded: number; total: number }>).detail;
    let bar = place?.querySelector("progress");
    if (!bar && place?.lastElementChild) {
      bar = document.createElement("progress");
      bar.setAttribute("aria-label", _("Sending…"));
      place.lastElementChild.append(bar);
    }
    if (bar && total) bar.value = loaded / total;
  });
}

export function startUploads(): void {
  forEach("[data-upload]", (zone) => {
    const input = zone.querySelector<HTMLInputElement>('input[type="file"]');
    const place = zone.querySelector("[data-upload-list]");
    if (!input) return;
    input.addEventListener("change", () => list(input, place));
    if (input.form) progress(input.form, place);
    const over = (on: boolean) => (event: DragEvent) => {
      event.preventDefault();
      zone.classList.toggle("over", on);
    };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (event) => {
      over(false)(event);
      const dropped = new DataTransfer();
      for (const file of [...(input.multiple ? (input.files ?? []) : []), ...(event.dataTransfer?.files ?? [])]) dropped.items.add(file);
      input.files = dropped.files;
      list(input, place);
    });
  });
}

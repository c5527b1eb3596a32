// Native dialogs: `data-open="id"` opens, `data-close` closes, a click beside it closes; focus returns by itself.
export function openDialog(dialog: HTMLDialogElement): void {
  if (dialog.open) return;
  dialog.showModal();
  dialog.querySelector<HTMLElement>("[data-first], [autofocus]")?.focus();
}

export function startDialogs(): void {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const opener = event.target.closest<HTMLElement>("[data-open]");
    const wanted = opener && document.getElementById(opener.dataset["open"] ?? "");
    if (wanted instanceof HTMLDialogElement) openDialog(wanted);
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target instanceof HTMLDialogElement) event.target.close();
  });
}

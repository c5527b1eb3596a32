// Menus are <details>: this closes them on Escape, outside clicks and leaving focus, and opens the side menu on phones.
function closeAll(except?: Element | null): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
}

function sideMenu(open: boolean): void {
  document.body.classList.toggle("menu-open", open);
  if (open) document.querySelector<HTMLElement>(".shell-menu a")?.focus();
  else document.querySelector<HTMLElement>("[data-menu-open]")?.focus();
}

export function startMenus(): void {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    closeAll(event.target.closest("details[data-menu]"));
    if (event.target.closest("[data-menu-open]")) {
      event.preventDefault();
      sideMenu(true);
    } else if (event.target.closest("[data-menu-close]")) sideMenu(false);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target instanceof Element) closeAll(event.target.closest("details[data-menu]"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector<HTMLDetailsElement>("details[data-menu][open]");
    open?.querySelector("summary")?.focus();
    closeAll();
    if (document.body.classList.contains("menu-open")) sideMenu(false);
  });
}

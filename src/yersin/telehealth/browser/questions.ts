// The list of questions came back from the server after a change: the draft must learn of it, and focus must stay near.
document.addEventListener("htmx:afterSwap", (event) => {
  const list = event.target instanceof Element ? document.querySelector<HTMLElement>("[data-questions]") : null;
  if (!list || !(event as CustomEvent<{ target: Element }>).detail.target.matches("[data-questions]")) return;
  list.closest("form")?.dispatchEvent(new Event("change"));
  const areas = [...list.querySelectorAll("textarea")];
  (areas.find((area) => !area.value) ?? areas.at(-1))?.focus();
});

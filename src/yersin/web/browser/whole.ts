// Watches that the page came whole, and fetches it again where not. A phone that changes its network while a page loads drops
// some of it; without its script a page looks well and does nothing. Loaded first, and of nothing else's parts.
{
  const TRIES = "yersin-fetched-again";
  const missing = new Set<string>();
  let isTyped = false;

  const addressOf = (part: EventTarget | null): string =>
    part instanceof HTMLScriptElement ? part.src : part instanceof HTMLLinkElement && part.rel === "stylesheet" ? part.href : "";

  const isThere = (address: string): Promise<boolean> =>
    fetch(address).then(
      (answer) => answer.ok,
      () => false,
    );

  const arrived = async (): Promise<void> => {
    for (let pause = 500; ; pause = Math.min(pause * 2, 30_000)) {
      if ((await Promise.all([...missing].map(isThere))).every(Boolean)) return;
      await new Promise((done) => setTimeout(done, pause));
    }
  };

  // Never over what someone typed, never sending a form once more, and not for ever.
  const fetchAgain = async (): Promise<void> => {
    const note = document.getElementById("missing-part");
    note?.removeAttribute("hidden");
    await arrived();
    const tries = Number(sessionStorage.getItem(TRIES) ?? 0);
    if (isTyped || tries >= 3 || note?.dataset["again"] === undefined) return;
    sessionStorage.setItem(TRIES, String(tries + 1));
    location.reload();
  };

  const note = ({ target }: Event): void => {
    const address = addressOf(target);
    if (address) missing.add(address);
  };

  addEventListener("error", note, true);
  addEventListener("input", () => (isTyped = true), true);
  for (const link of document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")) if (!link.sheet) missing.add(link.href);
  addEventListener("load", () => {
    if (missing.size > 0) void fetchAgain();
    else sessionStorage.removeItem(TRIES);
  });
}

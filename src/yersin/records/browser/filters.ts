// Filters of the timeline act when they are chosen; without script the button does it.
import { forEach } from "@yersin/web/browser/parts/page";

forEach<HTMLInputElement | HTMLSelectElement>("[data-submit]", (field) => {
  field.addEventListener("change", () => field.form?.requestSubmit());
});

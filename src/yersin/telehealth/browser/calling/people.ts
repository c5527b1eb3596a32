// Who is in the call and who waits, and what the person in charge may do with each.
import { _ } from "@yersin/web/browser/parts/words";
import { button, find, make } from "./dom";
import type { RoomShown, SeatShown, Wire } from "./wire";

// icon: "door-open" icon: "undo-2" icon: "user-x" icon: "arrow-right-left"
export class People {
  private readonly list = find("[data-people]");
  private readonly waiting = find("[data-waiting]");
  private key = "";

  constructor(private readonly wire: Wire) {}

  show(room: RoomShown): void {
    const key = JSON.stringify([room.me, room.seats]);
    if (key === this.key) return;
    this.key = key;
    const mine = room.me.role === "host";
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["act"] : undefined;
    this.list.replaceChildren(this.line(room.me, true, false), ...room.seats.map((seat) => this.line(seat, false, mine)));
    this.waiting.replaceChildren(...(mine ? room.seats.filter((seat) => seat.state === "waiting").map((seat) => this.bell(seat)) : []));
    if (focused) document.querySelector<HTMLElement>(`[data-act="${focused}"]`)?.focus();
  }

  private standing(seat: SeatShown): string {
    if (seat.state === "waiting") return seat.present ? _("In the waiting room") : _("Was in the waiting room, now away");
    if (seat.state === "away") return _("Connection lost");
    if (seat.role === "host") return _("In charge of the call");
    return seat.role === "guest" ? _("Guest, in the call") : _("In the call");
  }

  private line(seat: SeatShown, me: boolean, mine: boolean): HTMLElement {
    const name = make("p", "", make("strong", "", seat.name), me ? ` (${_("you")})` : "");
    const item = make("li", seat.state, make("div", "grow", name, make("p", "muted small", [seat.place, this.standing(seat)].filter(Boolean).join(" · "))));
    if (mine) item.append(make("div", "row", ...this.acts(seat)));
    return item;
  }

  private acts(seat: SeatShown): HTMLElement[] {
    if (seat.state === "waiting") return [this.act(_("Admit"), "door-open", "primary", "admit", seat), this.act(_("Show out"), "user-x", "quiet", "remove", seat)];
    const acts = [this.act(_("To the waiting room"), "undo-2", "quiet", "sendback", seat), this.act(_("Show out"), "user-x", "quiet", "remove", seat)];
    return seat.may_host ? [this.act(_("Hand over"), "arrow-right-left", "quiet", "handover", seat), ...acts] : acts;
  }

  private act(label: string, icon: string, kind: string, what: string, seat: SeatShown): HTMLElement {
    const made = button(label, icon, kind, () => this.wire.say({ kind: what, seat: seat.id }));
    made.setAttribute("aria-label", `${label}: ${seat.name}`);
    made.dataset["act"] = `${what}-${seat.id}`;
    return made;
  }

  private bell(seat: SeatShown): HTMLElement {
    const words = make("p", "grow", make("strong", "", seat.name), ` ${seat.present ? _("is in the waiting room") : _("was in the waiting room and is away")}`);
    if (seat.place) words.append(make("small", "", seat.place));
    const admit = this.act(_("Admit"), "door-open", "primary", "admit", seat);
    admit.dataset["act"] = `bell-${seat.id}`;
    return make("div", "bell", words, admit);
  }
}

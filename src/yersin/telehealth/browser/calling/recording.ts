// Recording, as everybody sees it: the question, each answer, the mark while it runs. Nothing runs before all have agreed.
import { toast } from "@yersin/web/browser/parts/toast";
import { _ } from "@yersin/web/browser/parts/words";
import { find } from "./dom";
import type { Recorder } from "./recorder";
import type { RoomShown, SeatShown, Wire } from "./wire";

export class Recording {
  private readonly banner = find("[data-recording]");
  private room: RoomShown | null = null;
  private starting = false;

  constructor(
    private readonly wire: Wire,
    private readonly recorder: Recorder,
  ) {
    for (const answer of document.querySelectorAll<HTMLElement>("[data-agree]")) {
      answer.addEventListener("click", () => wire.say({ kind: "answerrecording", agrees: answer.dataset["agree"] === "yes" }));
    }
    recorder.addEventListener("change", () => this.room && this.words(this.room));
  }

  show(room: RoomShown): void {
    this.room = room;
    const mine = room.me.role === "host";
    if (mine) this.lead(room);
    this.words(room);
  }

  private lead(room: RoomShown): void {
    if (room.recording === "off" && this.recorder.running) void this.recorder.stop();
    if (this.recorder.running) this.recorder.pause(!room.may_record);
    // After a reload of the host's page a new recording goes on where the first one broke off.
    if (room.recording !== "off" && room.may_record && !this.recorder.running && !this.starting) void this.begin();
  }

  private async begin(): Promise<void> {
    this.starting = true;
    const began = await this.recorder.start();
    this.starting = false;
    if (!began) {
      toast(_("The recording could not be started in this browser."), "danger");
      this.wire.say({ kind: "stoprecording" });
    }
  }

  private words(room: RoomShown): void {
    const inside = room.inside ? [room.me, ...room.seats.filter((seat) => seat.state === "admitted" || seat.state === "away")] : [room.me];
    const asked = room.recording !== "off";
    const undecided = asked && room.me.consent === null;
    for (const place of document.querySelectorAll<HTMLElement>("[data-asks]")) place.hidden = !undecided;
    this.banner.hidden = !asked || !room.inside;
    this.banner.classList.toggle("runs", room.recording === "running" && room.may_record);
    find("[data-recording-words]").textContent = this.sentence(room, inside);
    find<HTMLElement>("[data-withdraw]").hidden = !asked || room.me.consent !== true || room.me.role === "host";
  }

  private sentence(room: RoomShown, inside: SeatShown[]): string {
    const names = (of: SeatShown[]): string => of.map((seat) => seat.name).join(", ");
    const against = inside.filter((seat) => seat.consent === false);
    const open = inside.filter((seat) => seat.consent === null);
    if (against.length) return _("Not recording: %(names)s did not agree.", { names: names(against) });
    if (open.length) return _("Recording waits for the agreement of: %(names)s", { names: names(open) });
    const left = this.recorder.waiting;
    if (left > 3) return _("Recording. The line is slow: %(count)s pieces still to be sent.", { count: left });
    return room.recording === "running" ? _("This call is being recorded. Everybody has agreed.") : _("The recording starts…");
  }

  over(): void {
    if (this.recorder.running) void this.recorder.stop();
  }
}

// The call page: waiting room, call, and its end. Each part is a module of its own; here they are tied together.
import { toast } from "@yersin/web/browser/parts/toast";
import { _ } from "@yersin/web/browser/parts/words";
import { Chat } from "./calling/chat";
import { Controls } from "./calling/controls";
import { Devices } from "./calling/devices";
import { find, minutes } from "./calling/dom";
import { Layout } from "./calling/layout";
import { Lobby } from "./calling/lobby";
import { Mesh } from "./calling/mesh";
import { People } from "./calling/people";
import { RecordFrame } from "./calling/record";
import { Recorder } from "./calling/recorder";
import { Recording } from "./calling/recording";
import { Stage } from "./calling/stage";
import { refusals, type RoomShown, Wire } from "./calling/wire";

class CallPage {
  private readonly root = find("[data-call]");
  private readonly url = this.root.dataset["call"] ?? "";
  private readonly kept = `call:${this.url}`;
  private readonly wire = new Wire(`${location.origin.replace(/^http/, "ws")}${this.url}/signals`);
  private readonly devices = new Devices();
  private readonly lobby = new Lobby(this.devices, this.url);
  private readonly mesh: Mesh = new Mesh(this.wire, this.devices, () => this.stage.picture());
  private readonly stage = new Stage(this.mesh, this.devices);
  private readonly layout = new Layout();
  private readonly people = new People(this.wire);
  private readonly record = new RecordFrame();
  private readonly chat = new Chat(this.wire, () => this.layout.shows("chat"), (unread) => this.layout.count("chat", unread));
  private readonly recorder = new Recorder(this.url, this.stage, this.mesh, this.devices);
  private readonly recording = new Recording(this.wire, this.recorder);
  private readonly controls = new Controls(this.url, this.wire, this.devices, this.mesh, this.recorder, this.layout);
  private room: RoomShown | null = null;
  private began = 0;
  private over = false;

  start(): void {
    this.wire.on("room", (room) => this.show(room));
    this.wire.on("line_down", ({ tries }) => this.linked(false, tries));
    this.wire.on("line_up", () => this.linked(true, 0));
    this.wire.on("refused", ({ why }) => toast(refusals()[why] ?? why, "warn"));
    this.wire.on("over", ({ why }) => this.end(why));
    this.wire.on("closed", ({ code }) => this.closed(code));
    this.layout.onChosen("chat", () => this.chat.read());
    this.layout.onChosen("record", () => this.record.open());
    find("[data-enter]").addEventListener("click", () => this.enter());
    for (const back of document.querySelectorAll("[data-back]")) back.addEventListener("click", () => this.leaveWaiting());
    find("[data-rejoin]").addEventListener("click", () => location.reload());
    setInterval(() => this.tick(), 500);
    addEventListener("beforeunload", (event) => this.recorder.running && event.preventDefault());
    void this.begin();
  }

  /** After a reload in a call nobody is asked anything: the page goes back to its seat. */
  private async begin(): Promise<void> {
    const returning = sessionStorage.getItem(this.kept) !== null;
    if (returning) find("[data-enter]").setAttribute("aria-busy", "true");
    await this.devices.openBoth();
    if (returning) this.enter();
  }

  private enter(): void {
    sessionStorage.setItem(this.kept, "here");
    find("[data-enter]").hidden = true;
    find("[data-in-line]").hidden = false;
    this.wire.open();
  }

  private leaveWaiting(): void {
    this.forget();
    this.wire.say({ kind: "leave" });
    location.assign(this.root.dataset["home"] ?? "/");
  }

  private show(room: RoomShown): void {
    const entered = room.inside && !this.room?.inside;
    const sentBack = !room.inside && this.room?.inside === true;
    this.room = room;
    if (room.elapsed !== null) this.began = performance.now() - room.elapsed * 1000;
    this.layout.live(room.inside);
    this.root.dataset["role"] = room.me.role;
    if (entered) this.entered();
    if (sentBack) toast(_("You were handed back to the waiting room. The call goes on when you are admitted again."), "info");
    this.waits(room);
    this.stage.show(room);
    this.people.show(room);
    this.recording.show(room);
    this.controls.show(room);
  }

  private entered(): void {
    this.lobby.close();
    document.getElementById("main")?.focus();
  }

  private waits(room: RoomShown): void {
    const host = room.seats.find((seat) => seat.role === "host");
    const words = host ? _("%(name)s is in the call and will let you in.", { name: host.name }) : _("The specialist is not here yet. You will be let in when they come.");
    const place = find("[data-in-line] p");
    if (place.textContent !== words) place.textContent = words;
  }

  private linked(up: boolean, tries: number): void {
    find("[data-no-line]").hidden = up || tries < 1;
    this.root.classList.toggle("cut", !up);
  }

  private tick(): void {
    if (!this.room?.inside || !this.began) return;
    for (const timer of document.querySelectorAll("[data-timer]")) timer.textContent = minutes((performance.now() - this.began) / 1000);
  }

  private forget(): void {
    sessionStorage.removeItem(this.kept);
    sessionStorage.removeItem("call:audio-only");
  }

  private end(why: string): void {
    if (this.over) return;
    this.over = true;
    this.forget();
    const words: Record<string, string> = {
      ended: _("The call has ended. The chat is kept with the record."),
      left: _("You have left the call."),
      removed: _("The person in charge has shown you out of this call."),
      displaced: _("You opened this call on another page or device; it goes on there."),
      stranger: _("This call is not open to you any more."),
    };
    find("[data-over-words]").textContent = words[why] ?? words["ended"] ?? "";
    find("[data-rejoin]").hidden = why !== "left" && why !== "displaced";
    this.recording.over();
    this.wire.close();
    this.mesh.close();
    this.lobby.close();
    this.devices.close();
    this.layout.over();
  }

  private closed(code: number): void {
    this.end(code === 4409 ? "displaced" : code === 4404 ? "stranger" : "ended");
  }
}

new CallPage().start();

// The shell in the browser: everything here improves pages that already work as plain HTML.
import "./parts/hypermedia";
import { startClocks } from "./parts/clock";
import { startComboboxes } from "./parts/combobox";
import { startDialogs } from "./parts/dialog";
import { startDrafts } from "./parts/draft";
import { startForms } from "./parts/form";
import { startKeys } from "./parts/keys";
import { startMenus } from "./parts/menu";
import { startPalette } from "./parts/palette";
import { startTabs } from "./parts/tabs";
import { startToasts } from "./parts/toast";
import { startUploads } from "./parts/upload";

startDialogs();
startMenus();
startToasts();
startTabs();
startForms();
startDrafts();
startComboboxes();
startUploads();
startClocks();
startPalette();
startKeys();

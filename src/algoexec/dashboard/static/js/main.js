/** Begins the page: who is here, which session, and the view that the address asks for. */

import { getKillSwitch, listSessions } from "./api/client.js";
import { forgetCredential } from "./api/credential.js";
import { controlBar } from "./control/bar.js";
import { Commands } from "./control/commands.js";
import { openStart } from "./control/start.js";
import { fill, h } from "./dom/h.js";
import { toast } from "./dom/toast.js";
import { enter } from "./gate.js";
import { replayView } from "./history/replay.js";
import { historyView } from "./history/view.js";
import { banners } from "./live/banners.js";
import { header } from "./live/header.js";
import { sessionPicker } from "./live/picker.js";
import { liveView } from "./live/view.js";
import { listen, showShortcuts } from "./shortcuts.js";
import { Follower } from "./state/follow.js";
import { Store } from "./state/store.js";
import { beginTheme, changeTheme } from "./theme.js";

const LOOK_AGAIN_MS = 10_000;

beginTheme();
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const me = await enter(app);

const store = new Store();
store.set({ me });
const follower = new Follower(store);
const commands = new Commands(store, follower);
const page = {
  start: () => openStart(store, (session) => {
    follower.show(session);
    void look();
  }).catch(said),
  theme: () => {
    changeTheme();
    live.redress();
    replay.redress();
  },
  help: () => showShortcuts(shortcuts),
  leave: () => {
    forgetCredential();
    location.reload();
  },
};

const live = liveView(store, {
  begin: page.start,
  answer: (order, isApproved) => commands.answer(isApproved, order),
});
const past = historyView();
const replay = replayView();
const links = { live: h("a", { href: "#/live" }, "Live"), history: h("a", { href: "#/history" }, "History") };
const navigation = h("nav", { "aria-label": "Views" }, links.live, links.history, sessionPicker(store, follower));
const view = h("div", { class: "view" });
fill(app,
  header(store, { navigation, actions: controlBar(store, commands, page) }),
  banners(store, { token: () => commands.token(), dismissMissed: () => store.set({ notices: { missed: null } }) }),
  view);

/** @type {import("./shortcuts.js").Shortcut[]} */
const shortcuts = [
  { key: "N", name: "Begin a session", run: page.start },
  { key: "H", name: "Halt new entries", run: () => commands.halt() },
  { key: "R", name: "Resume", run: () => commands.resume() },
  { key: "F", name: "Flatten: get out of everything", run: () => commands.flatten() },
  { key: "K", name: "Kill switch", run: () => commands.kill() },
  { key: "A", name: "Approve the entry that waits", run: () => commands.answer(true) },
  { key: "X", name: "Reject the entry that waits", run: () => commands.answer(false) },
  { key: "C", name: "Change the configuration", run: () => void commands.config() },
  { key: "T", name: "New broker token", run: () => commands.token() },
  { key: "P", name: "Preflight", run: () => commands.preflight() },
  { key: "D", name: "Dark or light", run: page.theme },
  { key: "L", name: "Live", run: () => (location.hash = "#/live") },
  { key: "Y", name: "History", run: () => (location.hash = "#/history") },
  { key: "?", name: "This list", run: page.help },
];
listen(shortcuts);
addEventListener("hashchange", route);
route();
await look();
setInterval(() => void look(), LOOK_AGAIN_MS);

/** Show what the address names. */
function route() {
  const [name, id] = location.hash.replace(/^#\//, "").split("/");
  replay.close();
  const isPast = name === "history" || name === "replay";
  links.live.toggleAttribute("aria-current", !isPast);
  links.history.toggleAttribute("aria-current", isPast);
  for (const link of Object.values(links)) if (link.hasAttribute("aria-current")) link.setAttribute("aria-current", "page");
  if (name === "replay" && id) {
    fill(view, replay.element);
    void replay.open(id);
  } else if (name === "history") {
    fill(view, past.element);
    past.open();
  } else {
    fill(view, live.element);
  }
}

/** See which sessions there are; show the newest one unless one is shown. */
async function look() {
  if (document.visibilityState === "hidden") return;
  try {
    const [{ items }, killSwitch] = await Promise.all([listSessions({ active: true, limit: 100 }), getKillSwitch()]);
    store.set({ sessions: items, killSwitch });
    if (store.state.session === null && items.length > 0) follower.show(items[0]);
  } catch (error) {
    // The stream's banner says that the service does not answer.
    console.info(String(error));
  }
}

/** @param {unknown} error */
function said(error) {
  toast("It was not done", error instanceof Error ? error.message : String(error), "bad");
}

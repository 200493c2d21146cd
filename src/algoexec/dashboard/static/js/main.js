/** Begins the page: who is here, which session, and the view that the address asks for. */

import { listSessions, whoAmI } from "./api/client.js";
import { fill, h } from "./dom/h.js";
import { banners } from "./live/banners.js";
import { header } from "./live/header.js";
import { liveView } from "./live/view.js";
import { Follower } from "./state/follow.js";
import { Store } from "./state/store.js";

const store = new Store();
const follower = new Follower(store);
const app = /** @type {HTMLElement} */ (document.getElementById("app"));

const navigation = h("nav");
const actions = h("div", { class: "controls" });
const live = liveView(store, h("div"));
fill(app,
  header(store, { navigation, actions }),
  banners(store, { token: () => {}, dismissMissed: () => store.set({ notices: { missed: null } }) }),
  live.element);

const me = await whoAmI();
const { items } = await listSessions({ active: true, limit: 100 });
store.set({ me, sessions: items });
follower.show(items[0] ?? null);

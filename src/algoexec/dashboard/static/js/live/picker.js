/** Which session is shown, where there is a choice. */

import { fill, h } from "../dom/h.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/follow.js").Follower} Follower
 */

/** @param {Store} store @param {Follower} follower */
export function sessionPicker(store, follower) {
  const select = h("select", {
    "aria-label": "Session",
    onchange: () => {
      const chosen = store.state.sessions.find((one) => one.id === select.value);
      if (chosen) follower.show(chosen);
    },
  });
  const element = h("label", { class: "picker" }, select);
  let drawn = "";
  store.watch(["sessions", "session"], ({ sessions, session }) => {
    const shown = session && !sessions.some((one) => one.id === session.id) ? [session, ...sessions] : sessions;
    element.hidden = shown.length < 2;
    const key = shown.map((one) => one.id).join() + session?.id;
    if (key === drawn) return;
    drawn = key;
    fill(select, shown.map((one) => h("option", { value: one.id, selected: one.id === session?.id }, `${one.user_id} · ${one.mode} · ${one.day}`)));
  });
  return element;
}

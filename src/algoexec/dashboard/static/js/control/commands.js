/** What a person may do to a session. Whatever cannot be taken back is asked about first. */

import * as api from "../api/client.js";
import { fill, h } from "../dom/h.js";
import { confirmDialog, openDialog, underWay } from "../dom/dialog.js";
import { toast } from "../dom/toast.js";
import { instrumentName, isOver, stakes, waitingOrders } from "../state/reading.js";
import { configFields } from "./config_fields.js";
import { checkList } from "./start.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/follow.js").Follower} Follower
 * @typedef {import("../api/types.js").Session} Session
 * @typedef {import("../state/state.js").KnownOrder} KnownOrder
 */

export class Commands {
  /** @param {Store} store @param {Follower} follower */
  constructor(store, follower) {
    this.store = store;
    this.follower = follower;
  }

  /** @returns {Session | null} The session that takes commands; null: none does. */
  get session() {
    return isOver(this.store.state) ? null : this.store.state.session;
  }

  halt() {
    const { session } = this;
    if (!session || session.halted) return;
    confirmDialog({
      title: "Halt new entries",
      text: ["Signals go on, and what is held is watched until it is flat. Nothing new is begun until you resume."],
      reason: { label: "Reason, for the people who watch", value: "by hand" },
      confirm: "Halt",
      run: async (reason) => this.#done(await api.haltSession(session.id, reason), "Entries are halted"),
    });
  }

  resume() {
    const { session } = this;
    const lock = session?.trading?.tally.lock;
    if (!session || (!session.halted && !lock)) return;
    const run = async () => this.#done(await api.resumeSession(session.id), "Entries are allowed again");
    if (!lock) return this.#try(run);
    confirmDialog({
      title: "Unlock the day",
      text: [`The day is locked: ${lock}. Resuming allows new trades today, and the limit counts anew from here on.`],
      typed: "UNLOCK",
      confirm: "Resume",
      run,
    });
  }

  flatten() {
    const { session } = this;
    if (!session || session.mode === "signals") return;
    confirmDialog({
      title: "Get out of everything",
      text: [held(this.store.state), "Entries are cancelled and what is held is sold at once. The session goes on and may begin new trades; halt it first if it should not."],
      confirm: "Flatten",
      run: async () => this.#done(await api.flattenSession(session.id), "Getting out of everything"),
    });
  }

  stop() {
    const { session } = this;
    if (!session) return;
    const holds = session.mode !== "signals" && this.store.state.position?.stage !== "NEUTRAL";
    confirmDialog({
      title: "End the session",
      text: [holds ? `${held(this.store.state)} It is sold first; the session ends once it is flat.` : "It ends for good, and its token is deleted. What it saw and traded stays."],
      typed: session.mode === "live" ? "END" : undefined,
      confirm: holds ? "Sell and end" : "End",
      run: async () => this.#done(await api.stopSession(session.id, holds), holds ? "Selling, then ending" : "The session has ended"),
    });
  }

  kill() {
    const { me, session, killSwitch } = this.store.state;
    const user = me?.user_id ?? session?.user_id ?? null;
    if (killSwitch?.on) {
      return confirmDialog({
        title: "Take the kill switch back",
        text: ["Sessions may begin trades again. One that it has halted stays halted until you resume it."],
        typed: stakes(this.store.state).key === "live-money" ? "TRADE AGAIN" : undefined,
        confirm: "Take it back",
        run: async () => {
          this.store.set({ killSwitch: await api.takeBackKillSwitch(user) });
          toast("The kill switch is off");
        },
      });
    }
    confirmDialog({
      title: "Kill switch",
      text: [`Everything that ${user ? `${user}’s sessions hold` : "is held"} is sold, entries are cancelled, and nothing that trades begins until it is taken back. It survives a restart.`],
      reason: { label: "Reason, for the people who watch", value: "by hand" },
      confirm: "Get out, and stay out",
      run: async (reason) => {
        this.store.set({ killSwitch: await api.throwKillSwitch(user, reason) });
        toast("The kill switch is on", "Nothing is begun until it is taken back.", "bad");
      },
    });
  }

  token() {
    const { session } = this;
    if (!session) return;
    openDialog("New broker token", ({ close }) => {
      const input = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false" });
      const error = h("p", { class: "error", role: "alert", hidden: true });
      const button = h("button", { class: "button primary", type: "submit" }, "Hand it in");
      return [h("form", {
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          void underWay(button, error, async () => {
            this.#done(await api.replaceToken(session.id, input.value.trim()), "The token is taken");
            close();
          });
        },
      },
      h("p", { class: "quiet" }, "Broker tokens die each night at 03:30. The new one must be of the same account."),
      h("label", { class: "field" }, h("span", {}, "Access token"), input), error,
      h("div", { class: "choices" }, h("button", { class: "button", type: "button", onclick: close }, "Cancel"), button))];
    });
  }

  async config() {
    const { session } = this;
    if (!session?.config) return;
    const fields = await configFields(session.config);
    const trades = session.mode !== "signals";
    fields.trading.hidden = !trades;
    openDialog("Change the configuration", ({ close }) => {
      const error = h("p", { class: "error", role: "alert", hidden: true });
      const button = h("button", { class: "button primary", type: "submit" }, "Change");
      return [h("form", {
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          void underWay(button, error, async () => {
            const changes = fields.values({ withTrading: trades, isNew: false });
            if (Object.keys(changes).length === 0) return close();
            try {
              this.#done(await api.changeSession(session.id, changes), "Changed");
              close();
            } catch (problem) {
              fields.complain(problem);
              throw problem;
            }
          });
        },
      },
      h("p", { class: "quiet" }, "The strategy’s numbers count from the next candle on, the rules of trading at once. A limit of the day that is loosened counts from the next day."),
      fields.trading, fields.strategy, error,
      h("div", { class: "choices" }, h("button", { class: "button", type: "button", onclick: close }, "Cancel"), button))];
    }, { wide: true });
  }

  /** Approve or reject an entry; without an order the one that waits. @param {boolean} isApproved @param {KnownOrder} [order] */
  answer(isApproved, order = waitingOrders(this.store.state).at(-1)) {
    if (!order) return;
    void this.#try(async () => {
      await api.answerOrder(order.id, isApproved);
      toast(isApproved ? "Approved" : "Rejected", instrumentName(this.store.state, order.instrument));
    });
  }

  preflight() {
    const { session } = this;
    if (!session) return;
    openDialog("Could it trade now?", () => {
      const body = h("div", { class: "content" }, h("p", { class: "quiet" }, "Looking…"));
      api.getPreflight(session.id).then(
        (found) => fill(body, checkList(found)),
        (problem) => fill(body, h("p", { class: "error" }, String(problem.message ?? problem))),
      );
      return [body];
    });
  }

  /** @param {Session} session @param {string} word */
  #done(session, word) {
    this.follower.learn(session);
    toast(word);
  }

  /** @param {() => Promise<void>} run */
  async #try(run) {
    try {
      await run();
    } catch (problem) {
      toast("It was not done", problem instanceof Error ? problem.message : String(problem), "bad");
    }
  }
}

/** @param {State} state */
function held(state) {
  const { position } = state;
  if (!position || position.stage === "NEUTRAL") return "Nothing is held now.";
  return `Held: ${instrumentName(state, position.instrument)}, ${position.open_units} units.`;
}

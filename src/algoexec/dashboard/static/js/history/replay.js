/** A past session on the same panels: its frames are read from the journal and folded up to the moment that is chosen. */

import { getSession } from "../api/client.js";
import { Stream } from "../api/stream.js";
import { h, setText } from "../dom/h.js";
import { toast } from "../dom/toast.js";
import { clockSeconds, dateWords } from "../format/ist.js";
import { liveView } from "../live/view.js";
import { fold } from "../state/fold.js";
import { loadCandles, loadOptions } from "../state/load.js";
import { emptySession } from "../state/state.js";
import { Store } from "../state/store.js";

/**
 * @typedef {import("../api/types.js").Frame} Frame
 * @typedef {import("../api/types.js").Session} Session
 */

/** Market seconds in a second. */
const SPEEDS = [30, 120, 600];
const TICK_MS = 100;
const MINUTE_MS = 60_000;

export function replayView() {
  const store = new Store();
  const live = liveView(store, { isReplay: true });
  const title = h("span", { class: "strong" }), clock = h("output", { class: "clock-out" });
  const slider = h("input", { type: "range", min: "0", max: "0", step: "1", "aria-label": "Moment of the session", oninput: () => seek(Number(slider.value)) });
  const play = h("button", { class: "button primary", type: "button", onclick: () => setPlaying(!isPlaying) }, "Play");
  const speed = h("select", { "aria-label": "Speed" }, SPEEDS.map((one) => h("option", { value: one }, `${one}×`)));
  const bar = h("div", { class: "replay-bar", role: "group", "aria-label": "Replay" },
    h("span", { class: "tag accent" }, "REPLAY"), title, play, speed, slider, clock,
    h("a", { class: "button", href: "#/history" }, "Back to history"));
  const element = h("div", { class: "replay" }, bar, live.element);

  /** @type {Frame[]} */
  let frames = [];
  /** @type {Session | null} */
  let session = null;
  /** @type {import("../api/types.js").Candle[]} */
  let warmed = [];
  /** How many of the frames are folded. */
  let done = 0;
  let now = 0;
  let isPlaying = false;
  /** @type {Stream | null} */
  let stream = null;

  setInterval(() => {
    if (!isPlaying || document.visibilityState === "hidden") return;
    const last = timeOf(frames.at(-1));
    seek(Math.min(last, now + (Number(speed.value) * TICK_MS)));
    slider.value = String(now);
    if (now >= last) setPlaying(false);
  }, TICK_MS);

  /** @param {boolean} wanted */
  function setPlaying(wanted) {
    if (wanted && frames.length && now >= timeOf(frames.at(-1))) seek(timeOf(frames[0]));
    isPlaying = wanted && frames.length > 0;
    setText(play, isPlaying ? "Pause" : "Play");
  }

  /** @param {number} moment Milliseconds since 1970. */
  function seek(moment) {
    if (!session) return;
    if (moment < now || done === 0) begin(session);
    now = moment;
    const { state } = store;
    /** @type {Set<keyof import("../state/state.js").State>} */
    const changed = new Set();
    while (done < frames.length && timeOf(frames[done]) <= now) {
      for (const part of fold(state, frames[done])) changed.add(part);
      done += 1;
    }
    store.touch(changed);
    setText(clock, `${clockSeconds(now)} IST`);
  }

  /** As it stood before its first frame. @param {Session} from */
  function begin(from) {
    const { levels, options } = store.state;
    const trading = from.trading && { ...from.trading, killed: null, tally: { ...from.trading.tally, realised: 0, trades: 0, losses_in_a_row: 0, lock: null } };
    // What was before its beginning warmed it, and no frame tells it.
    const candles = warmed.filter((one) => Date.parse(one.start) + MINUTE_MS <= timeOf(frames[0]));
    store.set({ ...emptySession(), candles, levels, options, session: { ...from, status: "STARTING", reason: null, halted: null, trading } });
    done = 0;
  }

  return {
    element,
    redress: live.redress,
    /** @param {string} id */
    async open(id) {
      this.close();
      setText(title, "Reading…");
      try {
        session = await getSession(id);
      } catch (error) {
        return toast("The session cannot be replayed", error instanceof Error ? error.message : String(error), "bad");
      }
      const wanted = session.frames ?? 0;
      store.set({ ...emptySession(), session });
      await Promise.all([loadCandles(store, null), loadOptions(store)]);
      warmed = store.state.candles;
      stream = new Stream(id, {
        frame: (frame) => {
          if (frame.seq !== null) frames.push(frame);
          if (frame.type === "gap") toast("The session is too long to be replayed from its beginning", "", "bad");
          if ((frame.seq ?? 0) >= wanted || frame.type === "heartbeat") ready();
        },
        link: (link) => {
          if (link.state === "refused") toast("The session cannot be replayed", link.reason, "bad");
        },
      }, { since: "0" });
      if (wanted === 0) ready();
    },
    close() {
      setPlaying(false);
      stream?.close();
      [stream, session, frames, done, now] = [null, null, [], 0, 0];
    },
  };

  function ready() {
    stream?.close();
    if (!session) return;
    frames.sort((one, other) => timeOf(one) - timeOf(other) || (one.seq ?? 0) - (other.seq ?? 0));
    setText(title, `${session.user_id}, ${session.mode}, ${dateWords(session.day)}`);
    const [first, last] = [timeOf(frames[0]), timeOf(frames.at(-1))];
    slider.min = String(first);
    slider.max = String(last);
    slider.step = "1000";
    slider.value = String(last);
    seek(last);
  }
}

/** @param {Frame | undefined} frame */
const timeOf = (frame) => (frame ? Date.parse(frame.at) : 0);

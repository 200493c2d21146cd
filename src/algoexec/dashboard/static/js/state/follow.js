/** Keeps the state in step with one session: its stream, and what must be read beside it. */

import { getKillSwitch, getSession } from "../api/client.js";
import { Stream } from "../api/stream.js";
import { fold } from "./fold.js";
import { loadCandles, loadChain, loadSession } from "./load.js";
import { emptySession } from "./state.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("../api/types.js").Frame} Frame
 * @typedef {import("../api/types.js").Session} Session
 */

const CANDLES_EVERY_MS = 2_000;

export class Follower {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Stream | null} */
    this.stream = null;
    /** Wall minus market clock of the fastest unnumbered frame: what remains above it is lag. */
    this.fastest = Infinity;
    /** @type {string | null} */
    this.candlesFrom = null;
    this.isReadingCandles = false;
  }

  /** Show that session, or none. @param {Session | null} session */
  show(session) {
    this.stream?.close();
    this.stream = null;
    this.fastest = Infinity;
    this.candlesFrom = null;
    this.store.set({ ...emptySession(), session, position: session?.trading?.position ?? null });
    if (!session) return;
    this.stream = new Stream(session.id, {
      frame: (frame) => this.#take(frame),
      link: (link) => this.store.set({ link }),
    });
  }

  /** Take what a command answered. @param {Session} session */
  learn(session) {
    if (this.store.state.session?.id === session.id) this.store.set({ session });
  }

  /** @param {Frame} frame */
  #take(frame) {
    const { store } = this;
    this.#measure(frame);
    if (frame.type === "snapshot") return this.#begin(frame);
    if (frame.type === "gap") {
      const { session, link } = store.state;
      const missed = "Some of what happened could not be replayed, so everything was read anew. Look at orders and trades once.";
      return store.set({ ...emptySession(), session, link, notices: { missed } });
    }
    if (frame.type === "candle_update" || frame.type === "pnl") store.state.priceAt = performance.now();
    store.touch(fold(store.state, frame));
    if (frame.type === "candle") this.#readCandles(frame.data.start);
    if (frame.type === "pcr") void loadChain(store);
    if (frame.type === "session") void this.#readSession(frame.data.status);
  }

  /** @param {Frame} frame */
  #begin(frame) {
    const { session, pcr } = frame.data.sessions[0] ?? {};
    if (!session) return;
    const { store } = this;
    store.set({ session, position: session.trading?.position ?? null, pcr: pcr ? [pcr] : [] });
    if (session.market_time) store.set({ marketTime: session.market_time });
    void loadSession(store);
  }

  /** Read the indicators of closed minutes, not more often than a person can look. @param {string} start */
  async #readCandles(start) {
    this.candlesFrom = this.candlesFrom === null || start < this.candlesFrom ? start : this.candlesFrom;
    if (this.isReadingCandles) return;
    this.isReadingCandles = true;
    const since = this.candlesFrom;
    this.candlesFrom = null;
    await loadCandles(this.store, since);
    await new Promise((resolve) => setTimeout(resolve, CANDLES_EVERY_MS));
    this.isReadingCandles = false;
    if (this.candlesFrom !== null) void this.#readCandles(this.candlesFrom);
  }

  /** A `session` frame tells little; what else has changed with the status is read. @param {string} status */
  async #readSession(status) {
    const id = this.store.state.session?.id;
    if (!id) return;
    try {
      const [session, killSwitch] = await Promise.all([getSession(id), getKillSwitch()]);
      this.store.set({ killSwitch });
      // Another frame may have come meanwhile: then its own reading follows.
      if (session.status === status) this.learn(session);
    } catch (error) {
      console.warn(String(error));
    }
  }

  /** How late a frame is that carries wall time. @param {Frame} frame */
  #measure({ type, at }) {
    if (type !== "heartbeat" && type !== "snapshot") return;
    const late = Date.now() - Date.parse(at);
    this.fastest = Math.min(this.fastest, late);
    this.store.set({ lagMs: late - this.fastest });
  }
}

/**
 * The stream of one session over a WebSocket: connects, notices silence and missing frames, and resumes from the last
 * cursor, so that whoever folds the frames ends up with the service's own state.
 */

import { createTicket } from "./client.js";
import { credential } from "./credential.js";
import { ApiError } from "./http.js";

/** @typedef {import("./types.js").Frame} Frame */

/**
 * @typedef {object} Listener
 * @property {(frame: Frame) => void} frame In order; numbered frames each once.
 * @property {(link: Link) => void} link Whenever the connection changes.
 */

/**
 * `open`: frames come. `lost`: it will be tried again at `retryAt` (performance.now()). `refused`: it will not, `reason`
 * says why. `recovered` is how many numbered frames came late after the last drop.
 * @typedef {{state: "connecting" | "open" | "lost" | "refused", reason: string, retryAt: number}} Link
 */

/** A heartbeat comes every 15 s; two missing ones are a dead line that TCP has not noticed. */
const SILENCE_MS = 35_000;
const FIRST_RETRY_MS = 400;
const SLOWEST_RETRY_MS = 10_000;

/** Close codes that another attempt does not help against; see `x-close-codes` of asyncapi.yaml. */
const FINAL = new Set([1008, 4401, 4403, 4404]);

export class Stream {
  /**
   * @param {string} sessionId
   * @param {Listener} listener
   * @param {{since?: string | null}} [from] A cursor, or a `seq`, to begin after; `"0"` is the session's beginning. Left
   *   out, it begins with a snapshot.
   */
  constructor(sessionId, listener, { since = null } = {}) {
    this.sessionId = sessionId;
    this.listener = listener;
    /** @type {string | null} */
    this.cursor = since;
    /** The newest number that was handed on. */
    this.seq = 0;
    this.attempts = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.isOver = false;
    this.tryNow = () => this.#tryNow();
    addEventListener("online", this.tryNow);
    document.addEventListener("visibilitychange", this.tryNow);
    this.#connect();
  }

  /** End it for good. */
  close() {
    this.isOver = true;
    clearTimeout(this.timer);
    removeEventListener("online", this.tryNow);
    document.removeEventListener("visibilitychange", this.tryNow);
    this.socket?.close(1000);
    this.socket = null;
  }

  async #connect() {
    clearTimeout(this.timer);
    this.listener.link({ state: "connecting", reason: "", retryAt: 0 });
    let protocols;
    try {
      // A browser cannot send a header with a WebSocket, and a credential in a URL ends in logs.
      protocols = credential() ? ["algoexec.v1", `ticket.${(await createTicket()).ticket}`] : ["algoexec.v1"];
    } catch (error) {
      const isFinal = error instanceof ApiError && (error.status === 401 || error.status === 403);
      return isFinal ? this.#refuse(error.message) : this.#retry("The service does not answer.");
    }
    if (this.isOver || this.socket) return;
    const query = new URLSearchParams({ session_id: this.sessionId });
    if (this.cursor) query.set("since", this.cursor);
    const url = new URL(`/ws/signals?${query}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, protocols);
    this.socket = socket;
    socket.onmessage = (message) => this.#take(socket, JSON.parse(message.data));
    socket.onclose = (event) => this.#closed(socket, event);
    this.#watch(socket);
  }

  /** @param {WebSocket} socket @param {Frame} frame */
  #take(socket, frame) {
    if (socket !== this.socket) return;
    this.#watch(socket);
    if (this.attempts || frame.type === "snapshot" || frame.type === "heartbeat") {
      this.attempts = 0;
      this.listener.link({ state: "open", reason: "", retryAt: 0 });
    }
    if (frame.type === "snapshot") this.seq = frame.data.sessions[0]?.seq ?? 0;
    if (frame.type === "gap") this.seq = 0;
    if (frame.seq !== null) {
      if (frame.seq <= this.seq) return;
      if (frame.prev !== this.seq) {
        // A frame is missing on this line. What the service has stored is whole: take it up from the last cursor.
        this.#drop(socket);
        return this.#retry("A frame was missing; it is fetched again.");
      }
      this.seq = frame.seq;
    }
    if (frame.cursor) this.cursor = frame.cursor;
    this.listener.frame(frame);
  }

  /** @param {WebSocket} socket @param {CloseEvent} event */
  #closed(socket, event) {
    if (socket !== this.socket) return;
    this.socket = null;
    if (this.isOver) return;
    if (FINAL.has(event.code)) this.#refuse(event.reason || `The service closed the stream (${event.code}).`);
    else this.#retry(event.reason || "The connection broke.");
  }

  /** @param {string} reason */
  #refuse(reason) {
    this.close();
    this.listener.link({ state: "refused", reason, retryAt: 0 });
  }

  /** @param {string} reason */
  #retry(reason) {
    if (this.isOver) return;
    const longest = Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.attempts);
    const wait = longest * (0.5 + Math.random() / 2);
    this.attempts += 1;
    this.listener.link({ state: "lost", reason, retryAt: performance.now() + wait });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#connect(), wait);
  }

  #tryNow() {
    if (!this.isOver && !this.socket && document.visibilityState === "visible") this.#connect();
  }

  /** @param {WebSocket} socket */
  #watch(socket) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.#drop(socket);
      this.#retry("Nothing came for 35 seconds.");
    }, SILENCE_MS);
  }

  /** @param {WebSocket} socket */
  #drop(socket) {
    this.socket = null;
    socket.close();
  }
}

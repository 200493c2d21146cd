/** Holds what the page knows, and has what shows it drawn anew: at most once a frame, and only what has changed. */

import { emptyState } from "./state.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {keyof State} Part
 */

export class Store {
  constructor() {
    /** @type {State} */
    this.state = emptyState();
    /** @type {{parts: ReadonlySet<Part>, draw: (state: State, changed: ReadonlySet<Part>) => void}[]} */
    this.viewers = [];
    /** @type {Set<Part>} */
    this.changed = new Set();
    this.isDue = false;
  }

  /**
   * @param {Part[]} parts Draw when one of these has changed …
   * @param {(state: State, changed: ReadonlySet<Part>) => void} draw … and once at the beginning.
   * @returns {() => void} Ends it.
   */
  watch(parts, draw) {
    const viewer = { parts: new Set(parts), draw };
    this.viewers.push(viewer);
    draw(this.state, viewer.parts);
    return () => {
      this.viewers = this.viewers.filter((one) => one !== viewer);
    };
  }

  /** @param {Partial<State>} values */
  set(values) {
    Object.assign(this.state, values);
    this.touch(/** @type {Part[]} */ (Object.keys(values)));
  }

  /** Say that parts of the state were changed in place. @param {Iterable<Part>} parts */
  touch(parts) {
    for (const part of parts) this.changed.add(part);
    if (this.isDue || this.changed.size === 0) return;
    this.isDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const changed = this.changed;
    this.changed = new Set();
    this.isDue = false;
    for (const { parts, draw } of this.viewers) {
      if (changed.isDisjointFrom(parts)) continue;
      try {
        draw(this.state, changed);
      } catch (error) {
        // One panel that fails must not freeze the prices in the others.
        reportError(error);
      }
    }
  }
}

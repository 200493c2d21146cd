/** A list that is patched: rows are kept by key, so that what is under the pointer or read aloud stays in place. */

/**
 * @template T
 * @param {Element} parent
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @param {(row: HTMLElement, item: T) => void} update Called for new rows too.
 * @returns {(items: readonly T[]) => void} Shows these, in this order.
 */
export function rows(parent, keyOf, make, update) {
  /** @type {Map<string, HTMLElement>} */
  let shown = new Map();
  return (items) => {
    /** @type {Map<string, HTMLElement>} */
    const next = new Map();
    let before = parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      const row = shown.get(key) ?? make(item);
      shown.delete(key);
      next.set(key, row);
      update(row, item);
      if (row === before) before = row.nextElementSibling;
      else parent.insertBefore(row, before);
    }
    for (const gone of shown.values()) gone.remove();
    shown = next;
  };
}

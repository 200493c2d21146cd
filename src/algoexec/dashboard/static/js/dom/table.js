/** A table that is patched by key, and says something where it has nothing to show. */

import { fill, h, setText } from "./h.js";
import { rows } from "./rows.js";

/**
 * @template T
 * @param {string} caption Read aloud before it.
 * @param {[string, string][]} heads Name and class of each column.
 * @param {(one: T) => string} keyOf
 * @param {(one: T) => (Node | string | null)[]} cellsOf
 * @param {string} empty What is said while there is nothing.
 */
export function keyedTable(caption, heads, keyOf, cellsOf, empty) {
  const body = h("tbody"), count = h("span", { class: "count" });
  const nothing = h("p", { class: "empty" }, empty);
  const element = h("table", {},
    h("caption", { class: "sr-only" }, caption),
    h("thead", {}, h("tr", {}, heads.map(([name, className]) => h("th", { class: className, scope: "col" }, name)))),
    body);
  const draw = rows(body, keyOf, () => h("tr"), (row, one) =>
    fill(row, cellsOf(one).map((cell, index) => h("td", { class: heads[index][1] }, cell))));
  return {
    body: h("div", {}, nothing, element),
    count,
    /** @param {T[]} items In the order in which they are to stand. */
    show(items) {
      draw(items);
      nothing.hidden = items.length > 0;
      element.hidden = items.length === 0;
      setText(count, items.length ? String(items.length) : "");
    },
  };
}

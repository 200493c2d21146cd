/** The colours of the page as they stand in its style sheet: a canvas cannot read custom properties itself. */

/** @returns {(name: string) => string} */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

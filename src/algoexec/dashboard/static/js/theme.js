/** Dark or light: what the person chose here, else what their system prefers. */

const NAME = "algoexec.theme";

/** @returns {"dark" | "light"} */
export const theme = () => (document.documentElement.dataset.theme === "light" ? "light" : "dark");

/** Put on what holds at the beginning. */
export function beginTheme() {
  const chosen = localStorage.getItem(NAME);
  const preferred = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : preferred;
}

/** Put on the other one, and keep it. */
export function changeTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem(NAME, next);
}

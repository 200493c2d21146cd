/**
 * The credential of the person at this page: an API key or a JWT, kept in this tab's session storage and nowhere else.
 * It never stands in a URL. Where the service is open (one's own machine) there is none.
 */

const NAME = "algoexec.credential";

/** @returns {string | null} What was entered in this tab; null when nothing was. */
export function credential() {
  return sessionStorage.getItem(NAME);
}

/** @param {string} text An API key or a JWT. */
export function keepCredential(text) {
  sessionStorage.setItem(NAME, text.trim());
}

/** Forget it, as when it is refused or the person leaves. */
export function forgetCredential() {
  sessionStorage.removeItem(NAME);
}

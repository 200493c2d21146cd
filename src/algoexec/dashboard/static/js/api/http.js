/** One request to the API: the header that says who asks, JSON both ways, and every failure as an error that says why. */

import { credential } from "./credential.js";

/** @typedef {import("./types.js").Problem} Problem */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

/** The service answered with a problem (RFC 9457). Switch on `code`, show `message`. */
export class ApiError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    /** @type {string} */
    this.code = problem.code;
    /** @type {number} */
    this.status = problem.status;
    /** @type {Problem} */
    this.problem = problem;
  }
}

/** No answer came: the service is down, or the network is. What was asked may or may not have been done. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. Check that it runs and that this machine is on line.");
    this.name = "Unreachable";
  }
}

const WITHIN_MS = 30_000;

/**
 * @param {"GET" | "POST" | "PATCH" | "DELETE"} method
 * @param {string} path Below the service's root, such as `/sessions`.
 * @param {object} [more]
 * @param {Query} [more.query] What is null or undefined is left out.
 * @param {unknown} [more.body] Sent as JSON.
 * @param {boolean} [more.once] Send an Idempotency-Key: the same request, sent again after no answer, is done once.
 * @returns {Promise<any>} The answer's body.
 * @throws {ApiError | Unreachable}
 */
export async function request(method, path, { query = {}, body, once = false } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  const secret = credential();
  if (secret) headers.Authorization = `Bearer ${secret}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (once) headers["Idempotency-Key"] = newKey();
  const ask = () =>
    fetch(path + queryText(query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(WITHIN_MS),
    });
  const answer = await ask().catch(() => (once || method === "GET" ? ask() : Promise.reject())).catch(() => null);
  if (answer === null) throw new Unreachable();
  if (answer.ok) return answer.json();
  throw new ApiError(await problemOf(answer));
}

/** @param {Query} query */
function queryText(query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/**
 * @param {Response} answer
 * @returns {Promise<Problem>} The problem that it tells, or one in its place when a proxy answered.
 */
async function problemOf(answer) {
  try {
    const problem = await answer.json();
    if (typeof problem.code === "string") return problem;
  } catch {
    // Not ours; said below.
  }
  return {
    type: "about:blank",
    code: "unknown",
    title: `The server answered ${answer.status}`,
    status: answer.status,
    detail: null,
    errors: null,
  };
}

/** `crypto.randomUUID` is only there over HTTPS or on loopback; this is everywhere. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

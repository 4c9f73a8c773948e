// @ts-check
/** Questions to the pack's own routes, and their answers or errors in words. */

import { say, told } from "./words.js";

const HEADER = "X-Sora2Pro";

export class ServerError extends Error {}

/**
 * What to tell the user about an answer that cannot be used.
 *
 * @param {number} status
 * @param {any} document What the server said, or null if it was not JSON.
 */
export function sentence(status, document) {
  if (typeof document?.error === "string" && document.error) return told(document.error);
  if (status === 404 || status === 405) {
    return say("The node pack on the server is older than this page. Restart ComfyUI and reload the page.");
  }
  return say("ComfyUI's server answered with HTTP {status}; see its log.", { status });
}

export function unreachable() {
  return say("ComfyUI's server cannot be reached. Requests that RunComfy has accepted continue there.");
}

export class Server {
  /** @param {any} api ComfyUI's connection to its server. */
  constructor(api) {
    this._api = api;
  }

  /** @param {string} path Below /sora2pro. @returns {string} An address for a player or a picture. */
  url(path) {
    return this._api.apiURL(`/sora2pro${path}`);
  }

  /**
   * @param {string} path Below /sora2pro.
   * @returns {Promise<any>}
   */
  async get(path) {
    return (await this._ask(path, {})).document;
  }

  /**
   * Ask again for something that may not have changed.
   *
   * @param {string} path
   * @param {string | null} tag What the last answer was tagged with.
   * @returns {Promise<{document: any, tag: string | null}>} `document` is null if nothing has changed.
   */
  async getChanged(path, tag) {
    return this._ask(path, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async change(method, path, body) {
    const headers = { [HEADER]: "1", "Content-Type": "application/json" };
    return (await this._ask(path, { method, headers, body: body && JSON.stringify(body) })).document;
  }

  /** @param {string} path @param {RequestInit} options */
  async _ask(path, options) {
    let response;
    try {
      response = await this._api.fetchApi(`/sora2pro${path}`, options);
    } catch {
      throw new ServerError(unreachable());
    }
    if (response.status === 304) return { document: null, tag: response.headers.get("ETag") };
    const document = await response.json().catch(() => null);
    if (!response.ok || document === null) throw new ServerError(sentence(response.status, document));
    return { document, tag: response.headers.get("ETag") };
  }
}

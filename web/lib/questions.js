// @ts-check
/** Asks the user whether an expensive clip is to be bought, before the server sends anything, and brings it the answer. */

import { expected, usd } from "./money.js";
import { nodeAt } from "./states.js";
import { say } from "./words.js";

// The clips of a batch ask within a moment of each other, and are one question to the user.
const GATHERING_MS = 800;

/**
 * The clips of a run that wait for an answer.
 *
 * @param {import("./states.js").State} state
 */
export function openClips(state) {
  return state.phase === "working" ? state.clips.filter((clip) => clip.kind === "asking" && clip.question) : [];
}

/** @param {import("./states.js").Clip[]} clips */
export function questionText(clips) {
  const count = clips.length;
  if (clips.some((clip) => typeof clip.usd !== "number")) {
    return count === 1 ? say("Buy this clip? Its price is not known.") : say("Buy these {count} clips? Not all of their prices are known.", { count });
  }
  const sum = clips.reduce((soFar, clip) => soFar + /** @type {number} */ (clip.usd), 0);
  // The clips of a node are of one model: beside "about" there is one word at most.
  const bound = clips.map((clip) => clip.price_bound ?? "about").find((word) => word !== "about");
  if (bound) {
    const price = expected(sum, bound);
    return count === 1 ? say("Buy this clip? Expected price: {price}.", { price }) : say("Buy these {count} clips? Expected price in all: {price}.", { count, price });
  }
  const total = usd(sum);
  return count === 1 ? say("Buy this clip for about {total}?", { total }) : say("Buy these {count} clips for about {total}?", { count, total });
}

export class Questions {
  /** @param {any} app @param {import("./server.js").Server} server */
  constructor(app, server) {
    this._app = app;
    this._server = server;
    /** The nodes that wait for an answer. @type {Map<string, import("./states.js").State>} */
    this._waiting = new Map();
    /** What a dialog was opened for: what is known of a node may be older than the answer. @type {Set<string>} */
    this._asked = new Set();
    this._isAsking = false;
  }

  /** @param {import("./states.js").State} state News of a node, from an event: this is the page that pressed Run. */
  take(state) {
    const key = `${state.workflow_id} ${state.node}`;
    if (openClips(state).length) this._waiting.set(key, state);
    else this._waiting.delete(key);
    if (this._isAsking || !this._next()) return;
    this._isAsking = true;
    setTimeout(() => this._ask(), GATHERING_MS);
  }

  /** @returns {{state: import("./states.js").State, clips: import("./states.js").Clip[]} | undefined} The next node to ask about. */
  _next() {
    return [...this._waiting.values()]
      .map((state) => ({ state, clips: openClips(state).filter((clip) => !this._asked.has(clip.question ?? "")) }))
      .find(({ clips }) => clips.length);
  }

  async _ask() {
    const confirm = this._app.extensionManager.dialog?.confirm;
    // Where there is no such dialog, and after a reload of the page, there are the buttons on the node.
    for (let next = this._next(); confirm && next; next = this._next()) {
      const { state, clips } = next;
      for (const { question } of clips) this._asked.add(question ?? "");
      const message = this._named(state, questionText(clips));
      try {
        // A dialog that is put away without an answer buys nothing.
        await this.answer(clips, (await confirm({ title: say("RunComfy: confirm the purchase"), message })) === true);
      } catch {
        // It could not be shown: there are the buttons, as above.
      }
    }
    this._isAsking = false;
  }

  /** @param {import("./states.js").State} state @param {string} question With the title of the node, where it is in the open workflow. */
  _named(state, question) {
    const root = this._app.rootGraph ?? this._app.graph;
    const title = String(root?.id) === state.workflow_id ? nodeAt(root, state.node)?.title : "";
    return title ? say("{node}: {question}", { node: title, question }) : question;
  }

  /**
   * @param {import("./states.js").Clip[]} clips @param {boolean} buys
   * @returns {Promise<boolean>} Whether it was taken.
   */
  async answer(clips, buys) {
    let isTaken = true;
    for (const { question } of clips) {
      await this._server.change("POST", `/questions/${question}`, { buys }).catch((error) => {
        isTaken = false;
        if (buys) this._app.extensionManager.toast.add({ severity: "warn", summary: say("Your answer was not accepted"), detail: error.message, life: 8000 });
      });
    }
    return isTaken;
  }
}

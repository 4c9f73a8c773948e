// @ts-check
/** Asks the user whether a dear clip is to be bought, before the server sends anything, and brings it the answer. */

import { expected, usd } from "./money.js";
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
    /** @type {import("./states.js").State | null} */
    this._latest = null;
    this._isAsking = false;
  }

  /** @param {import("./states.js").State} state News of a node, from an event: this is the page that pressed Run. */
  take(state) {
    const isSame = this._latest?.node === state.node && this._latest?.workflow_id === state.workflow_id;
    if (!openClips(state).length) {
      if (isSame) this._latest = null;
      return;
    }
    this._latest = state;
    if (this._isAsking) return;
    this._isAsking = true;
    setTimeout(() => this._ask(), GATHERING_MS);
  }

  async _ask() {
    const clips = this._latest ? openClips(this._latest) : [];
    const confirm = this._app.extensionManager.dialog?.confirm;
    // Where there is no such dialog, and after a reload of the page, there are the buttons on the node.
    if (clips.length && confirm) {
      // A dialog that is put away without an answer buys nothing.
      const isConfirmed = await confirm({ title: say("RunComfy: confirm the purchase"), message: questionText(clips) });
      await this.answer(clips, isConfirmed === true);
    }
    this._isAsking = false;
  }

  /** @param {import("./states.js").Clip[]} clips @param {boolean} buys */
  async answer(clips, buys) {
    for (const { question } of clips) {
      await this._server.change("POST", `/questions/${question}`, { buys }).catch((error) => {
        if (buys) this._app.extensionManager.toast.add({ severity: "warn", summary: say("The answer came too late"), detail: error.message, life: 8000 });
      });
    }
  }
}

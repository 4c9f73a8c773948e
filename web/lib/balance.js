// @ts-check
/** The balance of the account, in the head of the panel: asked for once a minute while the panel is seen. */

import { h, setText } from "./dom.js";
import { usd } from "./money.js";
import { say, told } from "./words.js";

const EVERY_MS = 60_000;

export class Balance {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    this._timer = 0;
    this.element = h("span.s2p-balance", { hidden: true });
  }

  open() {
    this._ask();
    this._timer = window.setInterval(() => this._ask(), EVERY_MS);
  }

  close() {
    clearInterval(this._timer);
  }

  async _ask() {
    if (document.hidden) return;
    this._show(await this._server.get("/balance").catch((error) => ({ balance_usd: null, problem: error.message })));
  }

  /** @param {{balance_usd: number | null, problem: string}} answer Neither where there is no token. */
  _show({ balance_usd: amount, problem }) {
    this.element.hidden = amount === null && !problem;
    setText(this.element, say("Balance {amount}", { amount: amount === null ? "–" : signed(amount) }));
    this.element.title = problem
      ? say("The balance is not known: {problem}", { problem: told(problem) })
      : say("What is left on your RunComfy account");
  }
}

/** @param {number} amount US dollars; an account may be overdrawn. */
function signed(amount) {
  return amount < 0 ? `−${usd(-amount)}` : usd(amount);
}

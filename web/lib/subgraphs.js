// @ts-check
/** What is said of the clip nodes inside of a subgraph on the node that stands for it: the price, and how far a run is. */

import { after } from "./widgets.js";
import { say, told } from "./words.js";

export class Subgraphs {
  /** @param {import("./cards.js").Cards} cards @param {import("./prices.js").Prices} prices */
  constructor(cards, prices) {
    this._cards = cards;
    this._prices = prices;
    /** @type {Set<WeakRef<any>>} */
    this._outers = new Set();
    cards.onRefresh(() => this._redraw());
    prices.onChange(() => this._redraw());
  }

  /** @param {any} outer A node that stands for a subgraph. */
  attach(outer) {
    const Badge = /** @type {any} */ (globalThis).LGraphBadge;
    if (!Badge || !Array.isArray(outer.badges)) return;
    this._outers.add(new WeakRef(outer));
    after(outer, () => this._prices.redrawWithin(outer), "onWidgetChanged");
    outer.badges.push(
      () => new Badge({ text: pricesLabel(this._prices.labelsWithin(outer)), fgColor: "#fff", bgColor: "#35613f" }),
      () => new Badge({ text: stateLabel(this._cards.statesWithin(outer)), fgColor: "#fff", bgColor: "#3a4a63" }),
    );
  }

  _redraw() {
    for (const reference of this._outers) {
      const outer = reference.deref();
      if (outer) this._prices.redrawWithin(outer);
      else this._outers.delete(reference);
    }
  }
}

/**
 * The badge of a subgraph; empty where nothing in it buys clips.
 *
 * @param {string[]} labels Of its clip nodes.
 */
export function pricesLabel(labels) {
  if (labels.length < 2) return labels[0] ?? "";
  const isSame = labels.every((label) => label === labels[0]);
  return isSame ? say("{count} clip nodes, each {price}", { count: labels.length, price: labels[0] }) : labels.join(" + ");
}

/**
 * How far the run of a subgraph is; empty where nothing is under way and nothing went wrong.
 *
 * @param {import("./states.js").State[]} states Of the nodes in it.
 */
export function stateLabel(states) {
  const working = states.find((state) => state.phase === "working");
  if (working) return told(working.clips[0]?.text ?? "");
  if (states.some((state) => state.phase === "failed")) return say("Failed");
  return states.some((state) => state.phase === "stopped") ? say("Stopped") : "";
}

// @ts-check
/** The price of a run as a badge on the node. */

import { addHiddenWidget } from "./hidden.js";
import { priceLabel } from "./money.js";
import { changesSeed, controlOf } from "./seed.js";
import { after, givenValue, valueOf } from "./widgets.js";
import { say } from "./words.js";

const FRESH_MS = 60_000;
const UNKNOWN_FRESH_MS = 15_000;
const PULSE = "sora2pro.price";
const AUTO = "auto"; // the size that the picture decides
const COUNTS = new Set(["max_clips", "rehearse"]);

export class Prices {
  /**
   * @param {any} app @param {import("./server.js").Server} server @param {import("./outlook.js").Outlooks} outlooks
   * @param {import("./runs.js").Runs} runs
   */
  constructor(app, server, outlooks, runs) {
    this._app = app;
    this._server = server;
    this._outlooks = outlooks;
    this._runs = runs;
    outlooks.onChange((node) => this._changed(node));
    runs.onChange(() => this._redraw());
    /** @type {Map<string, {price: import("./money.js").Price | null, until: number}>} */
    this._known = new Map();
    /** @type {Set<WeakRef<any>>} */
    this._nodes = new Set();
    /** @type {WeakMap<object, import("./card.js").Card>} */
    this._cards = new WeakMap();
    /** @type {(() => void)[]} */
    this._listeners = [];
  }

  /** @param {() => void} act After a badge may have changed. */
  onChange(act) {
    this._listeners.push(act);
  }

  /** @param {any} node A node that buys clips. @param {import("./card.js").Card} card */
  attach(node, card) {
    this._cards.set(node, card);
    const Badge = /** @type {any} */ (globalThis).LGraphBadge;
    if (!Badge || !Array.isArray(node.badges)) return;
    const pulse = addHiddenWidget(node, PULSE);
    this._nodes.add(new WeakRef(node));
    const decisive = new Set([...COUNTS, ...pricedInputs(node)]);
    for (const widget of node.widgets) {
      if (decisive.has(widget.name) || widget === controlOf(node)) after(widget, () => this._changed(node));
    }
    node.badges.push(() => new Badge({ text: this.label(node, pulse.value), fgColor: "#fff", bgColor: "#35613f" }));
  }

  /** @param {any} node @param {string} [_pulse] */
  label(node, _pulse) {
    const values = orderOf(node);
    const size = this._outlooks.sizeOf(node);
    const inputs = values.inputs?.size === AUTO && size ? { ...values.inputs, size } : values.inputs;
    return priceLabel(this._priceOf(inputs), {
      ...values, changesSeed: changesSeed(node), runs: this._runs.count, clips: this._outlooks.clipsOf(node),
    });
  }

  /** @param {any} outer A node that stands for a subgraph. @returns {string[]} The labels of the clip nodes in it. */
  labelsWithin(outer) {
    return this._clipNodesWithin(outer).map((node) => this.label(node, valueOf(node, PULSE)));
  }

  /** Redraw the badges of the clip nodes in a subgraph, and so its own, which look at theirs. @param {any} outer */
  redrawWithin(outer) {
    for (const node of this._clipNodesWithin(outer)) redraw(node);
    redraw(outer);
  }

  /** @param {any} outer @returns {any[]} */
  _clipNodesWithin(outer) {
    return outer.subgraph.nodes.flatMap((/** @type {any} */ node) => {
      if (node.subgraph) return this._clipNodesWithin(node);
      return this._cards.has(node) ? [node] : [];
    });
  }

  /** @param {any} node */
  _changed(node) {
    this._warn(node);
    redraw(node);
    this._announce();
  }

  _announce() {
    for (const act of this._listeners) act();
    this._app.graph?.setDirtyCanvas?.(true, true);
  }

  /** Say on the card, before Run is pressed, that every run buys. @param {any} node */
  _warn(node) {
    const isAsked = changesSeed(node) && !orderOf(node).isRehearsal;
    this._cards.get(node)?.ask("seed", isAsked ? {
      text: say("The seed changes with each Run, so every Run buys a new clip: {price}.", { price: this.label(node) }),
      buttons: [],
    } : null);
  }

  /** @param {Record<string, string> | null} inputs */
  _priceOf(inputs) {
    if (inputs === null) return null;
    const path = `/price?${new URLSearchParams(inputs)}`;
    const known = this._known.get(path);
    if (!known || known.until < Date.now()) this._ask(path, known?.price ?? null);
    return known?.price ?? null;
  }

  /** @param {string} path @param {import("./money.js").Price | null} before */
  async _ask(path, before) {
    // The badge is drawn many times a second; one question is enough.
    this._known.set(path, { price: before, until: Date.now() + FRESH_MS });
    const price = await this._server.get(path).catch(() => null);
    const isKnown = price !== null && price.min_usd !== null;
    this._known.set(path, { price, until: Date.now() + (isKnown ? FRESH_MS : UNKNOWN_FRESH_MS) });
    this._redraw();
    // Nobody else would ask again for a badge that is not redrawn by itself.
    if (!isKnown) setTimeout(() => this._redraw(), UNKNOWN_FRESH_MS + 1);
  }

  _redraw() {
    for (const reference of this._nodes) {
      const node = reference.deref();
      if (node) this._warn(node);
      if (node) redraw(node);
      else this._nodes.delete(reference);
    }
    this._announce();
  }
}

/**
 * Let Nodes 2.0 redraw the badges: newer front ends do when a widget changes that a badge has looked at, older ones when they
 * hear of a title. LiteGraph draws them all the time.
 *
 * @param {any} node
 */
function redraw(node) {
  const pulse = node.widgets?.find((/** @type {any} */ widget) => widget.name === PULSE);
  if (pulse) pulse.value = String(performance.now());
  const change = { nodeId: node.id, property: "title", oldValue: node.title, newValue: node.title };
  node.graph?.trigger?.("node:property:changed", change);
}

/**
 * The inputs that set the price, as the node's definition marks them.
 *
 * @param {any} node
 * @returns {string[]}
 */
function pricedInputs(node) {
  const input = node.constructor?.nodeData?.input;
  const all = { ...input?.required, ...input?.optional };
  return Object.keys(all).filter((name) => all[name][1]?.sets_price);
}

/**
 * What the widgets of a node say; null where another node decides.
 *
 * @param {any} node
 */
export function orderOf(node) {
  const maxClips = Number(givenValue(node, "max_clips"));
  const inputs = pricedInputs(node).map((name) => [name, givenValue(node, name)]);
  return {
    inputs: inputs.some(([, one]) => one === null) ? null : Object.fromEntries(inputs.map(([name, one]) => [name, String(one)])),
    maxClips: maxClips > 0 ? maxClips : null,
    isRehearsal: givenValue(node, "rehearse") === true,
  };
}

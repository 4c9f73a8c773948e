// @ts-check
/** The price of a run as a badge on the node. */

import { addHiddenWidget } from "./hidden.js";
import { priceLabel } from "./money.js";

const FRESH_MS = 60_000;
const PULSE = "sora2pro.price";

export class Prices {
  /** @param {any} app @param {import("./server.js").Server} server */
  constructor(app, server) {
    this._app = app;
    this._server = server;
    /** @type {Map<string, {price: import("./money.js").Price | null, until: number}>} */
    this._known = new Map();
    /** @type {Set<WeakRef<any>>} */
    this._pulses = new Set();
  }

  /** @param {any} node A node that buys clips. */
  attach(node) {
    const Badge = /** @type {any} */ (globalThis).LGraphBadge;
    if (!Badge || !Array.isArray(node.badges)) return;
    // Nodes 2.0 draws a badge anew when a widget changes that it looked at: this one changes when a price has arrived.
    const pulse = addHiddenWidget(node, PULSE);
    this._pulses.add(new WeakRef(pulse));
    node.badges.push(() => new Badge({ text: this.label(node, pulse.value), fgColor: "#fff", bgColor: "#35613f" }));
  }

  /** @param {any} node @param {string} [_pulse] */
  label(node, _pulse) {
    const values = orderOf(node);
    return priceLabel(this._priceOf(values.size, values.seconds), values);
  }

  /** @param {string | null} size @param {number | null} seconds */
  _priceOf(size, seconds) {
    if (size === null || seconds === null) return null;
    const path = `/price?${new URLSearchParams({ size, seconds: String(seconds) })}`;
    const known = this._known.get(path);
    if (!known || known.until < Date.now()) this._ask(path, known?.price ?? null);
    return known?.price ?? null;
  }

  /** @param {string} path @param {import("./money.js").Price | null} before */
  async _ask(path, before) {
    // The badge is drawn many times a second; one question is enough.
    this._known.set(path, { price: before, until: Date.now() + FRESH_MS });
    const price = await this._server.get(path).catch(() => null);
    this._known.set(path, { price, until: Date.now() + FRESH_MS });
    for (const reference of this._pulses) {
      const pulse = reference.deref();
      if (pulse) pulse.value = String(Date.now());
      else this._pulses.delete(reference);
    }
    this._app.graph?.setDirtyCanvas?.(true, true);
  }
}

/**
 * What the widgets of a node say; null where another node decides.
 *
 * @param {any} node
 */
export function orderOf(node) {
  const isLinked = (/** @type {string} */ name) => {
    const index = (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name);
    return index >= 0 && node.isInputConnected(index);
  };
  const value = (/** @type {string} */ name) =>
    isLinked(name) ? null : (node.widgets?.find((/** @type {any} */ w) => w.name === name)?.value ?? null);
  const seconds = Number(value("seconds"));
  const maxClips = Number(value("max_clips"));
  return {
    size: value("size") === null ? null : String(value("size")),
    seconds: seconds > 0 ? seconds : null,
    maxClips: maxClips > 0 ? maxClips : null,
    isRehearsal: value("rehearse") === true,
  };
}

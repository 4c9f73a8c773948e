// @ts-check
/** What the chosen model can do, in a line on the node, and the widgets it has no use for in grey. */

import { h, setText } from "./dom.js";
import { after, givenValue } from "./widgets.js";
import { say } from "./words.js";

const WIDGET = "sora2pro.model";
const HEIGHT = 56;
const DECISIVE = ["model", "custom_model_id"];
const NEUTRAL = new Set(["", "model default", 0, null, undefined]);
/** Widgets that are grey because of a model; others may be grey for reasons of their own. */
const greyed = new WeakSet();

/**
 * @typedef {object} Facts A row of `GET /models`.
 * @property {string} model_id
 * @property {number[]} lengths_s
 * @property {number | null} shortest_s
 * @property {number | null} longest_s
 * @property {string[]} resolutions
 * @property {string[]} aspect_ratios
 * @property {string} sound
 * @property {string} last_picture
 * @property {boolean} has_seed
 * @property {boolean} has_negative_prompt
 * @property {number | null} base_price_usd
 * @property {string} price_unit
 * @property {boolean} is_total
 * @property {string[]} unusable
 */

export class Models {
  /** @param {any} app @param {import("./server.js").Server} server */
  constructor(app, server) {
    this._app = app;
    this._server = server;
    /** @type {Promise<Map<string, Facts>> | null} */
    this._known = null;
  }

  /** @param {any} node A node with a choice of models. */
  attach(node) {
    const line = h("p.s2p-model", { "aria-live": "polite" });
    // Its place is behind all widgets that are saved: ComfyUI finds their values by their places.
    const widget = node.addDOMWidget(WIDGET, WIDGET, line, {
      serialize: false,
      hideOnZoom: false,
      hideInPanel: true,
      getValue: () => "",
      setValue: () => {},
    });
    widget.serialize = false;
    widget.label = "";
    // A height of its own: whatever is left over belongs to the card.
    widget.computeLayoutSize = undefined;
    widget.computeSize = () => [0, HEIGHT];
    const show = () => this._show(node, line);
    for (const one of node.widgets) if (one !== widget) after(one, show);
    for (const name of ["onConfigure", "onConnectionsChange"]) after(node, show, name);
    show();
  }

  /** A run may have brought a newer description: ask again when there is something to show. */
  forget() {
    this._known = null;
  }

  /** @param {any} node @param {HTMLElement} line */
  async _show(node, line) {
    const models = await this._all();
    const facts = models.get(modelOf(node) ?? "");
    setText(line, sentence(modelOf(node), facts));
    line.title = line.textContent ?? "";
    grey(node, facts?.unusable ?? []);
    this._app.graph?.setDirtyCanvas?.(true, true);
  }

  /** @returns {Promise<Map<string, Facts>>} */
  async _all() {
    this._known ??= this._server.get("/models").then(
      (document) => new Map(document.models.map((/** @type {Facts} */ one) => [one.model_id, one])),
    );
    return this._known.catch(() => {
      this._known = null;
      return new Map();
    });
  }
}

/**
 * The id that a run would buy from; null where another node decides.
 *
 * @param {any} node @returns {string | null}
 */
export function modelOf(node) {
  const [model, custom] = DECISIVE.map((name) => givenValue(node, name));
  return custom === null || model === null ? null : String(custom).trim() || String(model);
}

/**
 * The annotation of a node.
 *
 * @param {string | null} modelId Null where another node decides.
 * @param {Facts | undefined} facts
 */
export function sentence(modelId, facts) {
  if (modelId === null) return say("Another node chooses the model: its description is read when it runs.");
  if (!facts) return say("{model}: its description is read from RunComfy when it runs.", { model: modelId });
  return [
    lengths(facts),
    facts.resolutions.join(", "),
    facts.aspect_ratios.join(", "),
    sound(facts),
    lastPicture(facts),
    facts.has_seed ? say("seed") : "",
    facts.has_negative_prompt ? say("negative prompt") : "",
    rate(facts),
  ].filter(Boolean).join(" · ");
}

/** @param {Facts} facts */
function lengths({ lengths_s: list, shortest_s: shortest, longest_s: longest }) {
  const isEverySecond = list.length > 2 && list.every((length, index) => index === 0 || length === list[index - 1] + 1);
  if (list.length && !isEverySecond) return choices(list);
  if (shortest !== null && longest !== null) return say("{shortest} to {longest} s", { shortest, longest });
  return longest === null ? "" : say("up to {longest} s", { longest });
}

/** @param {number[]} list */
function choices(list) {
  if (list.length < 2) return say("{length} s", { length: list[0] });
  return say("{lengths} or {last} s", { lengths: list.slice(0, -1).join(", "), last: list[list.length - 1] });
}

/** @param {Facts} facts */
function sound(facts) {
  switch (facts.sound) {
    case "switch": return say("sound on or off");
    case "always": return say("always with sound");
    case "none": return say("no sound");
    default: return "";
  }
}

/** @param {Facts} facts */
function lastPicture(facts) {
  switch (facts.last_picture) {
    case "required": return say("needs a last picture");
    case "optional": return say("last picture");
    default: return "";
  }
}

/** @param {Facts} facts */
function rate({ base_price_usd: usd, price_unit: unit, is_total: isTotal }) {
  if (usd === null) return "";
  const amount = usd.toFixed(4).replace(/(\.\d\d\d?)0+$/, "$1").replace(/(\.\d\d)0$/, "$1");
  const price = `$${amount}`;
  if (unit === "second") return isTotal ? say("{price} a second", { price }) : say("from {price} a second", { price });
  return isTotal ? say("{price} a clip", { price }) : say("from {price} a clip", { price });
}

/**
 * Grey the widgets that a model has no use for. One that holds a wish stays as it is: the run is refused for it, and the user
 * must be able to see and to clear it.
 *
 * @param {any} node @param {string[]} unusable
 */
export function grey(node, unusable) {
  let hasChanged = false;
  for (const widget of node.widgets) {
    const isGrey = unusable.includes(widget.name) && NEUTRAL.has(widget.value);
    if (isGrey === greyed.has(widget)) continue;
    if (isGrey) greyed.add(widget);
    else greyed.delete(widget);
    widget.disabled = isGrey;
    // Older front ends with Nodes 2.0 look here.
    if (widget.options) widget.options.disabled = isGrey;
    hasChanged = true;
  }
  // They look again only when the list of widgets changes.
  if (hasChanged) node.widgets.push(node.widgets.pop());
}

// @ts-check
/** Which card shows what: events and the server's memory on one side, the nodes of the open workflow on the other. */

import { Card } from "./card.js";
import { addHiddenWidget } from "./hidden.js";
import { States, nodeAt } from "./states.js";
import { told } from "./words.js";

const WIDGET = "sora2pro";
const CARD_HEIGHT = 272;
const SILENCE_MS = 4000;
// ComfyUI writes its progress text into a widget of this name, and adds one only where there is none.
const PROGRESS_TEXT = "$$node-text-preview";

export class Cards {
  /**
   * @param {any} app @param {any} api @param {import("./server.js").Server} server
   * @param {import("./questions.js").Questions} questions
   */
  constructor(app, api, server, questions) {
    this._app = app;
    this._api = api;
    this._server = server;
    this._questions = questions;
    this._states = new States();
    /** @type {WeakMap<object, Card>} */
    this._cards = new WeakMap();
    /** @type {Set<Card>} */
    this._refused = new Set();
    this._isDue = false;
    this._timer = 0;
    /** @type {(() => void)[]} */
    this._listeners = [];
    // The server sends progress only to the page that pressed Run, and its queue's length to all.
    api.addEventListener("status", () => this._ask());
  }

  /** Ask the server for the states of all nodes: the page is new, or was away, and the server may have been restarted. */
  async load() {
    const before = this._states.working();
    const known = await this._ask();
    if (known) this._states.endLost(before, known);
    this.refresh();
  }

  /** @returns {Promise<any[] | null>} What the server knows; null if it did not answer. */
  async _ask() {
    const document = await this._server.get("/nodes").catch(() => null);
    for (const state of document?.nodes ?? []) this.take(state);
    this._askAfterSilence();
    return document?.nodes ?? null;
  }

  /** While a run is under way and nothing is heard of it, this may not be the page that pressed Run. */
  _askAfterSilence() {
    clearTimeout(this._timer);
    if (this._states.working().length) this._timer = window.setTimeout(() => this._ask(), SILENCE_MS);
  }

  /** @param {any} state What an event or the server's memory brought. */
  take(state) {
    if (!this._states.take(state)) return;
    this.refresh();
    this._askAfterSilence();
  }

  /** Show on every node of the open workflow what is known of it, at the next frame. */
  refresh() {
    if (this._isDue) return;
    this._isDue = true;
    requestAnimationFrame(() => {
      this._isDue = false;
      const root = this._app.rootGraph ?? this._app.graph;
      if (!root) return;
      // A node inside of a subgraph that is used twice has two states; the newer one is shown.
      for (const state of this._states.of(String(root.id))) this._cards.get(nodeAt(root, state.node) ?? {})?.show(state);
      for (const act of this._listeners) act();
    });
  }

  /** @param {() => void} act After the cards show what is known now. */
  onRefresh(act) {
    this._listeners.push(act);
  }

  /** @param {any} outer A node that stands for a subgraph. @returns {import("./states.js").State[]} What is known of the nodes in it. */
  statesWithin(outer) {
    const root = this._app.rootGraph ?? this._app.graph;
    return this._states.of(String(root?.id)).filter((state) => {
      const ids = state.node.split(":");
      return ids.some((_, depth) => depth > 0 && nodeAt(root, ids.slice(0, depth).join(":")) === outer);
    });
  }

  /**
   * Show on each node why ComfyUI does not run it; the others are refused no longer.
   *
   * @param {Map<string, string>} refusals Sentences, by the ids of nodes.
   */
  refuse(refusals) {
    for (const card of this._refused) card.refuse("");
    this._refused.clear();
    for (const [id, sentence] of refusals) {
      const card = this._cards.get(nodeAt(this._app.rootGraph ?? this._app.graph, id) ?? {});
      if (!card) continue;
      card.refuse(told(sentence));
      this._refused.add(card);
    }
  }

  /** @param {any} node A node of ours that was just made. @returns {Card} */
  attach(node) {
    const card = new Card(this._server, this._api, this._questions);
    this._cards.set(node, card);
    const widget = node.addDOMWidget(WIDGET, WIDGET, card.element, {
      serialize: false,
      hideOnZoom: false,
      // The properties panel would list it without a name, and give it the panel's own width for good.
      hideInPanel: true,
      getMinHeight: () => CARD_HEIGHT,
      getValue: () => "",
      setValue: () => {},
    });
    // `options.serialize` keeps it out of the prompt, this keeps it out of the saved workflow.
    widget.serialize = false;
    widget.label = "";
    takeOverPreviews(this._app, node, card);
    this.refresh();
    return card;
  }
}

/**
 * The card shows clip and text; ComfyUI's own previews would show them a second time and make the node jump.
 *
 * @param {any} app @param {any} node @param {Card} card
 */
function takeOverPreviews(app, node, card) {
  // Nodes 2.0 looks at this, LiteGraph makes its preview while it draws the background.
  node.hideOutputImages = true;
  // A subgraph's outer node in Nodes 2.0 plays the clip, and would take it for a picture without this.
  node.previewMediaType = "video";
  node.onDrawBackground = () => {};
  hideProgressText(node);
  const onExecuted = node.onExecuted;
  node.onExecuted = function (/** @type {any} */ output) {
    const { images, animated, ...rest } = output ?? {};
    if (images && animated) card.offer(images);
    if (output && !hasAppMode(app)) {
      // Older front ends with Nodes 2.0 know no other way to leave the preview out.
      delete output.images;
      delete output.animated;
    }
    return onExecuted?.call(this, rest);
  };
}

/** @param {any} app @returns {boolean} Whether the front end has an app mode, which reads the clip from the same output afterwards. */
function hasAppMode(app) {
  return "activeMode" in (app.extensionManager?.workflow?.activeWorkflow ?? {});
}

/** @param {any} node */
function hideProgressText(node) {
  // The front end removes the widget at the end of a run; without another one it would show its own in the next run.
  addHiddenWidget(node, PROGRESS_TEXT).onRemove = () => queueMicrotask(() => hideProgressText(node));
}

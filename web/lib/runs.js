// @ts-check
/**
 * Which prompts ComfyUI's page queues by itself (Run On Change, Run Instant), and on which nodes those may buy. The server is
 * told in `extra_data` of the prompt, which no saved file holds, and it is the server that refuses.
 */

import { nodeAt } from "./states.js";
import { say } from "./words.js";

const NOTE = "sora2pro";
const AUTOMATIC_SOURCE = "auto_queue";
const BY_HAND = "disabled";
const RUN_COMMANDS = new Set(["Comfy.QueuePrompt", "Comfy.QueuePromptFront", "Comfy.QueueSelectedOutputNodes"]);

export class Runs {
  /** @param {any} app @param {any} api */
  constructor(app, api) {
    this._app = app;
    this._api = api;
    /** @type {Set<Promise<any>>} Calls by which the front end is queueing prompts, either all automatic or all by hand. */
    this._underWay = new Set();
    this._isAutomatic = false;
    /** @type {string | undefined} What the command that is just being carried out was given by. */
    this._pressed = undefined;
    /** @type {WeakSet<object>} Nodes on which automatic runs may buy. Undo, or another workflow, makes new ones, which may not. */
    this._mayBuy = new WeakSet();
    /** @type {Map<WeakRef<any>, any>} */
    this._cards = new Map();
    /** @type {(() => void)[]} */
    this._listeners = [];
  }

  /** From now on tell the server of every prompt how it came about. */
  watch() {
    const { _app: app, _api: api } = this;
    const runs = this;
    const queuePrompt = app.queuePrompt;
    app.queuePrompt = function (/** @type {any[]} */ ...values) {
      const source = values[2]?.intent?.trigger_source ?? runs._pressed;
      return runs._inTurn(runs._isUnasked(source), () => queuePrompt.apply(this, values));
    };
    for (const command of app.extensionManager?.command?.commands ?? []) {
      if (RUN_COMMANDS.has(command.id)) this._watchCommand(command);
    }
    const fetchApi = api.fetchApi;
    api.fetchApi = function (/** @type {string} */ route, /** @type {any} */ options) {
      const isPrompt = route === "/prompt" && options?.method === "POST";
      return fetchApi.call(this, route, isPrompt ? { ...options, body: runs.noted(options.body) } : options);
    };
    this._queueSettings?.$subscribe?.(() => this._changed(), { detached: true });
    this._changed();
  }

  /** Whether ComfyUI queues by itself as long as its Run button stands as it does. */
  get isAutomatic() {
    const ui = this._app.ui;
    const isOldMenu = ui?.autoQueueEnabled === true && ["instant", "change"].includes(ui.autoQueueMode);
    return isOldMenu || ![undefined, BY_HAND].includes(this._queueSettings?.mode);
  }

  /** How many runs one press of Run queues. */
  get count() {
    const count = Number(this._queueSettings?.batchCount);
    return Number.isInteger(count) && count > 0 ? count : 1;
  }

  /** @param {() => void} act When the Run button was set to something else. */
  onChange(act) {
    this._listeners.push(act);
  }

  /** @param {any} node A node that buys clips. @param {import("./card.js").Card} card */
  attach(node, card) {
    this._cards.set(new WeakRef(node), card);
    this._show(node, card);
  }

  /** @param {import("./states.js").State} state News of a node: who stops a run wants no other that nobody asks for. */
  take(state) {
    if (state.phase !== "stopped") return;
    const node = nodeAt(this._app.rootGraph ?? this._app.graph, state.node);
    if (!node || !this._mayBuy.delete(node)) return;
    this._changed();
  }

  /**
   * A prompt with the page's note.
   *
   * @param {string} body As ComfyUI sends it.
   */
  noted(body) {
    const prompt = JSON.parse(body);
    const root = this._app.rootGraph ?? this._app.graph;
    const mayBuy = Object.keys(prompt.prompt ?? {}).filter((id) => this._mayBuy.has(nodeAt(root, id) ?? {}));
    prompt.extra_data = { ...prompt.extra_data, [NOTE]: { automatic: this._isAutomatic, may_buy: mayBuy } };
    return JSON.stringify(prompt);
  }

  get _queueSettings() {
    return this._app.extensionManager?.queueSettings;
  }

  /**
   * Front ends whose queue is not told who asked tell the command, where the Run button or a key gave it; their automatic runs
   * go past the commands.
   *
   * @param {any} command
   */
  _watchCommand(command) {
    const act = command.function;
    command.function = (/** @type {any} */ metadata) => {
      this._pressed = metadata?.trigger_source;
      try {
        // It queues before it waits for anything, so that no other run can come in between.
        return act(metadata);
      } finally {
        this._pressed = undefined;
      }
    };
  }

  /** @param {string | undefined} source Who asked for a run, as far as the front end says. */
  _isUnasked(source) {
    // Where it does not, a run counts as automatic as long as the Run button is set so.
    return source === undefined ? this.isAutomatic : source === AUTOMATIC_SOURCE;
  }

  /**
   * Queue a run when no run of the other kind is being queued: the front end lets one call queue what others ask for meanwhile,
   * and a click on Run may be the change that starts an automatic run.
   *
   * @param {boolean} isAutomatic @param {() => Promise<any>} queue
   */
  async _inTurn(isAutomatic, queue) {
    while (this._underWay.size > 0 && this._isAutomatic !== isAutomatic) await Promise.allSettled(this._underWay);
    this._isAutomatic = isAutomatic;
    const call = queue();
    this._underWay.add(call);
    try {
      return await call;
    } finally {
      this._underWay.delete(call);
      if (this._underWay.size === 0) this._isAutomatic = false;
    }
  }

  _changed() {
    for (const [reference, card] of this._cards) {
      const node = reference.deref();
      if (node) this._show(node, card);
      else this._cards.delete(reference);
    }
    for (const act of this._listeners) act();
  }

  /** @param {any} node @param {import("./card.js").Card} card */
  _show(node, card) {
    // Who goes back to single runs is asked again the next time.
    if (!this.isAutomatic) this._mayBuy.delete(node);
    const mayBuy = this._mayBuy.has(node);
    // The card is kept for as long as its node lives, so what it asks must not keep the node.
    const reference = new WeakRef(node);
    card.ask("automatic", this.isAutomatic ? {
      text: mayBuy
        ? say("Automatic runs are on and may buy clips with this node.")
        : say("Automatic runs are on. They deliver clips that are already bought or free, and buy nothing new."),
      buttons: [{
        label: mayBuy ? say("Stop automatic buying") : say("Let automatic runs buy"),
        act: () => this._let(reference.deref(), !mayBuy, card),
      }],
    } : null);
  }

  /** @param {any} node One that was removed from the graph may be gone. @param {boolean} mayBuy @param {import("./card.js").Card} card */
  _let(node, mayBuy, card) {
    if (!node) return;
    if (mayBuy) this._mayBuy.add(node);
    else this._mayBuy.delete(node);
    this._show(node, card);
  }
}

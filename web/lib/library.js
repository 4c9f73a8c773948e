// @ts-check
/** What the panel does with a job besides looking at it: nodes for it on the canvas, by a click or by dragging, and its prompt. */

import { addNode, placeOf } from "./canvas.js";
import { copy } from "./dom.js";
import { say } from "./words.js";

/** @typedef {import("./rows.js").Job} Job */

const STATUS = "Sora2ProStatus";
const ANY_MODEL = "RunComfyImageToVideo";
const TEMPLATES = "Comfy.BrowseTemplates";
// What is dragged: a type of our own, so that neither ComfyUI nor a field takes it for a file or a text.
const DRAGGED = "application/x-runcomfy-job";
const SHOWN_PROMPT_CHARS = 400;

export class Library {
  /**
   * @param {any} app @param {import("./server.js").Server} server
   * @param {(severity: "info" | "warn" | "error", text: string) => void} tell
   */
  constructor(app, server, tell) {
    this._app = app;
    this._server = server;
    this._tell = tell;
  }

  /** Put a node with a job's model, prompt, inputs and seed on the canvas. @param {Job} job */
  async useAgain(job) {
    const inputs = await this._inputs(job);
    if (!inputs) return;
    const { node, widgets, seed } = inputs;
    if (!this._add(node, { ...widgets, seed: Number(seed) })) return;
    const added = say("A node with the prompt, inputs and seed of {job} is on the canvas. Connect the picture; nothing was queued.", {
      job: job.name,
    });
    const inexact = say("Its seed {seed} has more digits than a browser can hold, so a run buys another take.", { seed });
    if (Number.isSafeInteger(Number(seed))) this._tell("info", added);
    else this._tell("warn", [added, inexact].join(" "));
  }

  /** Put a node that loads a job's clip on the canvas. @param {Job} job @param {[number, number]} [at] */
  load(job, at) {
    this._loadById(job.request_id ?? job.name, at);
  }

  /** @param {Job} job */
  addStatus(job) {
    this._add(STATUS, { request_id: job.request_id ?? job.name });
  }

  /** Put a new node that makes clips on the canvas. */
  addNew() {
    this._add(ANY_MODEL, {});
  }

  /** Open ComfyUI's own list of templates. */
  async openTemplates() {
    const hint = say("The templates are in ComfyUI's menu under Browse Templates, in the list of extensions.");
    const commands = this._app.extensionManager?.command;
    if (!commands?.commands?.some((/** @type {any} */ one) => one.id === TEMPLATES)) {
      this._tell("info", hint);
      return;
    }
    await commands.execute(TEMPLATES);
  }

  /** @param {Job} job */
  async copyPrompt(job) {
    // The list holds the beginning of a long prompt only.
    const isWhole = job.prompt.length < SHOWN_PROMPT_CHARS;
    const prompt = isWhole ? job.prompt : (await this._inputs(job))?.widgets.prompt;
    if (prompt === undefined) return;
    if (await copy(prompt)) this._tell("info", say("The prompt of {job} was copied.", { job: job.name }));
    else this._tell("error", say("The browser blocked copying"));
  }

  /** Let an element be dragged to the canvas. @param {HTMLElement} element @param {Job} job */
  letDrag(element, job) {
    element.draggable = true;
    element.addEventListener("dragstart", (event) => {
      const data = event.dataTransfer;
      if (!data) return;
      data.clearData();
      data.setData(DRAGGED, job.request_id ?? job.name);
      data.effectAllowed = "copy";
    });
  }

  /** Take what is dragged to the canvas; ComfyUI itself does not know it. */
  takeDrops() {
    const isOurs = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes(DRAGGED) && this._isCanvas(event);
    this._over = (/** @type {DragEvent} */ event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    };
    this._drop = (/** @type {DragEvent} */ event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      event.stopPropagation();
      this._loadById(event.dataTransfer?.getData(DRAGGED) ?? "", placeOf(this._app.canvas, event.clientX, event.clientY));
    };
    window.addEventListener("dragover", this._over, true);
    window.addEventListener("drop", this._drop, true);
  }

  leaveDrops() {
    if (this._over) window.removeEventListener("dragover", this._over, true);
    if (this._drop) window.removeEventListener("drop", this._drop, true);
  }

  /** @param {DragEvent} event */
  _isCanvas(event) {
    if (event.target instanceof Element && event.target.closest(".s2p-panel, .side-bar-panel")) return false;
    const { left, top, right, bottom } = this._app.canvas.canvas.getBoundingClientRect();
    return event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
  }

  /** @param {string} name @param {[number, number]} [at] */
  _loadById(name, at) {
    if (!this._add(STATUS, { request_id: name, action: "collect" }, at)) return;
    this._tell("info", say("A node that loads the clip is on the canvas. Running it costs nothing."));
  }

  /** @param {string} kind @param {Record<string, any>} values @param {[number, number]} [at] */
  _add(kind, values, at) {
    const node = addNode(this._app, kind, values, at);
    if (!node) this._tell("error", say("The node {name} is not loaded. Restart ComfyUI and reload the page.", { name: kind }));
    return node;
  }

  /** @param {Job} job @returns {Promise<{node: string, widgets: Record<string, any>, seed: string} | null>} */
  async _inputs(job) {
    try {
      return await this._server.get(`/jobs/${job.id}/inputs`);
    } catch (error) {
      this._tell("error", /** @type {Error} */ (error).message);
      return null;
    }
  }
}

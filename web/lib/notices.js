// @ts-check
/** Says that a run has ended: always in a toast and, for those who asked for it, in a notification while the page is hidden. */

import { NOTIFY } from "./settings.js";
import { say, told } from "./words.js";

/** @typedef {import("./states.js").State} State */

/**
 * @typedef {object} Notice
 * @property {"success" | "warn" | "error"} severity
 * @property {string} summary
 * @property {string} detail
 */

const LONGEST = 300;
const SUCCESS_MS = 5000;
const TROUBLE_MS = 15_000;
const AT_RUNCOMFY = new Set(["submitting", "queued", "rendering"]);

/**
 * What to say about a node's state; nothing as long as it works, and nothing when the user stopped it.
 *
 * @param {State} state
 * @returns {Notice | null}
 */
export function noticeOf(state) {
  if (state.phase === "done" && state.message) {
    return { severity: "warn", summary: say("Not every clip arrived"), detail: shortened(told(state.message)) };
  }
  // A look at a job brings no clip, and its report is on the node.
  if (state.phase === "done" && state.clips.every((clip) => clip.kind === "reported")) return null;
  if (state.phase === "done") {
    const [clip, ...others] = state.clips;
    const summary = others.length ? say("{count} clips are ready", { count: state.clips.length }) : say("The clip is ready");
    return { severity: "success", summary, detail: others.length ? "" : shortened(told(clip?.text ?? "")) };
  }
  if (state.phase === "failed") return { severity: "error", summary: say("The node stopped with an error"), detail: shortened(told(state.message)) };
  return null;
}

/** @param {string} text */
function shortened(text) {
  if (text.length <= LONGEST) return text;
  return say("{beginning}… The whole message is on the node.", { beginning: text.slice(0, LONGEST).trimEnd() });
}

/** Which runs RunComfy worked for, as far as this page saw them: a clip that was already bought needs nobody to be called. */
export class Waits {
  constructor() {
    /** @type {Set<string>} */
    this._keys = new Set();
  }

  /**
   * @param {State} state
   * @returns {boolean} Whether this run, which has ended, was one to wait for.
   */
  take(state) {
    const key = `${state.workflow_id} ${state.node} ${state.prompt_id}`;
    if (state.phase !== "working") return this._keys.delete(key);
    if (state.clips.some((clip) => AT_RUNCOMFY.has(clip.kind))) this._keys.add(key);
    return false;
  }
}

export class Notices {
  /** @param {any} app */
  constructor(app) {
    this._app = app;
    this._waits = new Waits();
    this._trouble = "";
    this._until = 0;
  }

  /** @param {State} state News of a node, from an event. */
  take(state) {
    const hasWaited = this._waits.take(state);
    const notice = noticeOf(state);
    if (!notice) return;
    const life = notice.severity === "success" ? SUCCESS_MS : TROUBLE_MS;
    if (notice.severity === "error") {
      // Automatic runs may fail for the same reason at every key that is pressed.
      const isShown = notice.detail === this._trouble && Date.now() < this._until;
      this._trouble = notice.detail;
      this._until = Date.now() + life;
      if (isShown) return;
    }
    this._app.extensionManager.toast.add({ ...notice, life });
    if (hasWaited && document.hidden && this._app.extensionManager.setting.get(NOTIFY)) notify(notice);
  }
}

/** @param {Notice} notice */
function notify(notice) {
  if (globalThis.Notification?.permission !== "granted") return;
  const notification = new Notification(`RunComfy: ${notice.summary}`, { body: notice.detail });
  notification.addEventListener("click", () => {
    window.focus();
    notification.close();
  });
  chime(notice.severity === "success" ? [660, 880] : [440, 330]);
}

/** @param {number[]} tones Hertz, one after the other: systems differ in whether a notification makes a sound of its own. */
function chime(tones) {
  const context = new AudioContext();
  const volume = new GainNode(context, { gain: 0.15 });
  volume.connect(context.destination);
  const step = 0.18;
  tones.forEach((frequency, index) => {
    const tone = new OscillatorNode(context, { frequency });
    tone.connect(volume);
    tone.start(context.currentTime + index * step);
    tone.stop(context.currentTime + (index + 1) * step);
    if (index === tones.length - 1) tone.addEventListener("ended", () => context.close());
  });
}

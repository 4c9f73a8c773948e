// @ts-check
/** What Run will do with the inputs that a node has now, as far as the page can know it, and the picture as it will be sent. */

import { controlOf } from "./seed.js";
import { givenValue, isLinked, sourceOf, valueOf } from "./widgets.js";
import { say } from "./words.js";

const LOOK_MS = 700;
const FRESH_MS = 30_000;
const LOADERS = ["LoadImage", "LoadImageOutput"];
const ALWAYS = 0; // LiteGraph's mode of a node that is neither muted nor bypassed

/**
 * @typedef {object} Outlook
 * @property {string[]} clips For each clip of a run `new`, `bought`, `ready`, `under_way`, `uncertain` or `failed`; empty: not known.
 * @property {{id: string, size: string}[]} pictures
 */

/**
 * What a node is set to; null where another node decides some of it, so that nothing can be said before the run.
 *
 * @param {any} node
 * @returns {{node: string, values: Record<string, any>, files: Record<string, string>} | null}
 */
export function inputsOf(node) {
  if (node.mode !== ALWAYS) return null;
  const input = node.constructor?.nodeData?.input;
  const all = { ...input?.required, ...input?.optional };
  const values = /** @type {Record<string, any>} */ ({});
  const files = /** @type {Record<string, string>} */ ({});
  for (const [name, [type]] of Object.entries(all)) {
    const isPicture = type === "IMAGE";
    if (isPicture && !isLinked(node, name)) continue;
    const given = isPicture ? fileBehind(node, name) : givenValue(node, name);
    if (given === null) return null;
    (isPicture ? files : values)[name] = given;
  }
  return { node: node.comfyClass ?? node.constructor?.comfyClass, values, files };
}

/** @param {any} node @param {string} name @returns {string | null} The picture that a Load Image gives an input. */
function fileBehind(node, name) {
  const { node: source, slot } = sourceOf(node, name) ?? {};
  const isLoader = LOADERS.includes(source?.comfyClass) && source.mode === ALWAYS && slot === 0;
  if (!isLoader || isLinked(source, "image")) return null;
  const file = valueOf(source, "image");
  return typeof file === "string" ? file : null;
}

/** @param {string[]} clips @returns {boolean} Whether it is known that a run buys nothing. */
export function isFree(clips) {
  return clips.length > 0 && !clips.includes("new");
}

/** @param {string[]} clips Of a run that buys nothing. @returns {string} For the badge. */
export function freeLabel(clips) {
  if (clips.includes("uncertain")) return say("buys nothing: see the node");
  if (clips.includes("failed")) return say("buys nothing: asks again");
  return clips.includes("under_way") ? say("under way: Run is free") : say("already bought: Run is free");
}

/** @param {string[]} clips @returns {string} For the card; empty where there is nothing to say. */
export function expectation(clips) {
  if (!isFree(clips)) return "";
  if (clips.includes("uncertain")) {
    return say("It is not known whether RunComfy accepted this request. Run buys nothing until you adopt or release it in the RunComfy clips tab.");
  }
  if (clips.includes("failed")) return say("This request failed or was cancelled at RunComfy. Run buys nothing: it asks RunComfy again.");
  if (clips.includes("under_way")) return say("One request is under way. Run is free: it waits for the clip and collects it.");
  if (clips.includes("ready")) return say("You already bought this clip. Run is free: it downloads the clip from RunComfy.");
  return say("You already bought this clip. Run is free.");
}

export class Outlooks {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    /** @type {Map<WeakRef<any>, {card: import("./card.js").Card, seen: string, asked: number, until: number}>} */
    this._nodes = new Map();
    /** @type {WeakMap<object, Outlook>} */
    this._known = new WeakMap();
    /** @type {((node: any) => void)[]} */
    this._listeners = [];
    this._timer = 0;
  }

  /** @param {any} node @returns {string[]} */
  clipsOf(node) {
    return this._known.get(node)?.clips ?? [];
  }

  /** @param {any} node @returns {string | undefined} The size in which its picture will be sent. */
  sizeOf(node) {
    return this._known.get(node)?.pictures[0]?.size;
  }

  /** @param {(node: any) => void} act What is known of a node has changed, or what it is set to. */
  onChange(act) {
    this._listeners.push(act);
  }

  /** @param {any} node A node that buys clips. @param {import("./card.js").Card} card */
  attach(node, card) {
    this._nodes.set(new WeakRef(node), { card, seen: "", asked: 0, until: 0 });
    this._timer ||= window.setInterval(() => this._look(), LOOK_MS);
  }

  /** Something was bought, collected or released: ask again. */
  forget() {
    for (const watched of this._nodes.values()) watched.until = 0;
  }

  _look() {
    if (document.hidden) return;
    for (const [reference, watched] of this._nodes) {
      const node = reference.deref();
      if (!node) this._nodes.delete(reference);
      else if (node.graph) this._lookAt(node, watched);
    }
  }

  /** @param {any} node @param {any} watched */
  _lookAt(node, watched) {
    const inputs = inputsOf(node);
    const now = JSON.stringify([inputs, controlOf(node)?.value]);
    if (now !== watched.seen) {
      // What was known belongs to other inputs. Ask once they have not changed for a moment.
      watched.seen = now;
      watched.until = 0;
      this._take(node, watched, null);
    } else if (inputs && watched.until < Date.now()) {
      watched.until = Date.now() + FRESH_MS;
      const asked = (watched.asked += 1);
      this._server.change("POST", "/outlook", inputs).then(
        (outlook) => watched.seen === now && watched.asked === asked && this._take(node, watched, outlook),
        () => {},
      );
    }
  }

  /** @param {any} node @param {any} watched @param {Outlook | null} outlook */
  _take(node, watched, outlook) {
    if (outlook) this._known.set(node, outlook);
    else this._known.delete(node);
    const picture = outlook?.pictures[0];
    watched.card.expect(expectation(outlook?.clips ?? []), picture ? {
      source: this._server.url(`/pictures/${picture.id}`),
      caption: say("As it will be sent: {size}", { size: picture.size }),
    } : null);
    for (const act of this._listeners) act(node);
  }
}

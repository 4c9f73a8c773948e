// @ts-check
/** The last state of every node, by workflow. Pure: no page, no server. */

import { say } from "./words.js";

/**
 * @typedef {object} Clip
 * @property {string} kind
 * @property {string} text
 * @property {number} fraction
 * @property {string | null} request_id
 * @property {string} [question] What an answer names, while the clip waits for one.
 * @property {number | null} [usd] What the clip is expected to cost, where it waits for an answer.
 * @property {string} [price_bound] What that says of the real price.
 */

/**
 * @typedef {object} State
 * @property {string} node The node's id; inside of subgraphs the ids on the way to it, joined by colons.
 * @property {string | null} prompt_id
 * @property {string | null} workflow_id
 * @property {number} run Grows from prompt to prompt.
 * @property {number} step Grows within one prompt.
 * @property {number} at Seconds since the epoch.
 * @property {"working" | "done" | "failed" | "stopped"} phase
 * @property {Clip[]} clips
 * @property {string} message
 */

/** @param {any} state @returns {state is State} */
function isState(state) {
  return typeof state?.node === "string" && Number.isFinite(state.run) && Number.isFinite(state.step)
    && Array.isArray(state.clips);
}

/**
 * Whether `a` came before `b`; an event of an earlier prompt may arrive late.
 *
 * @param {State} a @param {State} b
 */
export function isOlder(a, b) {
  return a.run !== b.run ? a.run < b.run : a.step < b.step;
}

/**
 * What a card shows one by one: the clips of a run, after its message (null) where it has not gone well.
 *
 * @param {State} state
 * @returns {(Clip | null)[]}
 */
export function pagesOf(state) {
  if (state.phase === "done") return state.clips;
  return state.phase === "working" ? [null] : [null, ...state.clips.filter((clip) => clip.kind === "finished")];
}

/**
 * The clip that the message of a run is about: a sentence about one of several names its request.
 *
 * @param {State} state
 * @returns {Clip | undefined}
 */
export function clipMeant(state) {
  return state.clips.find((clip) => clip.request_id && state.message.includes(clip.request_id)) ?? state.clips[0];
}

export class States {
  constructor() {
    /** @type {Map<string, Map<string, State>>} */
    this._byWorkflow = new Map();
  }

  /**
   * @param {any} state
   * @returns {boolean} Whether it is news.
   */
  take(state) {
    // Without a workflow nobody can say which node it was: a script queued the prompt.
    if (!isState(state) || !state.workflow_id) return false;
    const nodes = this._byWorkflow.get(state.workflow_id) ?? new Map();
    const known = nodes.get(state.node);
    if (known && !isOlder(known, state)) return false;
    nodes.set(state.node, state);
    this._byWorkflow.set(state.workflow_id, nodes);
    return true;
  }

  /** @returns {State[]} Those of runs that are under way, in any workflow. */
  working() {
    return [...this._byWorkflow.values()].flatMap((nodes) => [...nodes.values()]).filter((state) => state.phase === "working");
  }

  /**
   * End the runs that the server does not know any more, because it was restarted.
   *
   * @param {State[]} before What was under way when the server was asked: what began later is not in its answer.
   * @param {any[]} known The states in its answer.
   */
  endLost(before, known) {
    const isKnown = new Set(known.filter(isState).map(keyOf));
    for (const state of before) {
      const nodes = this._byWorkflow.get(/** @type {string} */ (state.workflow_id));
      if (nodes?.get(state.node) !== state || isKnown.has(keyOf(state))) continue;
      nodes.set(state.node, { ...state, phase: "stopped", message: lostSentence(state) });
    }
  }

  /**
   * @param {string} workflowId
   * @returns {State[]} Oldest first.
   */
  of(workflowId) {
    return [...(this._byWorkflow.get(workflowId)?.values() ?? [])].sort((a, b) => (isOlder(a, b) ? -1 : 1));
  }
}

/** @param {State} state */
function keyOf(state) {
  return JSON.stringify([state.workflow_id, state.node, state.prompt_id]);
}

/** @param {State} state */
function lostSentence(state) {
  if (state.clips.some((clip) => clip.request_id && !isRehearsal(clip))) {
    return say("ComfyUI was restarted. The request continues at RunComfy: run the node again with the same inputs to collect the clip at no "
      + "new charge.");
  }
  return say("ComfyUI was restarted. Run the node again: what RunComfy has already accepted is not bought a second time.");
}

/** @param {Clip} clip */
export function isRehearsal(clip) {
  return clip.request_id?.startsWith("rehearsal-") ?? false;
}

/**
 * The node that an execution id means, or null if it is not in this graph.
 *
 * @param {any} root The workflow's graph.
 * @param {string} executionId `5`, or `12:5` for node 5 in the subgraph of node 12.
 */
export function nodeAt(root, executionId) {
  const ids = executionId.split(":");
  let graph = root;
  for (const id of ids.slice(0, -1)) {
    graph = findNode(graph, id)?.subgraph;
    if (!graph) return null;
  }
  return findNode(graph, ids[ids.length - 1]);
}

/** @param {any} graph @param {string} id */
function findNode(graph, id) {
  return graph?.getNodeById?.(id) ?? graph?.getNodeById?.(Number(id)) ?? null;
}

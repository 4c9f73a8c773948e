// @ts-check
/** The last state of every node, by workflow. Pure: no page, no server. */

/**
 * @typedef {object} Clip
 * @property {string} kind
 * @property {string} text
 * @property {number} fraction
 * @property {string | null} request_id
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
export function isState(state) {
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

  /**
   * @param {string} workflowId
   * @returns {State[]} Oldest first.
   */
  of(workflowId) {
    return [...(this._byWorkflow.get(workflowId)?.values() ?? [])].sort((a, b) => (isOlder(a, b) ? -1 : 1));
  }
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

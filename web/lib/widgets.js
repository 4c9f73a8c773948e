// @ts-check
/** Looking at the widgets of a node. */

// What a subgraph's own inputs have as the origin of their links: a number in older front ends, text in newer ones.
const SUBGRAPH_INPUT = "-10";

/** @param {any} node @param {string} name Whether something else than its own widget gives the value of an input. */
export function isLinked(node, name) {
  const slot = slotOf(node, name);
  return slot >= 0 && node.isInputConnected(slot);
}

/** @param {any} node @param {string} name The value of a widget; null where there is none. */
export function valueOf(node, name) {
  return node.widgets?.find((/** @type {any} */ widget) => widget.name === name)?.value ?? null;
}

/**
 * The value that an input gets: that of its widget, or, where the widget was promoted, of the subgraph's outer node.
 *
 * @param {any} node @param {string} name
 * @returns {any} Null where another node decides, and where a subgraph that is used twice has two values.
 */
export function givenValue(node, name) {
  if (!isLinked(node, name)) return valueOf(node, name);
  const promoted = nameOutside(node, name);
  if (promoted === undefined) return null;
  const values = outerNodesOf(node.graph).map((outer) => givenValue(outer, promoted));
  return values.every((value) => value === values[0]) ? values[0] ?? null : null;
}

/**
 * What is linked to an input: a node and the number of its output, also from outside of the subgraph that the node is in.
 *
 * @param {any} node @param {string} name
 * @returns {{node: any, slot: number} | null} Null where nothing is linked, and where a subgraph that is used twice gets two things.
 */
export function sourceOf(node, name) {
  const promoted = nameOutside(node, name);
  if (promoted !== undefined) {
    const outers = outerNodesOf(node.graph);
    return outers.length === 1 ? sourceOf(outers[0], promoted) : null;
  }
  const link = linkTo(node, slotOf(node, name));
  const source = link && node.graph?.getNodeById(link.origin_id);
  return source ? { node: source, slot: link.origin_slot } : null;
}

/** @param {any} node @param {string} name @returns {string | undefined} The subgraph's input that gives an input its value. */
function nameOutside(node, name) {
  const link = linkTo(node, slotOf(node, name));
  return String(link?.origin_id) === SUBGRAPH_INPUT ? node.graph?.inputs?.[link.origin_slot]?.name : undefined;
}

/** @param {any} node @param {number} slot @returns {any} What is linked to an input. */
function linkTo(node, slot) {
  // A node that stands for a subgraph has this function for its outputs, and `getInputNode` goes by it.
  const ask = node.subgraph ? /** @type {any} */ (globalThis).LGraphNode?.prototype.getInputLink : node.getInputLink;
  return ask?.call(node, slot) ?? null;
}

/** @param {any} node @param {string} name @returns {number} -1 where there is no such input. */
function slotOf(node, name) {
  return (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name);
}

/**
 * The nodes that stand for a subgraph, wherever it is used.
 *
 * @param {any} subgraph @returns {any[]}
 */
function outerNodesOf(subgraph) {
  const found = new Set();
  const search = (/** @type {any} */ graph) => {
    for (const node of graph?.nodes ?? []) {
      if (!node.subgraph) continue;
      if (node.subgraph === subgraph) found.add(node);
      search(node.subgraph);
    }
  };
  search(subgraph.rootGraph);
  return [...found];
}

/**
 * Act each time after a function of a widget or node was called; it stays what it was otherwise.
 *
 * @param {any} owner @param {() => void} act @param {string} [name]
 */
export function after(owner, act, name = "callback") {
  const before = owner[name];
  owner[name] = function (/** @type {any[]} */ ...values) {
    const result = before?.apply(this, values);
    act();
    return result;
  };
}

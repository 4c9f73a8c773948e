// @ts-check
/** Looking at the widgets of a node. */

// What a subgraph's own inputs have as the origin of their links: a number in older front ends, text in newer ones.
const SUBGRAPH_INPUT = "-10";

/** @param {any} node @param {string} name Whether something else than its own widget gives the value of an input. */
export function isLinked(node, name) {
  const index = (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name);
  return index >= 0 && node.isInputConnected(index);
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
  const link = node.getInputLink?.(node.inputs.findIndex((/** @type {any} */ input) => input.name === name));
  const promoted = String(link?.origin_id) === SUBGRAPH_INPUT ? node.graph?.inputs?.[link.origin_slot]?.name : undefined;
  if (promoted === undefined) return null;
  const values = outerNodesOf(node.graph).map((outer) => givenValue(outer, promoted));
  return values.every((value) => value === values[0]) ? values[0] ?? null : null;
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

// @ts-check
/** Looking at the widgets of a node. */

/** @param {any} node @param {string} name Whether another node gives the value of an input. */
export function isLinked(node, name) {
  const index = (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name);
  return index >= 0 && node.isInputConnected(index);
}

/** @param {any} node @param {string} name The value of a widget; null where there is none. */
export function valueOf(node, name) {
  return node.widgets?.find((/** @type {any} */ widget) => widget.name === name)?.value ?? null;
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

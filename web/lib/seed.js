// @ts-check
/** A seed that changes by itself after each run buys a new clip with each run. */

const FIXED = "fixed";

/** @param {any} node @returns {any} The widget that says what becomes of the seed after a run. */
export function controlOf(node) {
  return node.widgets?.find((/** @type {any} */ widget) => {
    const values = widget.options?.values;
    return Array.isArray(values) && values.includes(FIXED) && values.includes("randomize");
  });
}

/**
 * Let the seed of a new node stay as it is. Older front ends let it start at "randomize", whatever the node asks for; a saved
 * workflow brings its own choice afterwards.
 *
 * @param {any} node
 */
export function keepSeed(node) {
  const control = controlOf(node);
  if (control) control.value = FIXED;
}

/** @param {any} node @returns {boolean} Whether every run has another seed. */
export function changesSeed(node) {
  const control = controlOf(node);
  return Boolean(control) && control.value !== FIXED;
}

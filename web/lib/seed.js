// @ts-check
/** A seed that changes by itself after each run would buy a new clip with each run. */

/**
 * Let the seed of a new node stay as it is. Older front ends let it start at "randomize", whatever the node asks for; a saved
 * workflow brings its own choice afterwards.
 *
 * @param {any} node
 */
export function keepSeed(node) {
  const control = node.widgets?.find((/** @type {any} */ widget) => {
    const values = widget.options?.values;
    return Array.isArray(values) && values.includes("fixed") && values.includes("randomize");
  });
  if (control) control.value = "fixed";
}

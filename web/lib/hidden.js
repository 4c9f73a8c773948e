// @ts-check
/** A widget nobody sees and nothing saves. */

/** @param {any} node @param {string} name @returns {any} */
export function addHiddenWidget(node, name) {
  const widget = node.addWidget("text", name, "", () => {}, { serialize: false, hidden: true });
  widget.hidden = true;
  widget.serialize = false;
  return widget;
}

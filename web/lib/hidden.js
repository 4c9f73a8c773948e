// @ts-check
/** A widget nobody sees and nothing saves. */

/** @param {any} node @param {string} name @returns {any} */
export function addHiddenWidget(node, name) {
  const widget = node.addWidget("text", name, "", () => {}, { serialize: false, hidden: true });
  widget.hidden = true;
  // Older front ends leave room for it all the same; LiteGraph puts 4 pixels between two widgets.
  widget.computeSize = () => [0, -4];
  widget.serialize = false;
  return widget;
}

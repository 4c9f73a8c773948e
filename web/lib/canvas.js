// @ts-check
/** Nodes put on the canvas by a click in the panel. */

const STATUS = "Sora2ProStatus";

/**
 * Put a status node in the middle of what is seen.
 *
 * @param {any} app @param {string} name A request id or a job's name.
 * @returns {boolean} Whether ComfyUI knows the node.
 */
export function addStatusNode(app, name) {
  const node = /** @type {any} */ (globalThis).LiteGraph?.createNode(STATUS);
  if (!node) return false;
  const canvas = app.canvas;
  const [x, y, width, height] = canvas.visible_area ?? [0, 0, 800, 600];
  node.pos = [x + width / 2 - node.size[0] / 2, y + height / 2 - node.size[1] / 2];
  (canvas.graph ?? app.graph).add(node);
  const widget = node.widgets?.find((/** @type {any} */ one) => one.name === "request_id");
  if (widget) {
    widget.value = name;
    widget.callback?.(name);
  }
  canvas.selectNode?.(node, false);
  canvas.setDirty?.(true, true);
  return true;
}

// @ts-check
/** Nodes put on the canvas from the panel. */

/** @typedef {[number, number, number, number]} Box Left, top, width and height in the graph. */

const GAP = 24;
const STEP = 32;
const TITLE = 30;

/**
 * Put a node on the canvas, selected and in view. Nothing is queued.
 *
 * @param {any} app
 * @param {string} kind Its class.
 * @param {Record<string, any>} values What its widgets are set to.
 * @param {[number, number]} [at] Where its upper left corner goes; else a free place in what is seen.
 * @returns {any} The node; null where ComfyUI does not know it.
 */
export function addNode(app, kind, values, at) {
  const node = /** @type {any} */ (globalThis).LiteGraph?.createNode(kind);
  if (!node) return null;
  const canvas = app.canvas;
  const graph = canvas.graph ?? app.graph;
  const seen = seenOf(canvas);
  const place = at ?? freePlace([node.size[0], node.size[1] + TITLE], seen, [...boxesOf(graph), ...coveredOf(canvas)]);
  graph.beforeChange?.();
  node.pos = at ? [...at] : [place[0], place[1] + TITLE];
  graph.add(node);
  for (const [name, value] of Object.entries(values)) {
    const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
    if (!widget) continue;
    widget.value = value;
    widget.callback?.(value);
  }
  graph.afterChange?.();
  canvas.deselectAll?.();
  canvas.selectNode?.(node, false);
  if (!isWithin([node.pos[0], node.pos[1] - TITLE, node.size[0], node.size[1] + TITLE], seen)) canvas.centerOnNode?.(node);
  canvas.setDirty?.(true, true);
  return node;
}

/**
 * The place nearest to the middle of what is seen where a box covers nothing; right of everything where there is none.
 *
 * @param {[number, number]} size @param {Box} seen @param {Box[]} taken
 * @returns {[number, number]}
 */
export function freePlace([width, height], seen, taken) {
  const middle = [seen[0] + (seen[2] - width) / 2, seen[1] + (seen[3] - height) / 2];
  /** @type {[number, number] | null} */
  let best = null;
  let least = Infinity;
  const across = Math.max(0, Math.floor((seen[2] - width) / 2 / STEP));
  const down = Math.max(0, Math.floor((seen[3] - height) / 2 / STEP));
  for (let column = -across; column <= across; column += 1) {
    for (let row = -down; row <= down; row += 1) {
      const distance = column * column + row * row;
      const [x, y] = [middle[0] + column * STEP, middle[1] + row * STEP];
      if (distance >= least || taken.some((box) => overlaps([x, y, width, height], box))) continue;
      best = [x, y];
      least = distance;
    }
  }
  return best ?? [Math.max(...taken.map((box) => box[0] + box[2])) + GAP, middle[1]];
}

/** @param {Box} a @param {Box} b */
function overlaps(a, b) {
  return a[0] < b[0] + b[2] + GAP && b[0] < a[0] + a[2] + GAP && a[1] < b[1] + b[3] + GAP && b[1] < a[1] + a[3] + GAP;
}

/** @param {Box} box @param {Box} around */
function isWithin(box, around) {
  return box[0] >= around[0] && box[1] >= around[1] && box[0] + box[2] <= around[0] + around[2] && box[1] + box[3] <= around[1] + around[3];
}

/** @param {any} canvas @returns {Box} What is seen of the graph. */
function seenOf(canvas) {
  const [x, y, width, height] = canvas.visible_area ?? [0, 0, 800, 600];
  return [x, y, width, height];
}

/** @param {any} graph @returns {Box[]} */
function boxesOf(graph) {
  const nodes = graph._nodes ?? graph.nodes ?? [];
  return nodes.map((/** @type {any} */ node) => [node.pos[0], node.pos[1] - TITLE, node.size[0], node.size[1] + TITLE]);
}

/** @param {any} canvas @returns {Box[]} What the panel, which may lie on the canvas, covers of the graph. */
function coveredOf(canvas) {
  const panel = document.querySelector(".s2p-panel")?.getBoundingClientRect();
  if (!panel) return [];
  const [left, top] = placeOf(canvas, panel.left, panel.top);
  const [right, bottom] = placeOf(canvas, panel.right, panel.bottom);
  return [[left, top, right - left, bottom - top]];
}

/** @param {any} canvas @param {number} x @param {number} y A point of the page. @returns {[number, number]} The same in the graph. */
export function placeOf(canvas, x, y) {
  const { left, top } = canvas.canvas.getBoundingClientRect();
  const { scale, offset } = canvas.ds;
  return [(x - left) / scale - offset[0], (y - top) / scale - offset[1]];
}

// @ts-check
/** Prices in words. Pure. */

import { freeLabel, isFree } from "./outlook.js";
import { say } from "./words.js";

/** @param {number | null} amount US dollars; null for what is not a number. */
export function usd(amount) {
  return amount === null ? say("price unknown") : `$${amount.toFixed(2)}`;
}

/** A price that is expected, and what it says of the real one. @param {number} amount @param {string} [bound] As the server calls it. */
export function expected(amount, bound) {
  const price = usd(amount);
  if (bound === "at_least") return say("from {price}", { price });
  if (bound === "at_most") return say("up to {price}", { price });
  if (bound === "at_least_for_the_longest") return say("from {price} at its longest", { price });
  return say("about {price}", { price });
}

/**
 * @typedef {object} Price
 * @property {number | null} min_usd
 * @property {number | null} max_usd They differ while the size is not known; null alone for a price "from".
 * @property {boolean} [is_about] Whether it is only the public list price.
 */

/**
 * @typedef {object} Order
 * @property {number | null} maxClips The most a batch may have; null if it is not known.
 * @property {boolean} isRehearsal
 * @property {boolean} [changesSeed] Whether every run has another seed, and so buys again.
 * @property {number} [runs] How many runs one press of Run queues.
 * @property {string[]} [clips] What would become of each clip, as `Outlook` has it.
 */

/**
 * The badge of a node that buys clips.
 *
 * @param {Price | null} price Of one clip; null while it is not known. @param {Order} order
 */
export function priceLabel(price, order) {
  const { isRehearsal, changesSeed = false, clips = [] } = order;
  if (isRehearsal) return say("free rehearsal");
  if (!changesSeed && isFree(clips)) return freeLabel(clips);
  if (!price || price.min_usd === null) return say("price unknown");
  const label = changesSeed ? eachRun(price, order) : oneRun(price, order);
  return price.is_about ? say("about {price}", { price: label }) : label;
}

/** @param {Price} price @param {Order} order */
function oneRun(price, { maxClips, changesSeed, clips = [] }) {
  const count = changesSeed ? clips.length : clips.filter((clip) => clip === "new").length;
  if (count > 1) return say("{count} clips x {price} = {total}", { count, price: amount(price, 1), total: amount(price, count) });
  const each = amount(price, 1);
  // A larger batch than `max_clips` is refused, so with one clip the price of a clip is that of the run.
  if (count === 1 || maxClips === 1) return each;
  if (price.max_usd === null) {
    const least = usd(price.min_usd);
    if (maxClips === null) return say("from {price} per clip", { price: least });
    return say("from {price} per clip, up to {count} clips", { price: least, count: maxClips });
  }
  if (maxClips === null) return say("{price} per clip", { price: each });
  return say("{price} per clip, up to {total}", { price: each, total: usd(price.max_usd * maxClips) });
}

/** @param {Price} price @param {Order} order */
function eachRun(price, order) {
  const { maxClips, runs = 1, clips = [] } = order;
  const count = clips.length || (maxClips === 1 ? 1 : 0);
  if (runs === 1) return say("{price}, every Run", { price: oneRun(price, order) });
  if (count === 0) return say("{price}, {runs} times", { price: oneRun(price, order), runs });
  return say("{runs} runs x {price} = {total}", { runs, price: amount(price, count), total: amount(price, count * runs) });
}

/** @param {Price} price Of one clip. @param {number} count */
function amount({ min_usd: min, max_usd: max }, count) {
  const least = /** @type {number} */ (min) * count;
  if (max === null) return say("from {price}", { price: usd(least) });
  return usd(least) === usd(max * count) ? usd(least) : `${usd(least)}–${usd(max * count)}`;
}

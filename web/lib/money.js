// @ts-check
/** Prices in words. Pure. */

import { say } from "./words.js";

/** @param {number | null} amount US dollars; null for what is not a number. */
export function usd(amount) {
  return amount === null ? say("price unknown") : `$${amount.toFixed(2)}`;
}

/**
 * @typedef {object} Price
 * @property {number | null} min_usd
 * @property {number | null} max_usd They differ while the size is not known; null alone for a price "from".
 */

/**
 * The badge of a node that buys clips.
 *
 * @param {Price | null} price Of one clip; null while it is not known.
 * @param {{maxClips: number | null, isRehearsal: boolean}} order `maxClips` is the most a batch may have, null if it is not known.
 */
export function priceLabel(price, { maxClips, isRehearsal }) {
  if (isRehearsal) return say("free rehearsal");
  if (!price || price.min_usd === null) return say("price unknown");
  // A larger batch than `max_clips` is refused, so with one clip the price of a clip is that of the run.
  if (price.max_usd === null) {
    const least = usd(price.min_usd);
    if (maxClips === 1) return say("from {price}", { price: least });
    if (maxClips === null) return say("from {price} per clip", { price: least });
    return say("from {price} per clip, up to {count} clips", { price: least, count: maxClips });
  }
  const each = span(price.min_usd, price.max_usd);
  if (maxClips === 1) return each;
  if (maxClips === null) return say("{price} per clip", { price: each });
  return say("{price} per clip, up to {total}", { price: each, total: usd(price.max_usd * maxClips) });
}

/** @param {number} min @param {number} max */
function span(min, max) {
  return usd(min) === usd(max) ? usd(max) : `${usd(min)}–${usd(max)}`;
}

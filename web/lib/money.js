// @ts-check
/** Prices in words. Pure. */

export const UNKNOWN = "price unknown";

/** @param {number | null} amount US dollars; null for what is not a number. */
export function usd(amount) {
  return amount === null ? UNKNOWN : `$${amount.toFixed(2)}`;
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
  if (isRehearsal) return "free rehearsal";
  if (!price || price.min_usd === null) return UNKNOWN;
  const each = price.max_usd === null ? `from ${usd(price.min_usd)}` : span(price.min_usd, price.max_usd);
  // A larger batch than `max_clips` is refused, so with one clip the price of a clip is that of the run.
  if (maxClips === 1) return each;
  if (maxClips === null) return `${each} per clip`;
  const most = price.max_usd === null ? `${maxClips} clips` : usd(price.max_usd * maxClips);
  return `${each} per clip, up to ${most}`;
}

/** @param {number} min @param {number} max */
function span(min, max) {
  return usd(min) === usd(max) ? usd(max) : `${usd(min)}–${usd(max)}`;
}

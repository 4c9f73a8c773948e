// @ts-check
/** What the page says, in the user's language. The English sentence is the key: a sentence that a table lacks is said in English. */

/** @type {Record<string, string>} */
let table = {};

/** @param {string} locale As in ComfyUI's setting `Comfy.Locale`. */
export async function useLocale(locale) {
  const answer = await fetch(new URL(`../words/${encodeURIComponent(locale)}.json`, import.meta.url)).catch(() => null);
  table = answer?.ok ? await answer.json().catch(() => ({})) : {};
}

/**
 * @param {string} sentence In English, with the names of its values in braces: `{count} clips`.
 * @param {Record<string, string | number>} [values]
 */
export function say(sentence, values = {}) {
  return (table[sentence] ?? sentence).replace(/\{(\w+)\}/g, (braces, name) => String(values[name] ?? braces));
}

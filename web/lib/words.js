// @ts-check
/** What the page says, in the user's language. The English sentence is the key: a sentence that a table lacks is said in English. */

/** The languages that web/words has a table for, besides English; every other one is shown in English. */
export const LANGUAGES = ["zh", "zh-TW", "ja", "ko", "fr", "es", "ru"];

/** @type {Record<string, string>} */
let table = {};
/** @type {string | undefined} */
let current;

/** @param {string | undefined} locale As in ComfyUI's setting `Comfy.Locale`. */
export async function useLocale(locale) {
  current = LANGUAGES.find((one) => one === locale) ?? LANGUAGES.find((one) => one === locale?.split("-")[0]);
  const answer = current ? await fetch(new URL(`../words/${current}.json`, import.meta.url)).catch(() => null) : null;
  table = answer?.ok ? await answer.json().catch(() => ({})) : {};
}

/** For dates and numbers: the language that is spoken; undefined for English, of which the browser knows the user's kind. */
export function language() {
  return current;
}

/**
 * @param {string} sentence In English, with the names of its values in braces: `{count} clips`.
 * @param {Record<string, string | number>} [values]
 */
export function say(sentence, values = {}) {
  return (table[sentence] ?? sentence).replace(/\{(\w+)\}/g, (braces, name) => String(values[name] ?? braces));
}

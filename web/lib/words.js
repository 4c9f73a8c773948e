// @ts-check
/**
 * What the page says, in the user's language. The English sentence is the key; one that a table lacks is said in English.
 *
 * What the server tells comes in English, as its log and its API have it: progress, reports, errors, and the reasons that the
 * journal has kept for years. The page knows the sentences that the server's code holds and finds them in a text, with what is
 * filled in; RunComfy's own words among them stay as they are.
 */

/** The languages that web/words has a table for, besides English; every other one is shown in English. */
const LANGUAGES = ["zh", "zh-TW", "ja", "ko", "fr", "es", "ru"];

/** What can be filled in for some names, where the words around it would fit too much: `{job} is {state}.` @type {Record<string, string>} */
const FITTING = {
  job: "job-\\d+",
  state: "[a-z]+",
  number: "\\d+",
  minutes: "\\d+",
  rest: "\\d+",
  numbers: "\\d[\\d, and]*",
  head: "[\\d, ]+",
  last: "\\d+",
  minimum: "[-\\d.e+]+",
  maximum: "[-\\d.e+]+",
  sentence: "(?:The )?RunComfy[^\\n]+?",
};
/** So many letters of its own and a sentence cannot be taken for another one's. */
const TELLING = 10;
const SPACED = /^(?:fr|es|ru|ko)/;

/** @typedef {{start: string, pattern: RegExp, names: string[], translation: string}} Template */

/** @type {Record<string, string>} */
let table = {};
/** @type {Template[]} */
let templates = [];
/** @type {string | undefined} */
let current;

/** @param {string | undefined} locale As in ComfyUI's setting `Comfy.Locale`. */
export async function useLocale(locale) {
  const chosen = LANGUAGES.find((one) => one === locale) ?? LANGUAGES.find((one) => one === locale?.split("-")[0]);
  const answer = chosen ? await fetch(new URL(`../words/${chosen}.json`, import.meta.url)).catch(() => null) : null;
  const words = answer?.ok ? await answer.json().catch(() => null) : null;
  current = words ? chosen : undefined;
  table = words?.said ?? {};
  templates = Object.entries(words?.told ?? {}).map(templateOf).sort((a, b) => b.weight - a.weight);
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
  return filled(table[sentence] ?? sentence, values);
}

/** @param {string} sentence @param {Record<string, string | number>} values */
function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (braces, name) => String(values[name] ?? braces));
}

/**
 * A text of the server: each sentence of ours that is found in it in the user's language, all else as it is.
 *
 * @param {string} text
 */
export function told(text) {
  return templates.length ? text.split("\n").map(toldLine).join("\n") : text;
}

/** @param {string} line */
function toldLine(line) {
  let said = "";
  let rest = line;
  while (rest) {
    const [length, words] = beginning(rest) ?? asItIs(rest);
    const gap = /^\s*/.exec(rest.slice(length))?.[0] ?? "";
    // Chinese and Japanese put no space behind the full stop.
    said += words + (/[。！？]$/.test(words) && !SPACED.test(current ?? "") ? "" : gap);
    rest = rest.slice(length + gap.length);
  }
  return said;
}

/** @param {string} text @returns {[number, string] | null} How much of a text its first sentence is, and its translation. */
function beginning(text) {
  for (const { start, pattern, names, translation } of templates) {
    const match = text.startsWith(start) ? pattern.exec(text) : null;
    if (!match) continue;
    const values = Object.fromEntries(names.map((name, index) => [name, toldValue(match[index + 1])]));
    return [match[0].length, filled(translation, values)];
  }
  return null;
}

/** @param {string} text @returns {[number, string]} */
function asItIs(text) {
  const sentence = /^.*?[.!?:](?=\s|$)|^.+?(?= \((?:request_id|job):)/.exec(text)?.[0] ?? text;
  return [sentence.length, sentence];
}

/** What is filled in may be a sentence of ours itself, with or without its full stop. @param {string} value */
function toldValue(value) {
  const same = toldLine(value);
  return same === value && !/[.!?]$/.test(value) ? toldLine(`${value}.`).replace(/[.。]$/, "") : same;
}

/** @param {[string, string]} entry @returns {Template & {weight: number}} */
function templateOf([sentence, translation]) {
  const parts = sentence.split(/\{(\w+)\}/);
  const own = parts.filter((_, index) => index % 2 === 0).join("");
  const isTelling = own.replace(/[^A-Za-z]/g, "").length >= TELLING;
  const ending = parts[parts.length - 1];
  const pattern = parts.map((part, index) => {
    if (index % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    if (FITTING[part]) return `(${FITTING[part]})`;
    // What is filled in last goes to the end of its sentence, what is filled in first is not a sentence before.
    if (index === parts.length - 2 && !ending) return "([^\\n]+?(?:[.!?](?=\\s|$)|(?=$| \\((?:request_id|job):)))";
    return isTelling || index > 1 ? "((?:(?![.!?] )[^\\n])+?)" : "(\\S+?)";
  }).join("");
  const end = /[.!?:]$/.test(ending) ? "(?=\\s|$)" : ending ? "(?=$| \\((?:request_id|job):)" : "";
  return {
    start: parts[0],
    pattern: new RegExp(`^${pattern}${end}`),
    names: parts.filter((_, index) => index % 2 === 1),
    translation,
    weight: own.length,
  };
}

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { language, say, told, useLocale } from "../../web/lib/words.js";

const WEB = new URL("../../web/", import.meta.url);
// Names and identifiers that look like words: of keys, of other makers' products, of HTML's and the servers' own.
const NOT_SAID = new Set([
  "RunComfy", "Sora 2 Pro", "RunComfy.Sora2Pro", "Delete", "Backspace", "Enter", "ArrowLeft", "ArrowRight", "Home", "End", "ArrowUp",
  "ArrowDown", "If-None-Match", "Content-Type", "ETag", "Notify", "Token", "Doctor", "model default", "button, a",
]);

/** The literals of a module, with whether each is given to `say`: of a template only what stands between its values. */
export function literalsOf(source) {
  // A comment, a regular expression after a bracket or comma, a string, a template without templates inside.
  const tokens = /\/\*[^]*?\*\/|\/\/.*|(?<=[(,=]\s*)\/(?:[^/\\\n]|\\.)+\/[gimsuy]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g;
  const found = [];
  let isSaid = false;
  let end = 0;
  for (const match of source.matchAll(tokens)) {
    if (match[0].startsWith("/")) continue;
    const between = source.slice(end, match.index);
    isSaid = /(?<![\w.])say\(\s*$/.test(between) || (isSaid && /^\s*\+\s*$/.test(between));
    end = match.index + match[0].length;
    const text = match[0].slice(1, -1);
    for (const part of match[0].startsWith("`") ? text.split(/\$\{[^}]*\}/) : [text]) found.push({ text: part, isSaid });
  }
  return found;
}

/** Whether a literal is something to read: two words, or one that begins like a sentence. */
function isProse(text) {
  if (NOT_SAID.has(text.trim().replace(/:$/, "")) || /^[a-z]+[.:(]|^[.:]|^(pi |s2p-)|^\s*$/.test(text)) return false;
  return /[A-Za-z]{2,}[^A-Za-z{]* +[A-Za-z]|[A-Za-z]{2,} $|^[,;:]? [A-Za-z]|^[A-Z][a-z]+[.!?…]?$/.test(text);
}

const modules = [new URL("sora2pro.js", WEB), ...readdirSync(new URL("lib/", WEB)).map((name) => new URL(`lib/${name}`, WEB))];

test("every sentence of the page goes through `say`, so that it can be said in every language", () => {
  const unsaid = modules.flatMap((module) => literalsOf(readFileSync(module, "utf8"))
    .filter(({ text, isSaid }) => !isSaid && isProse(text))
    .map(({ text }) => `${module.pathname.split("/").pop()}: ${text}`));
  assert.deepEqual(unsaid, []);
});

test("what an element, a toast or a button says is never a bare literal, however short", () => {
  const shown = /\b(?:title|placeholder|label|tooltip|summary|detail|alt|text|meaning|aria-label)"?: ["`][A-Za-z]+[ "`].*|\bh\("[^"]+", \{[^{}]*\}, ["`][A-Za-z].*|\bsetText\([^,]+, ["`][A-Za-z].*/g;
  const bare = modules.flatMap((module) => readFileSync(module, "utf8").match(shown) ?? []);
  assert.deepEqual(bare, []);
});

test("what is said is a literal, so that the tables can be checked", () => {
  const computed = modules
    .filter((module) => !module.pathname.endsWith("/words.js"))
    .flatMap((module) => readFileSync(module, "utf8").match(/(?<![\w.])say\(\s*[^"\s].*/g) ?? []);
  assert.deepEqual(computed, []);
});

test("a text that is not said is found, wherever it stands", () => {
  const unsaid = (source) => literalsOf(source).filter(({ text, isSaid }) => !isSaid && isProse(text)).map(({ text }) => text);
  assert.deepEqual(unsaid('setText(a, `Copied ${x} of it`); h("p", {}, "No clips."); say("All " + "is well"); // say "no no"'),
    ["Copied ", " of it", "No clips."]);
});

const speaking = async (locale, words) => {
  globalThis.fetch = async () => Response.json(words);
  await useLocale(locale);
};

test("the sentences of the server are said in the user's language with what is filled in, and RunComfy's own stay as they are", async () => {
  await speaking("ja", {
    told: {
      "{job} is {state}.": "{job} は {state} です。",
      "It may have been charged (expected: ${expected_usd}).": "課金の可能性があります(見込み: ${expected_usd})。",
      "Clip {number} of {clip_count}: {what}": "クリップ {number}/{clip_count}: {what}",
      "RunComfy rejected the input": "RunComfy が入力を拒否しました",
      "{sentence} (HTTP {status_code}): {said}.": "{sentence}(HTTP {status_code}): {said}。",
      "Run the node again.": "再実行してください。",
      "Queued at RunComfy": "RunComfy で待機中",
      "Queued at RunComfy, position {position}": "RunComfy で待機中、{position} 番目",
    },
  });
  const table = [
    ["job-7 is submitted. 1280x720, 4 s. It may have been charged (expected: $1.20).", "job-7 は submitted です。1280x720, 4 s. 課金の可能性があります(見込み: $1.20)。"],
    ["Clip 2 of 3: RunComfy rejected the input (HTTP 422): a blocked word. Run the node again. (request_id: a-b, job: job-7)",
      "クリップ 2/3: RunComfy が入力を拒否しました(HTTP 422): a blocked word。再実行してください。(request_id: a-b, job: job-7)"],
    ["Queued at RunComfy", "RunComfy で待機中"],
    ["Queued at RunComfy, position 3\nRun the node again.", "RunComfy で待機中、3 番目\n再実行してください。"],
    ["Your content is blocked. Run it again.", "Your content is blocked. Run it again."],
    ["", ""],
  ];
  for (const [english, japanese] of table) assert.equal(told(english), japanese);
});

test("a language without a table, a table that is missing and a broken one leave the page in English", async () => {
  await speaking("fr-CA", { said: { Save: "Enregistrer" }, told: {} });
  assert.deepEqual([say("Save"), say("Close"), language()], ["Enregistrer", "Close", "fr"]);
  globalThis.fetch = async () => assert.fail("There is nothing to ask for.");
  for (const locale of ["ar", "he", "pt-BR", "en", "", undefined]) {
    await useLocale(locale);
    assert.deepEqual([say("Save"), told("Run the node again."), language()], ["Save", "Run the node again.", undefined]);
  }
  for (const answer of [async () => { throw new TypeError("Failed to fetch"); }, async () => new Response("<html>"), async () => new Response("", { status: 404 })]) {
    globalThis.fetch = answer;
    await useLocale("ru");
    assert.equal(say("{count} clips are ready", { count: 2 }), "2 clips are ready");
  }
});

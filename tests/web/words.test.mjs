import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { LANGUAGES } from "../../web/lib/words.js";

const WEB = new URL("../../web/", import.meta.url);
// Names and identifiers that look like words: of keys, of other makers' products, of HTML's and the servers' own.
const NOT_SAID = new Set([
  "RunComfy", "Sora 2 Pro", "RunComfy.Sora2Pro", "Delete", "Backspace", "Enter", "ArrowLeft", "ArrowRight", "Home", "End", "ArrowUp",
  "ArrowDown", "If-None-Match", "Content-Type", "ETag", "Notify", "Token", "model default", "button, a",
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

// @ts-check
/** Where a setting comes from, in words. Pure. */

import { say, told } from "./words.js";

/**
 * @typedef {object} Setting
 * @property {string | number | null} value
 * @property {"environment" | "file" | "default"} source
 * @property {string} variable
 */

/**
 * @typedef {object} Token
 * @property {"environment" | "saved" | "client" | "none"} origin
 * @property {string | null} variable
 * @property {string} hint The last four characters.
 * @property {boolean} has_saved
 * @property {string} problem
 */

/**
 * @typedef {object} Place Where something is kept.
 * @property {string} address Without user and password; empty for this machine's own folders.
 * @property {"environment" | "file" | "default"} source
 * @property {string} variable
 */

/** @param {Setting} setting */
export function sourceSentence(setting) {
  if (setting.source === "environment") return say("Set by the environment variable {variable}; change it there.", { variable: setting.variable });
  return "";
}

/** @param {"journal" | "archive"} what @param {Place} place */
export function placeSentence(what, { source, variable }) {
  if (source === "environment") {
    return say("Set by the environment variable {variable}. To use another, change it there and restart ComfyUI.", { variable });
  }
  if (source === "file") return say("Set by 'archive_url' in settings.json, in the state folder. Change it there.");
  return what === "journal"
    ? say("It is on this machine, in the state folder. To share one in PostgreSQL with other machines, set {variable} before ComfyUI starts.", { variable })
    : say("There is none: clips are in the output folder alone. To keep them in an archive as well, set {variable} before ComfyUI starts.", { variable });
}

/** @param {Token} token */
export function tokenSentence(token) {
  const unused = token.has_saved && !["saved", "none"].includes(token.origin) ? say("The token saved here is not used.") : "";
  return [which(token), origin(token), unused].filter(Boolean).join(" ");
}

/** @param {Token} token */
function which(token) {
  if (token.origin === "none") return "";
  return token.hint ? say("The token ends in …{hint}.", { hint: token.hint }) : say("The token is set.");
}

/** @param {Token} token */
function origin(token) {
  switch (token.origin) {
    case "environment":
      return say("It is set by the environment variable {variable}; change it there.", { variable: token.variable ?? "" });
    case "saved":
      return say("It is saved on this server.");
    case "client":
      return say("It comes from RunComfy's command-line client; a token saved here takes precedence.");
    default:
      return told(token.problem);
  }
}

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

/** @param {Setting} setting */
export function sourceSentence(setting) {
  if (setting.source === "environment") return say("Set by the environment variable {variable}; change it there.", { variable: setting.variable });
  return "";
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

// @ts-check
/** Where a setting comes from, in words. Pure. */

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
  if (setting.source === "environment") return `Set by the environment variable ${setting.variable}; change it there.`;
  return "";
}

/** @param {Token} token */
export function tokenSentence(token) {
  const ends = token.hint ? `ends in …${token.hint}` : "is set";
  const also = token.has_saved && token.origin !== "saved" ? " The token saved here is not used." : "";
  switch (token.origin) {
    case "environment":
      return `The token ${ends}. It is set by the environment variable ${token.variable}; change it there.${also}`;
    case "saved":
      return `The token ${ends}. It is saved on this server.`;
    case "client":
      return `The token ${ends}. It comes from RunComfy's command-line client; a token saved here takes precedence.${also}`;
    default:
      return token.problem;
  }
}

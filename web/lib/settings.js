// @ts-check
/**
 * The entries in ComfyUI's settings dialog. ComfyUI keeps its own settings where anyone who reaches the port can read them, so
 * nothing of money or account is kept there: those entries draw themselves and speak to the pack's routes.
 */

import { h, setText, confirmButton, copyButton } from "./dom.js";
import { usd } from "./money.js";
import { placeSentence, sourceSentence, tokenSentence } from "./sources.js";
import { say } from "./words.js";

/** @typedef {import("./sources.js").Setting} Setting */
/** @typedef {import("./sources.js").Token} Token */

/**
 * @typedef {object} Field
 * @property {string} label
 * @property {string} tooltip
 * @property {string} name Of the setting at the server.
 * @property {Record<string, any>} attributes
 * @property {boolean} isNumber
 */

/** @returns {Field[]} */
const fields = () => [
  {
    label: say("Daily spending limit (USD)"), name: "max_usd_per_day", isNumber: true,
    tooltip: say("A clip that would go over this limit is blocked before anything is sent. Leave empty for the default of $30; type none for no limit."),
    attributes: { type: "text", inputmode: "decimal", spellcheck: "false", placeholder: "30" },
  },
  {
    label: say("Spending limit per clip (USD)"), name: "max_usd_per_clip", isNumber: true,
    tooltip: say("A clip that is expected to cost more, or whose price is not known, is refused before anything is sent. A price “from” counts as its minimum. Leave empty for no limit."),
    attributes: { type: "number", min: 0, step: "any", placeholder: say("no limit") },
  },
  {
    label: say("Ask before a clip above (USD)"), name: "ask_above_usd", isNumber: true,
    tooltip: say("You are asked in this page before a clip that costs more, or whose price is not known. Where nobody can be asked, such a clip is refused. Empty: never ask."),
    attributes: { type: "number", min: 0, step: "any", placeholder: say("never ask") },
  },
  {
    label: say("Parallel paid requests"), name: "max_parallel", isNumber: true,
    tooltip: say("How many paid requests may run at RunComfy at once."),
    attributes: { type: "number", min: 1, max: 64, step: 1, placeholder: "4" },
  },
  {
    label: say("Model id of the Sora 2 Pro node"), name: "model_id", isNumber: false,
    tooltip: say("Only for “Sora 2 Pro Image to Video (RunComfy)”. Change it only if RunComfy offers a successor with the same inputs; for every other model use the node “Image to Video, any model (RunComfy)”."),
    attributes: { type: "text", spellcheck: "false", placeholder: "openai/sora-2/pro/image-to-video" },
  },
];

const tokenTooltip = () => say("Create one on runcomfy.com (Profile, API Token). It is stored on the server, in a file that only the account "
  + "running ComfyUI can read, and never shown again.");

const TOKEN_PAGE = "https://www.runcomfy.com/profile";
export const NOTIFY = "RunComfy.Sora2Pro.Notify";

/** @returns {Record<string, any>} */
const notifyRow = () => ({
  id: "Notify", name: say("Notify me when a clip is ready or has failed"), type: "boolean", defaultValue: false,
  tooltip: say("A system notification with a sound, only while ComfyUI's page is hidden, and never for a clip that was already bought."),
  onChange: (/** @type {boolean} */ isOn) => {
    if (isOn && globalThis.Notification?.permission === "default") Notification.requestPermission();
  },
});

/** @param {import("./server.js").Server} server */
export function settings(server) {
  const rows = [
    { id: "Token", name: say("RunComfy API token"), tooltip: tokenTooltip(), type: () => tokenRow(server) },
    ...fields().map((field) => ({
      id: camel(field.name), name: field.label, tooltip: field.tooltip, type: () => valueRow(server, field),
    })),
    notifyRow(),
    {
      id: "JournalPlace", name: say("Journal"), type: () => placeRow(server, "journal"),
      tooltip: say("Where your purchases are recorded. It is shown without user and password, and cannot be changed here."),
    },
    {
      id: "ArchivePlace", name: say("Archive"), type: () => placeRow(server, "archive"),
      tooltip: say("Where clips are kept as well. It is shown without user and password, and cannot be changed here."),
    },
    { id: "Doctor", name: say("Check this installation"), tooltip: doctorTooltip(), type: () => doctorRow(server) },
  ];
  return rows.map((row, index) => ({
    defaultValue: "",
    ...row,
    id: `RunComfy.Sora2Pro.${row.id}`,
    category: ["RunComfy", say("Clips"), row.id],
    // The highest comes first.
    sortOrder: rows.length - index,
  }));
}

const doctorTooltip = () => say(
  "Looks at the token, RunComfy, the journal, locks, the archive, disks, memory and versions. Nothing is bought or changed. "
  + "The text holds no secret and can be pasted into a bug report.",
);

/** @param {string} name */
function camel(name) {
  return name.replace(/(^|_)([a-z])/g, (_, __, letter) => letter.toUpperCase());
}

/** @param {import("./server.js").Server} server */
function tokenRow(server) {
  const input = h("input.s2p-input", {
    type: "password", autocomplete: "off", spellcheck: "false", placeholder: say("Paste a token"), "aria-label": say("RunComfy API token"),
  });
  const save = h("button.s2p-button", { type: "submit" }, say("Save"));
  const form = h("form.s2p-setting-line", {}, input, save);
  const state = h("p.s2p-setting-note");
  const said = h("p.s2p-setting-note", { role: "status", "aria-live": "polite" });
  const check = h("button.s2p-button", { type: "button" }, say("Check"));
  const forget = confirmButton(say("Delete"), say("Confirm delete"), () => run(async () => show(await server.change("DELETE", "/token"), say("Token deleted."))));
  const source = h("a", { href: TOKEN_PAGE, target: "_blank", rel: "noreferrer" }, say("Create a token on runcomfy.com"));
  const element = h("div.s2p-setting", {}, form, state, h("div.s2p-setting-line", {}, check, forget, source), said);

  /** @param {() => Promise<void>} work */
  const run = async (work) => {
    setText(said, "…");
    said.classList.remove("s2p-bad");
    try {
      await work();
    } catch (error) {
      said.classList.add("s2p-bad");
      setText(said, /** @type {Error} */ (error).message);
    }
  };
  /** @param {Token} token @param {string} words */
  const show = (token, words) => {
    setText(state, tokenSentence(token));
    form.hidden = token.origin === "environment";
    check.hidden = token.origin === "none";
    forget.hidden = !token.has_saved;
    setText(said, words);
  };
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const token = input.value;
    input.value = "";
    if (token.trim()) run(async () => show(await server.change("PUT", "/token", { token }), say("Saved on the server.")));
  });
  check.addEventListener("click", () => run(async () => {
    const { balance_usd: balance } = await server.change("POST", "/token/check");
    setText(said, say("The token works. Balance: {balance}", { balance: usd(balance) }));
  }));
  run(async () => show((await server.get("/settings")).token, ""));
  return element;
}

/** @param {import("./server.js").Server} server */
function doctorRow(server) {
  const check = h("button.s2p-button", { type: "button" }, say("Check"));
  const report = h("pre.s2p-setting-report", { role: "status", "aria-live": "polite", hidden: true });
  const copyReport = copyButton(say("Copy the report"), () => report.textContent);
  copyReport.hidden = true;
  check.addEventListener("click", async () => {
    check.disabled = true;
    report.hidden = false;
    setText(report, "…");
    report.classList.remove("s2p-bad");
    try {
      setText(report, (await server.change("POST", "/doctor")).text);
      copyReport.hidden = false;
    } catch (error) {
      report.classList.add("s2p-bad");
      setText(report, /** @type {Error} */ (error).message);
    }
    check.disabled = false;
  });
  return h("div.s2p-setting", {}, h("div.s2p-setting-line", {}, check, copyReport), report);
}

/** @param {import("./server.js").Server} server @param {"journal" | "archive"} what */
function placeRow(server, what) {
  const address = h("code", { hidden: true });
  const said = h("p.s2p-setting-note", { role: "status", "aria-live": "polite" });
  server.get("/settings").then(({ places }) => {
    setText(address, places[what].address);
    address.hidden = !places[what].address;
    setText(said, placeSentence(what, places[what]));
  }, (/** @type {any} */ error) => {
    said.classList.add("s2p-bad");
    setText(said, error.message);
  });
  return h("div.s2p-setting", {}, address, said);
}

/** @param {import("./server.js").Server} server @param {Field} field */
function valueRow(server, field) {
  const input = h("input.s2p-input", { ...field.attributes, "aria-label": field.label, disabled: true });
  const said = h("p.s2p-setting-note", { role: "status", "aria-live": "polite" });
  const element = h("div.s2p-setting", {}, h("div.s2p-setting-line", {}, input), said);
  /** @param {Setting} setting @param {string} words */
  const show = (setting, words) => {
    const isDefault = setting.source === "default";
    input.value = isDefault ? "" : String(setting.value ?? "none");
    input.disabled = setting.source === "environment";
    said.classList.remove("s2p-bad");
    setText(said, words || sourceSentence(setting));
  };
  const fail = (/** @type {any} */ error) => {
    said.classList.add("s2p-bad");
    setText(said, error.message);
  };
  input.addEventListener("change", () => {
    if (!input.checkValidity()) {
      fail(new Error(input.validationMessage));
      return;
    }
    const text = input.value.trim();
    const isNumber = field.isNumber && Number.isFinite(Number(text));
    const value = text === "" ? null : isNumber ? Number(text) : text;
    server.change("PUT", "/settings", { [field.name]: value }).then(({ settings: all }) => show(all[field.name], say("Saved.")), fail);
  });
  server.get("/settings").then(({ settings: all }) => show(all[field.name], ""), fail);
  return element;
}

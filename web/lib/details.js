// @ts-check
/** What a row shows when it is opened further: where the clip's file is, and what is done with it less often. */

import { confirmButton, copyButton, h, named } from "./dom.js";
import { say } from "./words.js";

/** @typedef {import("./rows.js").Job} Job */
/** @typedef {import("./row.js").Handlers} Handlers */

/** @param {Job} job Whether its prompt and inputs are known. */
export function isKnown(job) {
  return job.seed !== "";
}

/** @param {Job} job Whether there is a clip to load, here or at RunComfy. */
export function isLoadable(job) {
  return job.request_id !== null && (job.has_clip || job.actions.includes("collect"));
}

/** @param {Job} job @param {Handlers} handlers @returns {HTMLElement} */
export function detailsElement(job, handlers) {
  const { library } = handlers;
  const plain = (/** @type {string} */ label, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
    h("button.s2p-button", { type: "button", title, "aria-label": named(label, job.name), onclick }, label);
  return h("div.s2p-details", {},
    file(job),
    h("div.s2p-buttons", {},
      isLoadable(job) && plain(say("Load in graph"), say("Put a node that loads this clip on the canvas; dragging the row there does the same"),
        () => library.load(job)),
      isKnown(job) && job.prompt && plain(say("Copy prompt"), say("Copy the whole prompt"), () => library.copyPrompt(job)),
      job.has_clip && confirmButton(say("Delete file"), say("Confirm delete"), () => handlers.deleteFile(job), job.name),
    ),
  );
}

/** @param {Job} job */
function file(job) {
  if (!job.has_clip) return null;
  const place = [job.folder, job.file_name].filter(Boolean).join("/");
  const where = job.folder === null
    ? say("In the folder that RUNCOMFY_OUTPUT_DIR names:")
    : say("In ComfyUI's output folder:");
  return h("p.s2p-file", {}, where, " ", h("code", {}, place), copyButton(say("Copy file name of {job}", { job: job.name }), () => place));
}

// @ts-check
/** One job in the panel. */

import { detailsElement, isKnown, isLoadable } from "./details.js";
import { confirmButton, copyButton, h, named, oneTabStop } from "./dom.js";
import { chip, facts, fileOf, machine, remark } from "./rows.js";
import { language, say, told } from "./words.js";

/** @typedef {import("./rows.js").Job} Job */

/**
 * @typedef {object} Handlers
 * @property {(job: Job, action: string, requestId?: string) => void} act
 * @property {(job: Job) => void} deleteFile
 * @property {import("./library.js").Library} library
 * @property {(path: string) => string} url
 * @property {() => boolean} isOpen
 * @property {(isOpen: boolean) => void} setOpen
 * @property {() => boolean} hasDetails Whether the row is opened further.
 * @property {(hasDetails: boolean) => void} setDetails
 */

/** @param {Job} job @param {Handlers} handlers @returns {HTMLElement} */
export function rowElement(job, handlers) {
  const { label, tone, meaning } = chip(job);
  const said = remark(job);
  const where = machine(job);
  const head = h("div.s2p-row-head", {},
    picture(job, handlers),
    h("div.s2p-row-text", {},
      h("p.s2p-prompt", { title: job.prompt || null }, job.prompt || say("Request made outside this ComfyUI")),
      h("p.s2p-facts", { title: `${told(job.charge)} ${new Date(job.created_at * 1000).toLocaleString(language())}` }, ...factElements(job)),
      h("p.s2p-state", {},
        h(`span.s2p-chip.s2p-${tone}`, { title: meaning }, label),
        h("span.s2p-row-model", { title: job.model_id }, job.model_id)),
      where && h("p.s2p-machine", {}, where),
    ),
  );
  if (isLoadable(job)) handlers.library.letDrag(head, job);
  return h("li.s2p-row", { "data-job": job.id, "data-state": job.state },
    head,
    said && h(`p.s2p-remark.s2p-${said.tone}`, {}, said.text),
    actions(job, handlers),
    player(job, handlers),
  );
}

/** @param {Job} job @returns {(Node | string)[]} Lines end between facts, not within one. */
function factElements(job) {
  const all = facts(job, Date.now());
  return all.flatMap((fact, index) => [h("span.s2p-fact", {}, index < all.length - 1 ? `${fact} ·` : fact), " "]);
}

/** @param {Job} job @param {Handlers} handlers */
function picture(job, handlers) {
  if (!job.has_clip) return h("div.s2p-thumb", { "aria-hidden": "true" }, h("i.pi.pi-video"));
  const image = h("img", { src: handlers.url(fileOf(job, "thumbnail")), alt: "", loading: "lazy", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(h("i.pi.pi-video")));
  return h("button.s2p-thumb", {
    // For the mouse alone: the button beside it does the same.
    type: "button", tabindex: -1, "aria-hidden": "true", title: say("Play"), onclick: () => handlers.setOpen(!handlers.isOpen()),
  }, image);
}

/** @param {Job} job @param {Handlers} handlers */
function player(job, handlers) {
  if (!job.has_clip || !handlers.isOpen()) return null;
  return h("video.s2p-player", {
    controls: true, loop: true, playsinline: true, autoplay: true, poster: handlers.url(fileOf(job, "thumbnail")),
    src: handlers.url(fileOf(job, "clip")), "aria-label": say("The clip of {job}", { job: job.name }),
  });
}

/** @param {Job} job @param {Handlers} handlers One tab stop with everything that can be done. */
function actions(job, handlers) {
  const all = h("div.s2p-actions", { role: "toolbar", "aria-label": say("Actions for {job}", { job: job.name }) },
    buttons(job, handlers), handlers.hasDetails() && detailsElement(job, handlers));
  oneTabStop(all, [...all.querySelectorAll("button, a")]);
  return all;
}

/** @param {Job} job @param {Handlers} handlers */
function buttons(job, handlers) {
  const act = (/** @type {string} */ action) => () => handlers.act(job, action);
  const plain = (/** @type {string} */ label, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
    h("button.s2p-button", { type: "button", title, "aria-label": named(label, job.name), onclick }, label);
  /** @type {Record<string, () => Node | Node[]>} */
  const makers = {
    open: () => plain(handlers.isOpen() ? say("Close") : say("Play"), say("Play the clip here"), () => handlers.setOpen(!handlers.isOpen())),
    check: () => plain(say("Check"), say("Check progress"), act("check")),
    collect: () => job.state === "failed" || job.state === "cancelled"
      ? plain(say("Check again"), say("Ask RunComfy about it again; free"), act("collect"))
      : plain(say("Collect"), say("Wait for the clip and download it; no new charge"), act("collect")),
    cancel: () => confirmButton(say("Cancel"), say("Confirm cancel"), act("cancel"), job.name),
    release: () => confirmButton(say("Release"), say("Release: Run buys again"), act("release"), job.name),
    adopt: () => adoption(job, handlers),
  };
  const offered = job.activity ? job.actions.filter((action) => action === "cancel") : job.actions;
  const made = offered.flatMap((action) => makers[action]?.() ?? []);
  return h("div.s2p-buttons", {}, ...made,
    isKnown(job) && plain(say("Use again"), say("Put a node with this model, prompt, inputs and seed on the canvas; nothing is queued"),
      () => handlers.library.useAgain(job)),
    h("div.s2p-tools", {},
      job.has_clip && h("a.s2p-copy", {
        href: handlers.url(`${fileOf(job, "clip")}&download`), download: "", title: say("Save the clip as a file"),
        "aria-label": named(say("Download"), job.name),
      }, h("i.pi.pi-download")),
      job.request_id && copyButton(say("Copy request id of {job}", { job: job.name }), () => job.request_id ?? ""),
      h("button.s2p-copy", {
        type: "button", title: say("Add a status node for it to the canvas"),
        "aria-label": say("Add a status node for {job} to the canvas", { job: job.name }),
        onclick: () => handlers.library.addStatus(job),
      }, h("i.pi.pi-plus-circle")),
      h("button.s2p-copy", {
        type: "button", title: say("File, prompt and more"), "aria-label": say("More for {job}", { job: job.name }),
        "aria-expanded": handlers.hasDetails() ? "true" : "false", onclick: () => handlers.setDetails(!handlers.hasDetails()),
      }, h("i.pi.pi-ellipsis-h"))),
  );
}

/** @param {Job} job @param {Handlers} handlers */
function adoption(job, handlers) {
  const input = h("input.s2p-input", {
    type: "text", placeholder: say("request id"), "aria-label": say("Request id for {job}", { job: job.name }), maxlength: 128,
    required: true,
  });
  return h("form.s2p-adopt", {
    onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      handlers.act(job, "adopt", input.value.trim());
    },
  }, input, h("button.s2p-button", {
    type: "submit", title: say("Link this request id to the job"), "aria-label": say("Adopt for {job}", { job: job.name }),
  }, say("Adopt")));
}

// @ts-check
/** One job in the panel. */

import { copyButton, h, sureButton } from "./dom.js";
import { chip, facts, fileOf, remark } from "./rows.js";

/** @typedef {import("./rows.js").Job} Job */

/**
 * @typedef {object} Deeds
 * @property {(job: Job, action: string, requestId?: string) => void} act
 * @property {(job: Job) => void} addNode
 * @property {(path: string) => string} url
 * @property {() => boolean} isOpen
 * @property {(isOpen: boolean) => void} setOpen
 */

/** @param {Job} job @param {Deeds} deeds @returns {HTMLElement} */
export function rowElement(job, deeds) {
  const { label, tone, meaning } = chip(job);
  const said = remark(job);
  return h("li.s2p-row", { "data-job": job.id, "data-state": job.state },
    h("div.s2p-row-head", {},
      picture(job, deeds),
      h("div.s2p-row-text", {},
        h("p.s2p-prompt", { title: job.prompt || null }, job.prompt || "A request that was made elsewhere"),
        h("p.s2p-facts", { title: `${job.charge} ${new Date(job.created_at * 1000).toLocaleString()}` }, facts(job, Date.now())),
        h("p", {}, h(`span.s2p-chip.s2p-${tone}`, { title: meaning }, label)),
      ),
    ),
    said && h(`p.s2p-remark.s2p-${said.tone}`, {}, said.text),
    buttons(job, deeds),
    player(job, deeds),
  );
}

/** @param {Job} job @param {Deeds} deeds */
function picture(job, deeds) {
  if (!job.has_clip) return h("div.s2p-thumb", { "aria-hidden": "true" }, h("i.pi.pi-video"));
  const image = h("img", { src: deeds.url(fileOf(job, "thumbnail")), alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(h("i.pi.pi-video")));
  return h("button.s2p-thumb", {
    type: "button", "aria-label": `Play ${job.name}`, title: "Play", onclick: () => deeds.setOpen(!deeds.isOpen()),
  }, image);
}

/** @param {Job} job @param {Deeds} deeds */
function player(job, deeds) {
  if (!job.has_clip || !deeds.isOpen()) return null;
  return h("video.s2p-player", {
    controls: true, loop: true, playsinline: true, autoplay: true, poster: deeds.url(fileOf(job, "thumbnail")),
    src: deeds.url(fileOf(job, "clip")), "aria-label": `The clip of ${job.name}`,
  });
}

/** @param {Job} job @param {Deeds} deeds */
function buttons(job, deeds) {
  const act = (/** @type {string} */ action) => () => deeds.act(job, action);
  const plain = (/** @type {string} */ label, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
    h("button.s2p-button", { type: "button", title, onclick }, label);
  /** @type {Record<string, () => Node | Node[]>} */
  const makers = {
    open: () => [
      plain(deeds.isOpen() ? "Close" : "Play", "Play the clip here", () => deeds.setOpen(!deeds.isOpen())),
      h("a.s2p-button", { href: deeds.url(`${fileOf(job, "clip")}&download`), download: "", title: "Save the clip as a file" }, "Download"),
    ],
    check: () => plain("Check", "Look how far it is", act("check")),
    collect: () => job.state === "failed" || job.state === "cancelled"
      ? plain("Ask again", "Ask RunComfy about it once more; free", act("collect"))
      : plain("Collect", "Wait for the clip and bring it here; no new charge", act("collect")),
    cancel: () => sureButton("Cancel", "Really cancel?", act("cancel")),
    release: () => sureButton("Release", "Give it up?", act("release")),
    adopt: () => adoption(job, deeds),
  };
  const offered = job.activity ? job.actions.filter((action) => action === "cancel") : job.actions;
  const made = offered.flatMap((action) => makers[action]?.() ?? []);
  return h("div.s2p-buttons", {}, ...made,
    h("span.s2p-gap"),
    job.request_id && copyButton("request id", () => job.request_id ?? ""),
    h("button.s2p-copy", {
      type: "button", title: "Put a status node for it on the canvas", "aria-label": `Put a status node for ${job.name} on the canvas`,
      onclick: () => deeds.addNode(job),
    }, h("i.pi.pi-plus-circle")),
  );
}

/** @param {Job} job @param {Deeds} deeds */
function adoption(job, deeds) {
  const input = h("input.s2p-input", { type: "text", placeholder: "request id", "aria-label": `Request id for ${job.name}`, maxlength: 128 });
  return h("form.s2p-adopt", {
    onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      deeds.act(job, "adopt", input.value.trim());
    },
  }, input, h("button.s2p-button", { type: "submit", title: "Let this request take the job's place" }, "Adopt"));
}

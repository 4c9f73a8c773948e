// @ts-check
/** The jobs panel: every job of the journal, what was spent, and what can be done. It cannot spend. */

import { Balance } from "./balance.js";
import { h, keepKeys, setText } from "./dom.js";
import { Library } from "./library.js";
import { rowElement } from "./row.js";
import { merged, spending, stateChoices } from "./rows.js";
import { say, told } from "./words.js";

/** @typedef {import("./rows.js").Job} Job */

const POLL_MS = 2000;
const TYPING_MS = 250;
const PAGE = 50;

export class JobsPanel {
  /** @param {any} app @param {any} api @param {import("./server.js").Server} server */
  constructor(app, api, server) {
    this._app = app;
    this._api = api;
    this._server = server;
    /** @type {Job[]} */
    this._jobs = [];
    this._hasMore = false;
    /** @type {string | null} */
    this._tag = null;
    this._isClosed = true;
    /** @type {Map<number, {json: string, element: HTMLElement}>} */
    this._rows = new Map();
    /** @type {Set<number>} */
    this._open = new Set();
    /** @type {Set<number>} */
    this._detailed = new Set();
    this._balance = new Balance(server);
    this._library = new Library(app, server, (severity, text) => this._toast(severity, text));
    this._asked = 0;
    /** What the jobs that are shown were asked for with. @type {Record<string, string>} */
    this._shownFor = {};
    this._timer = 0;
    this._soon = () => this._again(POLL_MS / 4);
    this._build();
  }

  _build() {
    this._search = h("input.s2p-input", {
      type: "search", placeholder: say("Search prompt, job, size, seed"), "aria-label": say("Search jobs"), maxlength: 200,
    });
    this._search.addEventListener("input", () => this._again(TYPING_MS, true));
    const chosen = () => this._again(0, true);
    this._states = h("select.s2p-input", { "aria-label": say("Show jobs in state"), onchange: chosen },
      ...stateChoices().map(([label, value]) => h("option", { value }, label)));
    this._models = h("select.s2p-input", { "aria-label": say("Show jobs of model"), onchange: chosen },
      h("option", { value: "" }, say("All models")));
    this._filters = h("div.s2p-filters", {}, this._states, this._models);
    this._today = h("strong");
    this._allTime = h("strong");
    this._count = h("strong");
    this._cap = h("progress.s2p-cap", { max: 1, "aria-label": say("Spent today, out of the daily limit") });
    this._totals = h("dl.s2p-totals", { hidden: true },
      h("div", {}, h("dt", {}, say("Today")), h("dd", {}, this._today)),
      h("div", {}, h("dt", {}, say("All time")), h("dd", {}, this._allTime)),
      h("div", {}, h("dt", {}, say("Jobs")), h("dd", {}, this._count)),
    );
    this._export = h("a.s2p-copy", {
      href: this._server.url("/spending.csv"), download: "", hidden: true, title: say("Export the spending of all jobs as CSV"),
      "aria-label": say("Export spending as CSV"),
    }, h("i.pi.pi-file-export"));
    this._notice = h("p.s2p-notice", { role: "status", "aria-live": "polite", hidden: true });
    this._list = h("ul.s2p-list", { "aria-label": say("Jobs") });
    this._empty = h("div.s2p-empty", { hidden: true });
    this._more = h("button.s2p-button.s2p-more", { type: "button", hidden: true, onclick: () => this._loadMore() }, say("Show older jobs"));
    this.element = h("div.s2p-panel", {},
      h("header.s2p-header", {},
        h("div.s2p-title", {}, h("h2", {}, say("RunComfy clips")), this._balance.element, this._export),
        this._totals, this._cap, this._search, this._filters),
      this._notice,
      this._list, this._empty, this._more,
    );
    this._cap.hidden = true;
    keepKeys(this.element);
  }

  open() {
    this._isClosed = false;
    this._api.addEventListener("sora2pro.progress", this._soon);
    this._balance.open();
    this._library.takeDrops();
    this._load();
  }

  close() {
    this._isClosed = true;
    clearTimeout(this._timer);
    this._api.removeEventListener("sora2pro.progress", this._soon);
    this._balance.close();
    this._library.leaveDrops();
  }

  /** @param {number} inMs @param {boolean} [isNew] Whether the question has changed. */
  _again(inMs, isNew = false) {
    if (this._isClosed) return;
    if (isNew) this._tag = null;
    clearTimeout(this._timer);
    this._timer = window.setTimeout(() => this._load(), inMs);
  }

  async _load() {
    // ComfyUI removes the panel's elements without notice when another tab is shown.
    if (!this._isClosed && this._asked > 0 && !this.element.isConnected) this.close();
    if (this._isClosed) return;
    if (document.hidden) {
      this._again(POLL_MS);
      return;
    }
    const asked = ++this._asked;
    const question = this._question();
    try {
      const answer = await this._server.getChanged(`/jobs?${new URLSearchParams({ ...question, limit: String(PAGE) })}`, this._tag);
      if (asked !== this._asked) return;
      this._tag = answer.tag;
      this._say("");
      if (answer.document) this._take(answer.document, question);
      else this._draw();
      await this._followOlder();
    } catch (error) {
      if (asked !== this._asked) return;
      this._tag = null;
      this._say(say("{problem} Trying again…", { problem: /** @type {Error} */ (error).message }));
    }
    this._again(POLL_MS);
  }

  /** Ask for the older rows with which something is being done one by one: the list brings the newest alone. */
  async _followOlder() {
    for (const job of this._jobs.slice(PAGE)) {
      // One that is gone, or cannot be asked for now, is no trouble of the list.
      if (job.activity) this._replace(await this._server.get(`/jobs/${job.id}`).catch(() => ({ ...job, activity: "" })));
    }
  }

  /** @param {Job} job What is known of a job now. */
  _replace(job) {
    this._jobs = this._jobs.map((one) => (one.id === job.id ? job : one));
    this._draw();
  }

  /** @returns {Record<string, string>} What is searched for and what the list is narrowed to. */
  _question() {
    return { search: this._search.value.trim(), states: this._states.value, model: this._models.value };
  }

  /** @param {any} page @param {Record<string, string>} question */
  _take(page, question) {
    const isSame = JSON.stringify(question) === JSON.stringify(this._shownFor);
    this._shownFor = question;
    this._jobs = isSame ? merged(this._jobs, page.jobs, page.has_more) : page.jobs;
    if (this._jobs.length === page.jobs.length) this._hasMore = page.has_more;
    this._drawTotals(page.totals);
    this._drawModels(page.models);
    this._draw();
    if (!isSame) scrollToTop(this.element);
  }

  /** @param {string[]} models */
  _drawModels(models) {
    const chosen = this._models.value;
    const offered = chosen && !models.includes(chosen) ? [...models, chosen] : models;
    const known = [...this._models.options].slice(1).map((option) => option.value);
    if (offered.join() !== known.join()) {
      this._models.replaceChildren(this._models.options[0], ...offered.map((id) => h("option", { value: id }, id)));
      this._models.value = chosen;
    }
    this._models.hidden = offered.length < 2;
  }

  async _loadMore() {
    const last = this._jobs[this._jobs.length - 1];
    const question = JSON.stringify(this._shownFor);
    this._more.disabled = true;
    try {
      const query = new URLSearchParams({ ...this._shownFor, limit: String(PAGE), before: String(last.id) });
      const page = await this._server.get(`/jobs?${query}`);
      // What was asked for may have changed meanwhile: then these are not the older ones of what is shown.
      if (question === JSON.stringify(this._shownFor)) {
        const known = new Set(this._jobs.map((job) => job.id));
        this._jobs = [...this._jobs, ...page.jobs.filter((/** @type {Job} */ job) => !known.has(job.id))];
        this._hasMore = page.has_more;
        this._draw();
      }
    } catch (error) {
      this._say(/** @type {Error} */ (error).message);
    }
    this._more.disabled = false;
  }

  /** @param {import("./rows.js").Totals} totals */
  _drawTotals(totals) {
    const words = spending(totals);
    const isEmpty = totals.job_count === 0;
    this._export.hidden = isEmpty;
    // With nothing to search there is nothing to search with; the focus is not taken away from under the keys.
    this._search.hidden = isEmpty && document.activeElement !== this._search;
    this._filters.hidden = this._search.hidden;
    this._totals.hidden = totals.job_count === 0 && totals.max_usd_per_day === null;
    setText(this._today, words.today);
    setText(this._allTime, words.allTime);
    setText(this._count, words.jobs);
    this._cap.hidden = words.share === null;
    if (words.share !== null) this._cap.value = words.share;
    this._cap.dataset.tone = words.tone;
  }

  _draw() {
    const elements = this._jobs.map((job) => this._row(job));
    const shown = new Set(this._jobs.map((job) => job.id));
    for (const id of this._rows.keys()) if (!shown.has(id)) this._rows.delete(id);
    // Rows that stay where they are are not touched: one may hold the focus, or be playing.
    elements.forEach((element, index) => {
      const there = this._list.children[index];
      if (there !== element) this._list.insertBefore(element, there ?? null);
    });
    while (this._list.children.length > elements.length) this._list.lastElementChild.remove();
    this._more.hidden = !this._hasMore;
    this._drawEmpty();
  }

  /** @param {Job} job */
  _row(job) {
    const json = JSON.stringify([job, this._open.has(job.id), this._detailed.has(job.id)]);
    const known = this._rows.get(job.id);
    // What is being typed into a row, or has been pressed once of two times, is not taken away; the change shows after it.
    if (known && (known.json === json || known.element.querySelector("input:focus, .s2p-armed"))) return known.element;
    const element = rowElement(job, {
      act: (which, action, requestId) => this._act(which, action, requestId),
      deleteFile: (which) => this._change(which, "DELETE", `/jobs/${which.id}/clip?v=${encodeURIComponent(which.clip_version)}`),
      library: this._library,
      url: (path) => this._server.url(path),
      isOpen: () => this._open.has(job.id),
      setOpen: (isOpen) => this._mark(this._open, job, isOpen),
      hasDetails: () => this._detailed.has(job.id),
      setDetails: (hasDetails) => this._mark(this._detailed, job, hasDetails),
    });
    if (known?.element.isConnected) replaceRow(known.element, element);
    this._rows.set(job.id, { json, element });
    return element;
  }

  /** @param {Set<number>} rows @param {Job} job @param {boolean} isIn */
  _mark(rows, job, isIn) {
    if (isIn) rows.add(job.id);
    else rows.delete(job.id);
    this._draw();
  }

  _drawEmpty() {
    this._empty.hidden = this._jobs.length > 0;
    if (this._jobs.length > 0) return;
    const { search, states, model } = this._shownFor;
    this._empty.replaceChildren(
      ...(search || states || model
        ? [h("p", {}, search ? say("No job matches “{search}”.", { search }) : say("No job matches."))]
        : [
          h("i.pi.pi-video", { "aria-hidden": "true" }),
          h("p", {}, say("No clips yet.")),
          h("p", {}, say("Add a node and run it. Every clip you buy is listed here with its cost, and can be collected here even after "
            + "a crash. To try a graph for free, turn on “rehearse” in the node.")),
          h("div.s2p-offers", {},
            h("button.s2p-button", { type: "button", onclick: () => this._library.addNew() }, say("Add a node")),
            h("button.s2p-button", { type: "button", onclick: () => this._library.openTemplates() }, say("Browse templates"))),
        ]),
    );
  }

  /** @param {Job} job @param {string} action @param {string} [requestId] */
  _act(job, action, requestId) {
    return this._change(job, "POST", `/jobs/${job.id}/${action}`, requestId === undefined ? {} : { request_id: requestId });
  }

  /** @param {Job} job @param {string} method @param {string} path @param {object} [body] */
  async _change(job, method, path, body) {
    try {
      const answer = await this._server.change(method, path, body);
      this._jobs = this._jobs.map((one) => (one.id === job.id ? answer.job : one));
      // What was typed has been used: its row may be drawn again.
      const field = this._rows.get(job.id)?.element.querySelector("input:focus");
      field?.blur();
      this._draw();
      if (field) controlsOf(this._rows.get(job.id)?.element)[0]?.focus();
      if (answer.report) this._toast("info", told(answer.report));
    } catch (error) {
      this._toast("error", /** @type {Error} */ (error).message);
    }
    // The answer above is not in the list that the tag is of.
    this._again(POLL_MS / 8, true);
  }

  /** @param {"info" | "warn" | "error"} severity @param {string} detail */
  _toast(severity, detail) {
    this._app.extensionManager.toast.add({ severity, summary: say("RunComfy clips"), detail, life: severity === "info" ? 6000 : 15_000 });
  }

  /** @param {string} text */
  _say(text) {
    this._notice.hidden = !text;
    setText(this._notice, text);
  }
}

/** @param {HTMLElement} element The one that scrolls is ComfyUI's, somewhere around it. */
function scrollToTop(element) {
  for (let around = element.parentElement; around; around = around.parentElement) around.scrollTop = 0;
}

/**
 * Put a row in the place of an older one of the same job, with the focus where it was as far as that is still there.
 *
 * @param {HTMLElement} old @param {HTMLElement} row
 */
function replaceRow(old, row) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  old.replaceWith(row);
  if (!focused) return;
  const controls = controlsOf(row);
  const same = controls.find((one) => one.getAttribute("aria-label") === focused.getAttribute("aria-label"));
  (same ?? controls[0])?.focus();
}

/** @param {HTMLElement | undefined} row @returns {HTMLElement[]} */
function controlsOf(row) {
  return [...(row?.querySelectorAll(".s2p-actions :is(button, a)") ?? [])];
}

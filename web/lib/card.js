// @ts-check
/** What a node shows of its run: a clip, a state in words, the request id. Its size does not depend on what it shows. */

import { copyButton, h, keepKeys, setText } from "./dom.js";
import { openClips, questionText } from "./questions.js";
import { fileOf } from "./rows.js";
import { clipMeant, isRehearsal, pagesOf } from "./states.js";
import { say, told } from "./words.js";

/** @typedef {import("./states.js").State} State */
/** @typedef {import("./states.js").Clip} Clip */
/** @typedef {{source: string, caption: string}} Shown */
/** @typedef {{text: string, buttons: {label: string, act: () => void}[], key?: string}} Question */

export class Card {
  /** @param {import("./server.js").Server} server @param {any} api @param {import("./questions.js").Questions} questions */
  constructor(server, api, questions) {
    this._server = server;
    this._toAnswer = questions;
    this._api = api;
    /** @type {State | null} */
    this._state = null;
    this._index = 0;
    this._request = "";
    this._refusal = "";
    // Grows with every change of what is shown: an answer that comes later than the next question is not shown.
    this._showing = 0;
    /** @type {any[]} */
    this._views = [];

    this._note = h("p.s2p-note", { "aria-live": "polite" }, idle());
    this._video = h("video", {
      controls: true, loop: true, playsinline: true, preload: "metadata", hidden: true, "aria-label": say("The clip"),
    });
    this._video.addEventListener("error", () => this._showMissing());
    this._bar = h("progress.s2p-bar", { max: 1, value: 0, "aria-label": say("Progress") });
    this._line = h("span.s2p-line", { role: "status" });
    this._id = h("code.s2p-id", { title: say("RunComfy's request id") });
    this._copy = copyButton(say("Copy request id"), () => this._id.textContent ?? "");
    this._pager = h("span.s2p-pager", { hidden: true });
    /** @type {Map<string, Question>} */
    this._questions = new Map();
    this._asked = h("div.s2p-asked", { hidden: true });
    this._expectation = "";
    this._isLooking = false;
    this._image = h("img", { alt: say("The picture as it will be sent") });
    this._caption = h("figcaption");
    this._picture = h("figure.s2p-picture", { hidden: true }, this._image, this._caption);
    this._image.addEventListener("error", () => this.expect(this._expectation, null));
    this._look = h("button.s2p-copy", {
      type: "button", hidden: true, title: say("Show the picture as it will be sent"), "aria-label": say("Show the picture as it will be sent"),
      "aria-pressed": "false", onclick: () => this._setLooking(!this._isLooking),
    }, h("i.pi.pi-image"));
    this.element = h("section.s2p-card", { "data-phase": "idle", "aria-label": say("RunComfy run") },
      h("div.s2p-stage", {}, this._video, this._note, this._picture),
      this._asked,
      this._bar,
      h("div.s2p-foot.s2p-said", {}, this._line, this._pager),
      h("div.s2p-foot.s2p-ids", {}, this._id, this._copy, this._look),
    );
    this._copy.hidden = true;
    keepKeys(this.element);
  }

  /** @param {State} state */
  show(state) {
    if (state === this._state) return;
    if (state.prompt_id !== this._state?.prompt_id) {
      this._index = 0;
      this._isLooking = false;
    }
    this._state = state;
    this._draw();
    this._showPicture();
  }

  /**
   * What a run of the node would do, for as long as there is nothing to show of one.
   *
   * @param {string} text Empty where that is not known. @param {Shown | null} picture The one that would be sent, where it is known.
   */
  expect(text, picture) {
    this._expectation = text;
    if (picture) {
      if (this._image.getAttribute("src") !== picture.source) this._image.src = picture.source;
      setText(this._caption, picture.caption);
    } else {
      this._image.removeAttribute("src");
    }
    this._showPicture();
  }

  /** @param {boolean} isLooking */
  _setLooking(isLooking) {
    this._isLooking = isLooking;
    this._showPicture();
  }

  _showPicture() {
    const hasPicture = this._image.hasAttribute("src");
    const isIdle = this._state === null && !this._refusal;
    this._look.hidden = !hasPicture || isIdle;
    this._look.setAttribute("aria-pressed", String(this._isLooking));
    this._picture.hidden = !hasPicture || !(isIdle || this._isLooking);
    if (!isIdle) return;
    setText(this._note, hasPicture ? "" : this._expectation || idle());
    setText(this._line, hasPicture ? this._expectation || idle() : "");
    this._line.title = this._line.textContent;
  }

  /** @param {string} text Why ComfyUI does not run the node, until it does; empty takes it back. */
  refuse(text) {
    this._refusal = text;
    this._isLooking = false;
    if (!text && this._state) {
      this._draw();
      return;
    }
    this.element.dataset.phase = text ? "failed" : "idle";
    this._say(text || idle(), text !== "");
    setText(this._line, text ? say("Not run") : "");
    this._line.title = this._line.textContent;
    this._bar.value = 0;
    this._showId(undefined);
    this._showPager(0);
    this._showPicture();
  }

  /**
   * Put something to the user, below what the card shows.
   *
   * @param {string} subject What it is about; one subject is asked once. @param {Question | null} question Null takes it back.
   */
  ask(subject, question) {
    const same = (/** @type {Question | undefined | null} */ one) => JSON.stringify([one?.text, one?.key, one?.buttons.map(({ label }) => label)]);
    if (same(question) === same(this._questions.get(subject))) return;
    if (question) this._questions.set(subject, question);
    else this._questions.delete(subject);
    this._asked.hidden = this._questions.size === 0;
    this._asked.replaceChildren(...[...this._questions.values()].map(({ text, buttons }) => h("div.s2p-question", {},
      h("span", {}, text),
      ...buttons.map(({ label, act }) => h("button.s2p-button", { type: "button", onclick: act }, label)),
    )));
  }

  /** @param {any[]} views Where ComfyUI serves the clips of the run that just ended. */
  offer(views) {
    this._views = views;
    this._request = "";
    if (this._state) this._draw();
  }

  _draw() {
    const state = /** @type {State} */ (this._state);
    const pages = pagesOf(state);
    this._index = Math.min(this._index, Math.max(0, pages.length - 1));
    const clip = pages[this._index] ?? null;
    const isEnded = state.phase === "failed" || state.phase === "stopped";
    this.element.dataset.phase = state.phase;
    // What is counted every second is looked up by those who hear it, not read to them.
    this._note.setAttribute("aria-live", state.phase === "working" ? "off" : "polite");
    if (clip) {
      setText(this._line, told(clip.text));
    } else if (isEnded) {
      this._say(told(state.message) || say("Stopped."), state.phase === "failed");
      setText(this._line, state.phase === "failed" ? say("Failed") : say("Stopped"));
    } else {
      this._say(texts(state.clips) || idle(), false);
      setText(this._line, "");
    }
    this._line.title = this._line.textContent;
    // A bar that stood where it broke off would look as if it went on.
    this._bar.value = isEnded ? 0 : state.phase === "done" ? 1 : average(state.clips);
    this._askToBuy(openClips(state));
    this._showId(clip ?? clipMeant(state));
    this._showPager(pages.length);
    if (clip) this._play(clip);
  }

  /** @param {Clip[]} clips Those that wait for the user's answer. */
  _askToBuy(clips) {
    const answer = (/** @type {boolean} */ buys) => async () => {
      // A second click would be an answer to nothing, and say that it is too late.
      this.ask("buy", null);
      const isTaken = await this._toAnswer.answer(clips, buys);
      if (!isTaken && this._state) this._askToBuy(openClips(this._state));
    };
    this.ask("buy", clips.length ? {
      key: clips.map((clip) => clip.question).join(),
      text: questionText(clips),
      buttons: [{ label: say("Buy"), act: answer(true) }, { label: say("Do not buy"), act: answer(false) }],
    } : null);
  }

  /** @param {string} text @param {boolean} isAlert */
  _say(text, isAlert) {
    this._request = "";
    this._showing += 1;
    this._video.pause();
    this._video.hidden = true;
    this._note.hidden = false;
    if (isAlert) this._note.setAttribute("role", "alert");
    else this._note.removeAttribute("role");
    setText(this._note, text);
  }

  /** @param {Clip | undefined} clip */
  _showId(clip) {
    const id = clip?.request_id ?? "";
    setText(this._id, id);
    this._copy.hidden = !id;
  }

  /** @param {number} count */
  _showPager(count) {
    this._pager.hidden = count < 2;
    if (count < 2) return;
    const step = (/** @type {number} */ by) => () => {
      const pages = pagesOf(/** @type {State} */ (this._state)).length;
      this._index = (this._index + by + pages) % pages;
      this._draw();
    };
    const arrow = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {number} */ by) =>
      h("button.s2p-copy", { type: "button", title: label, "aria-label": label, onclick: step(by) }, h(`i.pi.${icon}`));
    if (!this._pager.firstChild) {
      this._pager.append(
        arrow("pi-angle-left", say("Previous clip"), -1), h("span"), arrow("pi-angle-right", say("Next clip"), 1),
      );
    }
    setText(this._pager.children[1], `${this._index + 1} / ${count}`);
  }

  /** @param {Clip} clip */
  async _play(clip) {
    const request = `${this._state?.prompt_id} ${this._index} ${clip.request_id}`;
    if (request === this._request) return;
    this._request = request;
    const showing = (this._showing += 1);
    const source = await this._source(clip);
    if (showing !== this._showing) return;
    if (!source) {
      this._say(told(clip.text), false);
      return;
    }
    this._note.hidden = true;
    this._video.hidden = false;
    if (this._video.getAttribute("src") === source.clip) return;
    this._video.poster = source.poster;
    this._video.src = source.clip;
  }

  /** @param {Clip} clip @returns {Promise<{clip: string, poster: string} | null>} */
  async _source(clip) {
    if (clip.kind === "failed") return null;
    if (clip.request_id && !isRehearsal(clip)) {
      const job = await this._server.get(`/jobs/${clip.request_id}`).catch(() => null);
      const url = (/** @type {string} */ what) => this._server.url(fileOf(job, what));
      // A request id of digits alone could be taken for the number of another job.
      if (job?.request_id === clip.request_id) return job.has_clip ? { clip: url("clip"), poster: url("thumbnail") } : null;
    }
    // ComfyUI knows those that were delivered, and no others.
    const delivered = this._state?.clips.filter((one) => one.kind !== "failed") ?? [];
    const view = (this._views.length ? this._views : await this._history())[delivered.indexOf(clip)];
    return view ? { clip: this._api.apiURL(`/view?${new URLSearchParams(view)}`), poster: "" } : null;
  }

  /** What ComfyUI remembers of the run, after the page was reloaded. */
  async _history() {
    const id = this._state?.prompt_id;
    const answer = await this._api.fetchApi(`/history/${id}`).then((/** @type {Response} */ r) => r.json()).catch(() => ({}));
    return answer[id ?? ""]?.outputs?.[this._state?.node ?? ""]?.images ?? [];
  }

  _showMissing() {
    if (this._video.hidden) return;
    const text = told(this._state ? pagesOf(this._state)[this._index]?.text ?? "" : "");
    this._say(say("The clip cannot be played: its file is missing, or this browser does not support its codec. {text}", { text }), false);
  }
}

function idle() {
  return say("Your clip will play here. Earlier clips are in the RunComfy clips tab of the sidebar.");
}

/** @param {Clip[]} clips */
function texts(clips) {
  if (clips.length === 1) return told(clips[0].text);
  return clips.map((clip, index) => say("Clip {number}: {text}", { number: index + 1, text: told(clip.text) })).join("\n");
}

/** @param {Clip[]} clips */
function average(clips) {
  return clips.length ? clips.reduce((sum, clip) => sum + clip.fraction, 0) / clips.length : 0;
}

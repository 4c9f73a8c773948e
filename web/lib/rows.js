// @ts-check
/** A job in words. Pure. */

import { expected, usd } from "./money.js";
import { language, say, told } from "./words.js";

/**
 * @typedef {object} Job
 * @property {number} id
 * @property {string} name
 * @property {string} state
 * @property {string} prompt
 * @property {string[]} inputs What each of the model's inputs was set to, in words; none where that is not known.
 * @property {string} model_id
 * @property {string} seed Empty where the job was made elsewhere.
 * @property {string | null} request_id
 * @property {number} created_at
 * @property {number | null} expected_usd
 * @property {string} [price_bound] What the expected price says of the real one.
 * @property {number | null} cost_usd
 * @property {string} charge
 * @property {boolean} is_released
 * @property {string} reason
 * @property {boolean} has_clip
 * @property {string} clip_version Tells its file from every other one.
 * @property {string} file_name Empty where there is no file.
 * @property {string | null} folder Of the file, below ComfyUI's output folder; null for one elsewhere.
 * @property {boolean} is_clip_gone
 * @property {string} at_work_on Another machine that works on it; empty for none.
 * @property {string} file_on Another machine that has its file; empty for none.
 * @property {string[]} actions
 * @property {string} activity
 * @property {string} trouble
 * @property {string} answer What RunComfy said when it was asked again, where that is nothing new.
 */

/** @typedef {{today_usd: number, all_time_usd: number, job_count: number, max_usd_per_day: number | null}} Totals */

/** What the journal calls a state, in an artist's word. @returns {Record<string, {label: string, tone: string, meaning: string}>} */
function states() {
  return {
    prepared: { label: say("not sent"), tone: "quiet", meaning: say("It was never sent to RunComfy.") },
    submitting: { label: say("sending"), tone: "busy", meaning: say("It is being sent to RunComfy.") },
    submitted: { label: say("running"), tone: "busy", meaning: say("RunComfy has accepted it: it is queued or rendering.") },
    completed: { label: say("ready"), tone: "warn", meaning: say("The clip is ready at RunComfy but not downloaded yet.") },
    downloaded: { label: say("saved"), tone: "good", meaning: say("The clip is saved on this disk.") },
    rejected: { label: say("refused"), tone: "quiet", meaning: say("RunComfy rejected it.") },
    failed: { label: say("failed"), tone: "bad", meaning: say("RunComfy reports that it failed.") },
    cancelled: { label: say("cancelled"), tone: "quiet", meaning: say("It was cancelled at RunComfy.") },
    uncertain: { label: say("needs you"), tone: "warn", meaning: say("It is not known whether RunComfy accepted it.") },
  };
}

/** What the list can be narrowed to: words, and the states they mean, separated by commas. @returns {[string, string][]} */
export function stateChoices() {
  return [
    [say("All states"), ""],
    [say("Running"), "submitting,submitted"],
    [say("Ready to collect"), "completed"],
    [say("Saved"), "downloaded"],
    [say("Needs you"), "uncertain"],
    [say("Failed or refused"), "failed,rejected"],
    [say("Cancelled"), "cancelled"],
    [say("Not sent"), "prepared"],
  ];
}

/** @param {Job} job */
export function chip(job) {
  const gone = { label: say("file missing"), tone: "warn", meaning: say("The clip was saved on this disk, but its file is missing.") };
  const state = states()[job.state] ?? { label: job.state, tone: "quiet", meaning: "" };
  const there = { ...state, meaning: say("The clip is saved on {machine}.", { machine: job.file_on }) };
  const { label, tone, meaning } = job.is_clip_gone ? gone : job.file_on ? there : state;
  return { label: job.is_released ? say("{state}, released", { state: label }) : label, tone, meaning: `${meaning} (${job.state})`.trim() };
}

/**
 * Where the pack serves the file of a job, below /sora2pro. A number is one of a single journal and a file can be replaced: with
 * its version an address never means another clip.
 *
 * @param {{id: number, clip_version: string}} job @param {"clip" | "thumbnail"} what
 */
export function fileOf(job, what) {
  return `/jobs/${job.id}/${what}?v=${encodeURIComponent(job.clip_version)}`;
}

/** @param {Job} job @param {number} now Milliseconds. @returns {string[]} */
export function facts(job, now) {
  const parts = [job.name];
  parts.push(...job.inputs.map(inputWords));
  if (job.seed) parts.push(say("seed {seed}", { seed: job.seed }));
  const cost = price(job);
  if (cost) parts.push(cost);
  parts.push(ago(job.created_at * 1000, now));
  return parts;
}

/** Which other machine has something of a job. @param {Job} job */
export function machine(job) {
  if (job.at_work_on) return say("at work on {machine}", { machine: job.at_work_on });
  return job.file_on ? say("file on {machine}", { machine: job.file_on }) : "";
}

/** @param {string} one What an input was set to: `1280x720`, `4 s`, `audio on`. */
function inputWords(one) {
  const length = /^(\d+) s$/.exec(one)?.[1];
  return length ? say("{length} s", { length }) : told(one).replace(/^(\d+)x(\d+)$/, "$1×$2");
}

/** @param {Job} job */
function price(job) {
  if (job.cost_usd !== null) return usd(job.cost_usd);
  return job.expected_usd === null ? "" : expected(job.expected_usd, job.price_bound);
}

/**
 * What needs saying about a job besides its state.
 *
 * @param {Job} job
 */
export function remark(job) {
  if (job.activity) return { text: told(job.activity), tone: "busy" };
  if (job.trouble) return { text: told(job.trouble), tone: "bad" };
  if (job.is_clip_gone) {
    const text = say("The file was deleted or moved. The purchase is kept: while RunComfy has the clip, collecting it again is free.");
    return { text, tone: "warn" };
  }
  if (job.file_on) {
    const text = say("The file is on {machine}. To have it on this machine as well, collect it: there is no new charge.", { machine: job.file_on });
    return { text, tone: "quiet" };
  }
  if (job.is_released) {
    return { text: say("Released: running the same inputs again buys a new clip. {charge}", { charge: told(job.charge) }), tone: "quiet" };
  }
  if (job.state === "uncertain") {
    return {
      text: say("{reason} Look under Generations on runcomfy.com: if the clip is there, adopt its request id; if it is not there "
        + "after a few minutes, release the job.", { reason: told(job.reason) }),
      tone: "warn",
    };
  }
  if (["failed", "rejected", "cancelled"].includes(job.state)) {
    return { text: told([job.answer, ended(job.reason), job.charge].filter(Boolean).join(" ")), tone: "quiet" };
  }
  return null;
}

/** A sentence with its full stop, which RunComfy's own often lack. @param {string} sentence */
function ended(sentence) {
  return /[^.!?…。！？]$/.test(sentence) ? `${sentence}.` : sentence;
}

/** @param {number} then @param {number} now Milliseconds. */
export function ago(then, now) {
  const minutes = Math.floor((now - then) / 60_000);
  if (minutes < 1) return say("just now");
  if (minutes < 60) return say("{count} min ago", { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return say("{count} h ago", { count: hours });
  return new Date(then).toLocaleDateString(language(), { year: "numeric", month: "short", day: "numeric" });
}

// The part of the daily limit from which on it is near.
const NEAR = 0.8;

/** @param {Totals} totals */
export function spending(totals) {
  const cap = totals.max_usd_per_day;
  const share = cap === null ? null : cap > 0 ? Math.min(1, totals.today_usd / cap) : 1;
  return {
    today: cap === null ? usd(totals.today_usd) : say("{spent} of {limit}", { spent: usd(totals.today_usd), limit: usd(cap) }),
    allTime: usd(totals.all_time_usd),
    jobs: totals.job_count.toLocaleString(language()),
    share,
    tone: share === null || share < NEAR ? "" : share < 1 ? "warn" : "bad",
  };
}

/**
 * The first page, asked for again, laid over what is shown: newer rows appear, changed ones change, those that are gone go.
 *
 * @param {Job[]} shown Newest first.
 * @param {Job[]} page The newest ones.
 * @param {boolean} hasMore Whether older ones follow the page.
 * @returns {Job[]}
 */
export function merged(shown, page, hasMore) {
  const last = page[page.length - 1];
  // Where the two do not meet there is a gap, and jobs in it would never be shown.
  const meets = hasMore && last !== undefined && shown.length > 0 && shown[0].id >= last.id;
  return meets ? [...page, ...shown.filter((job) => job.id < last.id)] : page;
}

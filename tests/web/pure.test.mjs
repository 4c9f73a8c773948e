import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { freePlace } from "../../web/lib/canvas.js";
import { priceLabel } from "../../web/lib/money.js";
import { grey, modelOf, sentence as modelSentence } from "../../web/lib/models.js";
import { Waits, noticeOf } from "../../web/lib/notices.js";
import { Outlooks, expectation, inputsOf } from "../../web/lib/outlook.js";
import { Prices, orderOf } from "../../web/lib/prices.js";
import { JobsPanel } from "../../web/lib/panel.js";
import { ago, chip, facts, fileOf, machine, merged, remark, spending, stateChoices } from "../../web/lib/rows.js";
import { refusalsOf } from "../../web/lib/refusals.js";
import { Runs } from "../../web/lib/runs.js";
import { Questions, openClips, questionText } from "../../web/lib/questions.js";
import { keepSeed } from "../../web/lib/seed.js";
import { Server, ServerError, sentence, unreachable } from "../../web/lib/server.js";
import { placeSentence, sourceSentence, tokenSentence } from "../../web/lib/sources.js";
import { pricesLabel, stateLabel } from "../../web/lib/subgraphs.js";
import { givenValue } from "../../web/lib/widgets.js";
import { States, clipMeant, isOlder, nodeAt, pagesOf } from "../../web/lib/states.js";

const state = (changes = {}) => ({
  node: "5", prompt_id: "p1", workflow_id: "w", run: 1000, step: 1, at: 1, phase: "working", clips: [], message: "", ...changes,
});

const job = (changes = {}) => ({
  id: 7, name: "job-7", state: "downloaded", prompt: "A fox runs.", inputs: ["1280x720", "4 s"], seed: "0", request_id: "r1",
  created_at: 0, expected_usd: 1.2, cost_usd: 1.2, charge: "RunComfy charged $1.20 for it.", is_released: false, reason: "",
  has_clip: true, is_clip_gone: false, at_work_on: "", file_on: "", actions: ["open"], activity: "", trouble: "", answer: "", ...changes,
});

test("every module but the entry file can be imported without a page, because it does nothing on import", async () => {
  const folder = new URL("../../web/lib/", import.meta.url);
  for (const name of readdirSync(folder)) await import(new URL(name, folder));
});

test("an event of an earlier prompt that arrives late is refused, and so is one that is known", () => {
  const states = new States();
  assert.equal(states.take(state({ run: 2000, step: 1, prompt_id: "p2" })), true);
  assert.equal(states.take(state({ run: 1000, step: 99, prompt_id: "p1" })), false);
  assert.equal(states.take(state({ run: 2000, step: 1, prompt_id: "p2" })), false);
  assert.equal(states.take(state({ run: 2000, step: 2, prompt_id: "p2" })), true);
  assert.equal(states.of("w")[0].prompt_id, "p2");
});

test("the end of a run is told, and neither work in progress nor the user's own Stop is", () => {
  const clip = { kind: "finished", text: "RunComfy charged $1.20 for it.", fraction: 1, request_id: "r1" };
  assert.deepEqual(noticeOf(state({ phase: "done", clips: [clip] })), {
    severity: "success", summary: "The clip is ready", detail: "RunComfy charged $1.20 for it.",
  });
  assert.equal(noticeOf(state({ phase: "done", clips: [clip, clip, clip] })).summary, "3 clips are ready");
  const short = noticeOf(state({ phase: "done", clips: [clip], message: "Clip 1 of 2 is delivered without clip 2." }));
  assert.deepEqual([short.severity, short.detail], ["warn", "Clip 1 of 2 is delivered without clip 2."]);
  const failed = noticeOf(state({ phase: "failed", message: "RunComfy reports that generation failed." }));
  assert.deepEqual([failed.severity, failed.detail], ["error", "RunComfy reports that generation failed."]);
  assert.match(noticeOf(state({ phase: "failed", message: "x".repeat(5000) })).detail, /^x{300}… The whole message is on the node\.$/);
  assert.equal(noticeOf(state({ phase: "done", clips: [{ ...clip, kind: "reported", text: "job-7 is submitted." }] })), null);
  for (const phase of ["working", "stopped"]) assert.equal(noticeOf(state({ phase, clips: [clip] })), null);
});

test("only a run that RunComfy worked for calls the user back, and only once", () => {
  const waits = new Waits();
  const at = (kind, phase = "working", changes = {}) => waits.take(state({ phase, clips: [{ kind }], ...changes }));
  at("from_journal");
  assert.equal(at("finished", "done"), false);
  at("preparing");
  at("rendering");
  assert.equal(at("finished", "done", { prompt_id: "another" }), false);
  assert.equal(at("finished", "done"), true);
  assert.equal(at("finished", "done"), false);
});

test("states of other workflows, of scripts and of nobody never reach a node", () => {
  const states = new States();
  states.take(state({ workflow_id: "other" }));
  assert.deepEqual(states.of("w"), []);
  for (const wrong of [null, {}, state({ workflow_id: null }), state({ node: 5 }), state({ run: "x" }), state({ clips: null })]) {
    assert.equal(states.take(wrong), false);
  }
});

test("states come oldest first, so that the newer of two uses of a subgraph is shown last", () => {
  const states = new States();
  states.take(state({ node: "6:3", run: 2000 }));
  states.take(state({ node: "5:3", run: 1000 }));
  assert.deepEqual(states.of("w").map((one) => one.node), ["5:3", "6:3"]);
  assert.equal(isOlder(state({ run: 1, step: 9 }), state({ run: 2, step: 1 })), true);
});

test("a run that did not go well shows its message and then the clips that arrived, and names the clip that failed", () => {
  const clips = [["finished", "r1"], ["queued", "r2"], ["finished", "r3"]].map(([kind, id]) => ({ kind, text: "", fraction: 1, request_id: id }));
  const failed = state({ phase: "failed", clips, message: "Clip 2 of 3: refused. The request id is r2." });
  assert.deepEqual(pagesOf(failed).map((clip) => clip?.request_id ?? null), [null, "r1", "r3"]);
  assert.equal(clipMeant(failed).request_id, "r2");
  assert.equal(clipMeant(state({ clips })).request_id, "r1");
  assert.equal(clipMeant(state()), undefined);
  assert.deepEqual(pagesOf(state({ clips })), [null]);
  assert.equal(pagesOf(state({ phase: "done", clips })).length, 3);
});

test("after a restart of ComfyUI a run it does not know is over, and the request goes on; what is known or began later stays", () => {
  const states = new States();
  const clip = (id) => ({ kind: "queued", text: "Queued", fraction: 0, request_id: id });
  states.take(state({ node: "1", clips: [clip("r1")] }));
  states.take(state({ node: "2", clips: [clip(null)] }));
  states.take(state({ node: "3", clips: [clip("r3")] }));
  states.take(state({ node: "4", phase: "done", clips: [clip("r4")] }));
  const before = states.working();
  states.take(state({ node: "2", run: 2000, prompt_id: "p2" }));
  states.endLost(before, [state({ node: "3" }), null]);
  const [one, three, four, two] = states.of("w").sort((a, b) => a.run - b.run);
  assert.deepEqual([one, two, three, four].map((each) => each.phase), ["stopped", "working", "working", "done"]);
  assert.match(one.message, /^ComfyUI was restarted\. The request continues at RunComfy: .* at no new charge\.$/);
  assert.equal(one.clips[0].request_id, "r1");
  states.endLost([two], []);
  assert.match(states.of("w").at(-1).message, /already accepted is not bought a second time\.$/);
});

test("a node is found through the subgraphs it is in, and a node that is gone is nobody", () => {
  const graph = (nodes) => ({ getNodeById: (id) => nodes[id] ?? null });
  const deepest = { id: 3 };
  const root = graph({ 5: { subgraph: graph({ 4: { subgraph: graph({ 3: deepest }) } }) }, 9: { id: 9 } });
  assert.equal(nodeAt(root, "5:4:3"), deepest);
  assert.equal(nodeAt(root, "9").id, 9);
  for (const gone of ["5:4:1", "7:4:3", "9:3", "1"]) assert.equal(nodeAt(root, gone), null);
});

test("the price says what a run can cost, and when it is unknown", () => {
  const price = { min_usd: 1.2, max_usd: 1.2 };
  const table = [
    [price, { maxClips: 1, isRehearsal: false }, "$1.20"],
    [price, { maxClips: 4, isRehearsal: false }, "$1.20 per clip, up to $4.80"],
    [{ min_usd: 1.2, max_usd: 2 }, { maxClips: 3, isRehearsal: false }, "$1.20–$2.00 per clip, up to $6.00"],
    [price, { maxClips: null, isRehearsal: false }, "$1.20 per clip"],
    [{ min_usd: 1.2, max_usd: 2 }, { maxClips: 1, isRehearsal: false }, "$1.20–$2.00"],
    [price, { maxClips: 1, isRehearsal: true }, "free rehearsal"],
    [null, { maxClips: 1, isRehearsal: false }, "price unknown"],
    [{ min_usd: 0.42, max_usd: null }, { maxClips: 1, isRehearsal: false }, "from $0.42"],
    [{ min_usd: 0.42, max_usd: null }, { maxClips: 3, isRehearsal: false }, "from $0.42 per clip, up to 3 clips"],
    [{ min_usd: 0.42, max_usd: null }, { maxClips: null, isRehearsal: false }, "from $0.42 per clip"],
    [{ min_usd: null, max_usd: null }, { maxClips: 1, isRehearsal: false }, "price unknown"],
  ];
  for (const [given, order, label] of table) assert.equal(priceLabel(given, order), label);
});

test("the price says what Run will do: nothing for what is bought, the sum where every run buys again, the total of a batch", () => {
  const price = { min_usd: 1.2, max_usd: 1.2 };
  const order = { maxClips: 1, isRehearsal: false };
  const table = [
    [{ clips: ["new"] }, "$1.20"],
    [{ clips: ["bought"] }, "already bought: Run is free"],
    [{ clips: ["ready"] }, "already bought: Run is free"],
    [{ clips: ["bought", "under_way"] }, "under way: Run is free"],
    [{ clips: ["uncertain"] }, "buys nothing: see the node"],
    [{ clips: ["failed"] }, "buys nothing: asks again"],
    [{ clips: ["new", "new", "new"], maxClips: 64 }, "3 clips x $1.20 = $3.60"],
    [{ clips: ["bought", "new", "new"], maxClips: 3 }, "2 clips x $1.20 = $2.40"],
    [{ clips: ["bought", "new"], maxClips: 3 }, "$1.20"],
    [{ changesSeed: true }, "$1.20, every Run"],
    [{ changesSeed: true, clips: ["bought"] }, "$1.20, every Run"],
    [{ changesSeed: true, runs: 3 }, "3 runs x $1.20 = $3.60"],
    [{ changesSeed: true, runs: 3, clips: ["new", "new"], maxClips: 2 }, "3 runs x $2.40 = $7.20"],
    [{ changesSeed: true, runs: 2, maxClips: 3 }, "$1.20 per clip, up to $3.60, 2 times"],
    // Equal inputs are bought once, however often they are run.
    [{ runs: 3 }, "$1.20"],
    [{ runs: 3, clips: ["bought"] }, "already bought: Run is free"],
    [{ clips: ["bought"], isRehearsal: true }, "free rehearsal"],
  ];
  for (const [changes, label] of table) assert.equal(priceLabel(price, { ...order, ...changes }), label);
  assert.equal(priceLabel({ ...price, is_about: true }, order), "about $1.20");
  assert.equal(priceLabel({ min_usd: 1.2, max_usd: 2, is_about: true }, { ...order, changesSeed: true, runs: 2 }), "about 2 runs x $1.20–$2.00 = $2.40–$4.00");
  assert.equal(priceLabel({ min_usd: 0.5, max_usd: null }, { ...order, clips: ["new", "new"] }), "2 clips x from $0.50 = from $1.00");
  assert.equal(priceLabel(null, { ...order, clips: ["bought"] }), "already bought: Run is free");
});

test("the node says that Run is free only where nothing at all would be bought", () => {
  assert.equal(expectation([]), "");
  assert.equal(expectation(["bought", "new"]), "");
  assert.match(expectation(["bought"]), /already bought this clip\. Run is free\.$/);
  assert.match(expectation(["bought", "under_way"]), /^One request is under way\. Run is free/);
  assert.match(expectation(["under_way", "uncertain"]), /buys nothing until you adopt or release/);
});

test("what a node is set to is known with a picture of Load Image, and with no other source of a picture or a value", () => {
  const input = { required: { prompt: ["STRING", {}], size: [["a"], {}] }, optional: { image: ["IMAGE", {}] } };
  const loader = (changes = {}) => ({ comfyClass: "LoadImage", mode: 0, inputs: [], widgets: [{ name: "image", value: "fox.png" }], ...changes });
  const node = (source, changes = {}) => ({
    comfyClass: "Sora2ProImageToVideo", mode: 0, constructor: { nodeData: { input } },
    widgets: [{ name: "prompt", value: "A fox." }, { name: "size", value: "a" }, { name: "sora2pro", value: "card" }],
    inputs: [{ name: "image" }, { name: "size" }], isInputConnected: (slot) => slot === 0 && source !== null,
    graph: { getNodeById: () => source }, getInputLink: () => ({ origin_id: 1, origin_slot: 0 }), ...changes,
  });
  const values = { prompt: "A fox.", size: "a" };
  assert.deepEqual(inputsOf(node(loader())), { node: "Sora2ProImageToVideo", values, files: { image: "fox.png" } });
  assert.deepEqual(inputsOf(node(null)).files, {});
  for (const unknown of [
    node(loader({ comfyClass: "EmptyImage" })), node(loader({ mode: 4 })), node(loader({ widgets: [] })), node(undefined),
    node(loader({ inputs: [{ name: "image" }], isInputConnected: () => true })), node(loader(), { getInputLink: () => ({ origin_id: 1, origin_slot: 1 }) }),
    node(loader(), { isInputConnected: () => true }), node(loader(), { mode: 2 }),
  ]) assert.equal(inputsOf(unknown), null);
});

test("what another node decides is not known beforehand", () => {
  const widgets = [["size", "1280x720"], ["seconds", 8], ["max_clips", 2], ["rehearse", false]].map(([name, value]) => ({ name, value }));
  const required = { prompt: ["STRING", {}], size: [[], { sets_price: true }], seconds: [[], { sets_price: true }] };
  const node = { constructor: { nodeData: { input: { required } } }, widgets, inputs: [{ name: "image" }, { name: "seconds" }], isInputConnected: (index) => index === 1 };
  assert.deepEqual(orderOf(node), { inputs: null, maxClips: 2, isRehearsal: false });
  assert.deepEqual(orderOf({ ...node, isInputConnected: () => false }).inputs, { size: "1280x720", seconds: "8" });
});

test("the size that the picture decides is asked for by its name as soon as it is known", async () => {
  const asked = [];
  const server = { get: async (path) => (asked.push(path), { min_usd: 2, max_usd: 2 }) };
  const outlooks = { onChange() {}, clipsOf: () => ["new"], sizeOf: () => "1792x1024" };
  const prices = new Prices({}, server, outlooks, { onChange() {}, count: 1 });
  const input = { required: { size: [[], { sets_price: true }], seconds: [[], { sets_price: true }] } };
  const widgets = [["size", "auto"], ["seconds", 4], ["max_clips", 1]].map(([name, value]) => ({ name, value }));
  const node = { constructor: { nodeData: { input } }, widgets };
  assert.equal(prices.label(node), "price unknown");
  await new Promise((done) => setTimeout(done));
  assert.equal(prices.label(node), "$2.00");
  assert.deepEqual(asked, ["/price?size=1792x1024&seconds=4"]);
});

/** ComfyUI's page as `Runs` knows it: what is queued goes out as it does there, one after the other and the newest first. */
function pageOfComfyUI(queueSettings, ui = {}, commands = []) {
  const sent = [];
  const node = { id: 12 };
  const api = {
    fetchApi: async (route, options) => { await null; sent.push([route, options?.body && JSON.parse(options.body)]); },
    async queuePrompt() {
      await this.fetchApi("/prompt", { method: "POST", body: JSON.stringify({ prompt: { 12: {}, 7: {} }, extra_data: { extra_pnginfo: {} } }) });
    },
  };
  const app = {
    ui, rootGraph: { getNodeById: (id) => (Number(id) === 12 ? node : null) }, extensionManager: { queueSettings, command: { commands } }, items: [], isBusy: false,
    async queuePrompt(_number, count = 1, _options = {}) {
      this.items.push(count);
      if (this.isBusy) return false;
      this.isBusy = true;
      while (this.items.length) for (let left = this.items.pop(); left > 0; left -= 1) await api.queuePrompt();
      this.isBusy = false;
      return true;
    },
  };
  const runs = new Runs(app, api);
  runs.watch();
  const questions = [];
  runs.attach(node, { ask: (_subject, question) => questions.push(question) });
  return { app, api, runs, sent, question: () => questions.at(-1), notes: () => sent.splice(0).map(([, body]) => body.extra_data.sora2pro) };
}

const AUTO = { intent: { trigger_source: "auto_queue" } };
const BY_HAND = { automatic: false, may_buy: [] };
const BY_ITSELF = { automatic: true, may_buy: [] };

test("the server is told of every prompt whether somebody pressed Run", async () => {
  const { app, api, notes, sent } = pageOfComfyUI({ mode: "disabled", batchCount: 1 });
  await app.queuePrompt(0, 2);
  assert.deepEqual(notes(), [BY_HAND, BY_HAND]);
  await app.queuePrompt(0, 1, AUTO);
  assert.deepEqual(notes(), [BY_ITSELF]);
  await app.queuePrompt(0, 1, ["12"]);
  assert.deepEqual(notes(), [BY_HAND]);
  // What is asked for while another prompt goes out keeps its kind: a click on Run may be the change that starts an automatic run.
  await Promise.all([app.queuePrompt(0, 2), app.queuePrompt(0, 1, AUTO), app.queuePrompt(0, 1)]);
  assert.deepEqual(notes(), [BY_HAND, BY_HAND, BY_HAND, BY_ITSELF]);
  await Promise.all([app.queuePrompt(0, 2, AUTO), app.queuePrompt(0, 1), app.queuePrompt(0, 1, AUTO)]);
  assert.deepEqual(notes(), [BY_ITSELF, BY_ITSELF, BY_ITSELF, BY_HAND]);
  await app.queuePrompt(0, 1);
  assert.deepEqual(notes(), [BY_HAND]);
  await api.fetchApi("/queue", { method: "POST", body: "{}" });
  assert.deepEqual(sent, [["/queue", {}]]);
});

test("where only the commands are told who asked, what they queue was pressed, and nothing else", async () => {
  const queue = () => page.app.queuePrompt(0, 1);
  const run = { id: "Comfy.QueuePrompt", function: queue };
  const other = { id: "Comfy.Interrupt", function: queue };
  const late = { id: "Comfy.QueuePromptFront", function: async () => { await null; await queue(); } };
  const failing = { id: "Comfy.QueueSelectedOutputNodes", function: () => { throw new Error("not now"); } };
  const page = pageOfComfyUI({ mode: "change" }, {}, [run, other, late, failing]);
  for (const source of ["button", "keybinding"]) {
    await run.function({ trigger_source: source });
    assert.deepEqual(page.notes(), [BY_HAND]);
  }
  const button = { trigger_source: "button" };
  for (const act of [queue, () => run.function(), () => run.function({}), () => other.function(button), () => late.function(button)]) {
    await act();
    assert.deepEqual(page.notes(), [BY_ITSELF]);
  }
  assert.throws(() => failing.function(button), /not now/);
  await queue();
  assert.deepEqual(page.notes(), [BY_ITSELF]);
});

test("where the front end does not say who asked, a run counts as automatic as long as the Run button is set so", async () => {
  for (const [settings, ui, note] of [
    [{ mode: "change" }, {}, BY_ITSELF], [{ mode: "instant" }, {}, BY_ITSELF], [{ mode: "disabled" }, {}, BY_HAND], [undefined, {}, BY_HAND],
    [undefined, { autoQueueEnabled: true, autoQueueMode: "change" }, BY_ITSELF], [undefined, { autoQueueEnabled: false, autoQueueMode: "change" }, BY_HAND],
  ]) {
    const { app, notes } = pageOfComfyUI(settings, ui);
    await app.queuePrompt(0, 1);
    assert.deepEqual(notes(), [note]);
  }
  const { app, notes } = pageOfComfyUI({ mode: "instant-running" });
  await app.queuePrompt(0, 1, { intent: { trigger_source: "button" } });
  assert.deepEqual(notes(), [BY_HAND]);
});

test("automatic runs may buy on the node where the user allows it, until the Run button is set back", async () => {
  const settings = { mode: "change", $subscribe: (act) => { settings.changed = act; } };
  const { app, notes, question } = pageOfComfyUI(settings);
  question().buttons[0].act();
  await app.queuePrompt(0, 1);
  assert.deepEqual(notes(), [{ automatic: true, may_buy: ["12"] }]);
  question().buttons[0].act();
  await app.queuePrompt(0, 1);
  assert.deepEqual(notes(), [BY_ITSELF]);
  question().buttons[0].act();
  settings.mode = "disabled";
  settings.changed();
  assert.equal(question(), null);
  settings.mode = "change";
  settings.changed();
  await app.queuePrompt(0, 1);
  assert.deepEqual(notes(), [BY_ITSELF]);
});

const asking = (question, usd = 1.2) => ({ kind: "asking", text: "", fraction: 0, request_id: null, question, usd });

test("the clips that wait for an answer are one question, with their sum", () => {
  const priced = (usd) => asking("q", usd);
  const clips = [priced(1.2), { ...priced(1), kind: "queued" }, priced(2.4)];
  assert.equal(questionText(openClips(state({ clips }))), "Buy these 2 clips for about $3.60?");
  assert.equal(questionText([priced(1.2)]), "Buy this clip for about $1.20?");
  assert.equal(questionText([priced(null)]), "Buy this clip? Its price is not known.");
  const bounded = (price_bound) => ({ ...priced(1.2), price_bound });
  assert.equal(questionText([bounded("about")]), "Buy this clip for about $1.20?");
  assert.equal(questionText([bounded("at_least")]), "Buy this clip? Expected price: from $1.20.");
  assert.equal(questionText([bounded("at_most")]), "Buy this clip? Expected price: up to $1.20.");
  assert.equal(questionText([bounded("about"), bounded("at_least")]), "Buy these 2 clips? Expected price in all: from $2.40.");
  assert.deepEqual(openClips(state({ clips, phase: "stopped" })), []);
});

test("a batch is one dialog; only a plain yes buys, and where there is no dialog the node is answered", async () => {
  for (const [given, buys] of [[true, true], [false, false], [null, false], [undefined, false]]) {
    const answers = [];
    const said = [];
    const dialog = { confirm: async ({ message }) => (said.push(message), given) };
    const server = { change: async (_method, path, body) => { answers.push([path, body.buys]); } };
    const questions = new Questions({ extensionManager: { dialog } }, server);
    questions.take(state({ clips: [asking("q1")] }));
    questions.take(state({ clips: [asking("q1"), asking("q2")], step: 2 }));
    await new Promise((done) => setTimeout(done, 900));
    assert.deepEqual(said, ["Buy these 2 clips for about $2.40?"]);
    assert.deepEqual(answers, [["/questions/q1", buys], ["/questions/q2", buys]]);
  }
  const stopped = [];
  const questions = new Questions({ extensionManager: { dialog: { confirm: async () => stopped.push("asked") } } }, {});
  questions.take(state({ clips: [asking("q1")] }));
  questions.take(state({ phase: "stopped", clips: [asking("q1")], step: 2 }));
  new Questions({ extensionManager: {} }, {}).take(state({ clips: [asking("q1")] }));
  await new Promise((done) => setTimeout(done, 900));
  assert.deepEqual(stopped, []);
});

test("each of several nodes that ask is asked about by its name, one after the other, and none of them twice", async () => {
  const answers = [];
  const said = [];
  const nodes = { 2: { title: "Wan" }, 4: { title: "Kling" } };
  const confirm = async ({ message }) => {
    said.push(message);
    // What comes while a dialog is open is asked about when it is answered.
    if (said.length === 1) questions.take(state({ node: "6", clips: [asking("q6")] }));
    questions.take(state({ node: "2", clips: [asking("q2")], step: 2 }));
    await null;
    return !message.includes("Kling");
  };
  const app = { rootGraph: { id: "w", getNodeById: (id) => nodes[id] ?? null }, extensionManager: { dialog: { confirm } } };
  const server = { change: async (_method, path, body) => { answers.push([path, body.buys]); } };
  const questions = new Questions(app, server);
  questions.take(state({ node: "2", clips: [asking("q2")] }));
  questions.take(state({ node: "4", clips: [asking("q4")] }));
  await new Promise((done) => setTimeout(done, 900));
  questions.take(state({ node: "2", clips: [asking("q2")], step: 3 }));
  await new Promise((done) => setTimeout(done, 900));
  assert.deepEqual(said, ["Wan: Buy this clip for about $1.20?", "Kling: Buy this clip for about $1.20?", "Buy this clip for about $1.20?"]);
  assert.deepEqual(answers, [["/questions/q2", true], ["/questions/q4", false], ["/questions/q6", true]]);
});

test("after a dialog that broke the next question is asked all the same", async () => {
  const said = [];
  const dialog = { confirm: async ({ message }) => { said.push(message); if (said.length === 1) throw new Error("it was torn down"); return true; } };
  const answers = [];
  const questions = new Questions({ extensionManager: { dialog } }, { change: async (_method, path) => { answers.push(path); } });
  questions.take(state({ clips: [asking("q1")] }));
  await new Promise((done) => setTimeout(done, 900));
  questions.take(state({ node: "7", clips: [asking("q7")] }));
  await new Promise((done) => setTimeout(done, 900));
  assert.deepEqual([said.length, answers], [2, ["/questions/q7"]]);
});

test("of two answers about what Run would do, the one that was asked for later stays, whichever comes first", async () => {
  const waiting = [];
  const server = { change: () => new Promise((answer) => waiting.push(answer)), url: (path) => path };
  let look;
  globalThis.window = { setInterval: (act) => { look = act; return 1; } };
  globalThis.document = { hidden: false };
  const outlooks = new Outlooks(server);
  const node = { mode: 0, comfyClass: "Sora2ProImageToVideo", constructor: { nodeData: { input: {} } }, graph: {}, widgets: [] };
  outlooks.attach(node, { expect: () => {} });
  look();
  look();
  outlooks.forget();
  look();
  assert.equal(waiting.length, 2);
  waiting[1]({ clips: ["under_way"], pictures: [] });
  await new Promise(setImmediate);
  waiting[0]({ clips: ["new"], pictures: [] });
  await new Promise(setImmediate);
  delete globalThis.window;
  delete globalThis.document;
  assert.deepEqual(outlooks.clipsOf(node), ["under_way"]);
});

test("the question about automatic runs keeps no node that was removed", async () => {
  const { runs } = pageOfComfyUI({ mode: "change" });
  const kept = [];
  const attach = () => {
    for (let count = 0; count < 50; count += 1) {
      const node = { id: count };
      let question;
      runs.attach(node, { ask: (_subject, asked) => { question = asked; }, question: () => question });
      kept.push(new WeakRef(node));
    }
  };
  attach();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  for (let round = 0; round < 20; round += 1) {
    await new Promise(setImmediate);
    collect();
  }
  assert.equal(kept.filter((one) => one.deref()).length, 0);
});

test("inputs that set the price count wherever the node's definition has them", () => {
  const input = { required: { model: [[], { sets_price: true }] }, optional: { custom_model_id: ["STRING", { sets_price: true }] } };
  const widgets = [["model", "a/b"], ["custom_model_id", ""], ["max_clips", 1]].map(([name, value]) => ({ name, value }));
  assert.deepEqual(orderOf({ constructor: { nodeData: { input } }, widgets }).inputs, { model: "a/b", custom_model_id: "" });
});

const modelFacts = (changes = {}) => ({
  model_id: "a/b", lengths_s: [5, 10], shortest_s: 5, longest_s: 10, resolutions: ["720p", "1080p"], aspect_ratios: [],
  sound: "switch", last_picture: "optional", has_seed: false, has_negative_prompt: false, base_price_usd: 0.084,
  price_unit: "second", is_total: false, unusable: ["aspect_ratio", "negative_prompt"], ...changes,
});

test("the annotation says what a model is chosen by, and leaves out what is not known", () => {
  const table = [
    [{}, "5 or 10 s · 720p, 1080p · sound on or off · last picture · from $0.084 a second"],
    [{ lengths_s: [6, 8, 10] }, "6, 8 or 10 s · 720p, 1080p · sound on or off · last picture · from $0.084 a second"],
    [{ lengths_s: [3, 4, 5, 6], shortest_s: 3, longest_s: 6, resolutions: [], sound: "", last_picture: "" }, "3 to 6 s · from $0.084 a second"],
    [{ lengths_s: [], shortest_s: 4, longest_s: 30, resolutions: ["1080p"], sound: "always", last_picture: "required", has_seed: true, has_negative_prompt: true, base_price_usd: 0.88, is_total: true },
      "4 to 30 s · 1080p · always with sound · needs a last picture · seed · negative prompt · $0.88 a second"],
    [{ lengths_s: [5], resolutions: [], aspect_ratios: ["auto", "16:9"], sound: "none", last_picture: "", base_price_usd: 1.2, price_unit: "output" },
      "5 s · auto, 16:9 · no sound · from $1.20 a clip"],
    [{ lengths_s: [], shortest_s: null, longest_s: null, base_price_usd: null }, "720p, 1080p · sound on or off · last picture"],
  ];
  for (const [changes, text] of table) assert.equal(modelSentence("a/b", modelFacts(changes)), text);
});

test("of a model that is not shipped the annotation says that it is asked when it runs", () => {
  assert.equal(modelSentence("x/y", undefined), "x/y: its description is read from RunComfy when it runs.");
  assert.match(modelSentence(null, undefined), /^Another node chooses the model/);
});

test("a custom id counts more than the choice, and a link more than both", () => {
  const node = (custom, linked) => ({
    widgets: [{ name: "model", value: "a/b" }, { name: "custom_model_id", value: custom }],
    inputs: [{ name: "model" }], isInputConnected: () => linked,
  });
  assert.equal(modelOf(node("", false)), "a/b");
  assert.equal(modelOf(node(" x/y ", false)), "x/y");
  assert.equal(modelOf(node("", true)), null);
});

test("widgets that a model has no use for are greyed and come back, and none is changed in value or taken from its owner", () => {
  const widget = (name, value, disabled = false) => ({ name, value, disabled, options: {} });
  const widgets = [widget("aspect_ratio", "model default"), widget("negative_prompt", "rain"), widget("audio", "on"), widget("seed", 0, true)];
  const greyed = () => widgets.map((one) => one.disabled);
  grey({ widgets }, ["aspect_ratio", "negative_prompt"]);
  assert.deepEqual(greyed(), [true, false, false, true], "a wish can be seen and cleared");
  widgets[1].value = "";
  grey({ widgets }, ["aspect_ratio", "negative_prompt"]);
  assert.deepEqual(greyed(), [true, true, false, true]);
  assert.equal(widgets[0].options.disabled, true);
  grey({ widgets }, []);
  assert.deepEqual(greyed(), [false, false, false, true]);
  assert.deepEqual(widgets.map((one) => one.value), ["model default", "", "on", 0]);
});

test("the seed of a new node stays as it is, whatever the front end calls the widget that would change it", () => {
  const control = { name: "fixed", value: "randomize", options: { values: ["fixed", "increment", "decrement", "randomize"] } };
  keepSeed({ widgets: [{ name: "fit", value: "crop", options: { values: ["crop", "pad"] } }, control] });
  assert.equal(control.value, "fixed");
  keepSeed({});
});

test("a row says what a job is and what it cost", () => {
  assert.equal(facts(job(), 30_000).join(" · "), "job-7 · 1280×720 · 4 s · seed 0 · $1.20 · just now");
  assert.equal(facts(job({ cost_usd: null }), 300_000).join(" · "), "job-7 · 1280×720 · 4 s · seed 0 · about $1.20 · 5 min ago");
  const waiting = (price_bound) => facts(job({ cost_usd: null, price_bound }), 0)[4];
  assert.deepEqual(["about", "at_least", "at_most", "at_least_for_the_longest"].map(waiting),
    ["about $1.20", "from $1.20", "up to $1.20", "from $1.20 at its longest"]);
  assert.equal(facts(job({ inputs: [], seed: "", cost_usd: null, expected_usd: null }), 7_200_000).join(" · "), "job-7 · 2 h ago");
  assert.match(ago(0, 10 * 86_400_000), /19(69|70)/);
});

test("a state that is not known here is shown as it is called", () => {
  assert.equal(chip(job({ state: "daydreaming" })).label, "daydreaming");
  assert.equal(chip(job({ is_clip_gone: true })).label, "file missing");
  assert.equal(chip(job({ state: "failed", is_released: true })).label, "failed, released");
});

test("what is being done comes before what went wrong, and that before what is known", () => {
  assert.equal(remark(job()), null);
  assert.equal(remark(job({ activity: "Downloading", trouble: "It broke." })).text, "Downloading");
  assert.equal(remark(job({ trouble: "It broke.", state: "failed", reason: "No." })).text, "It broke.");
  assert.match(remark(job({ state: "failed", reason: "Blocked." })).text, /^Blocked\. RunComfy charged/);
  assert.match(remark(job({ state: "failed", answer: "It still failed.", reason: "Blocked." })).text, /^It still failed\. Blocked\. RunComfy/);
  assert.match(remark(job({ state: "uncertain", reason: "It broke off." })).text, /adopt its request id/);
  assert.match(remark(job({ state: "uncertain", is_released: true })).text, /^Released: /);
});

test("which other machine has something of a job is said where there is one, and a clip that is there is not called missing", () => {
  assert.equal(machine(job()), "");
  assert.equal(machine(job({ state: "submitted", at_work_on: "render-2" })), "at work on render-2");
  const there = job({ has_clip: false, file_on: "render-2", actions: ["collect"] });
  assert.equal(machine(there), "file on render-2");
  assert.deepEqual([chip(there).label, chip(there).tone], ["saved", "good"]);
  assert.equal(chip(there).meaning, "The clip is saved on render-2. (downloaded)");
  assert.match(remark(there).text, /^The file is on render-2\..*collect it: there is no new charge\.$/);
  assert.equal(machine(job({ has_clip: false, file_on: "render-2", at_work_on: "render-3" })), "at work on render-3");
});

test("totals stand against the limit, also one of nothing and one that is passed", () => {
  const totals = { today_usd: 3.6, all_time_usd: 12, job_count: 1234, max_usd_per_day: null };
  const words = { today: "$3.60", allTime: "$12.00", jobs: (1234).toLocaleString(), share: null, tone: "" };
  assert.deepEqual(spending(totals), words);
  assert.equal(spending({ ...totals, max_usd_per_day: 7.2 }).share, 0.5);
  assert.equal(spending({ ...totals, max_usd_per_day: 7.2 }).today, "$3.60 of $7.20");
  assert.equal(spending({ ...totals, max_usd_per_day: 1 }).share, 1);
  assert.equal(spending({ ...totals, max_usd_per_day: 0 }).share, 1);
});

test("the bar of the daily limit warns when the limit is near, and says when it is reached", () => {
  const toneOf = (today, cap) => spending({ today_usd: today, all_time_usd: today, job_count: 1, max_usd_per_day: cap }).tone;
  assert.deepEqual([[1, 10], [7.9, 10], [8, 10], [9.9, 10], [10, 10], [11.2, 10], [0, 0], [5, null]].map(([a, b]) => toneOf(a, b)),
    ["", "", "warn", "warn", "bad", "bad", "bad", ""]);
});

test("states are in an artist's words, with the exact one in the tooltip, and every one can be chosen from the list", () => {
  const names = ["prepared", "submitting", "submitted", "completed", "downloaded", "rejected", "failed", "cancelled", "uncertain"];
  const words = ["not sent", "sending", "running", "ready", "saved", "refused", "failed", "cancelled", "needs you"];
  assert.deepEqual(names.map((state) => chip(job({ state })).label), words);
  for (const state of names) assert.match(chip(job({ state })).meaning, new RegExp(`\\. \\(${state}\\)$`));
  assert.deepEqual(stateChoices().flatMap(([, states]) => states.split(",")).filter(Boolean).sort(), [...names].sort());
});

test("the first page laid over a longer list brings what is new, changes what changed, drops what is gone, keeps what is older", () => {
  const ids = (jobs) => jobs.map((one) => one.id);
  const shown = [9, 8, 7, 6, 5].map((id) => job({ id }));
  const page = [10, 9, 7].map((id) => job({ id, state: "failed" }));
  assert.deepEqual(ids(merged(shown, page, true)), [10, 9, 7, 6, 5]);
  assert.equal(merged(shown, page, true)[1].state, "failed");
  assert.deepEqual(ids(merged(shown, page, false)), [10, 9, 7]);
  assert.deepEqual(merged(shown, [], false), []);
  assert.deepEqual(ids(merged(shown, [20, 19].map((id) => job({ id })), true)), [20, 19], "a gap is not hidden");
});

test("the words of the server are shown; an older server and a broken one are told apart", () => {
  assert.equal(sentence(409, { error: "No RunComfy token is set." }), "No RunComfy token is set.");
  assert.match(sentence(404, null), /older than this page/);
  assert.match(sentence(405, null), /Restart ComfyUI/);
  assert.match(sentence(500, {}), /answered with HTTP 500/);
});

const answering = (answer) => new Server({ apiURL: (path) => `/api${path}`, fetchApi: answer });

test("a server that cannot be reached is told in words, and nothing that is not JSON passes for an answer", async () => {
  await assert.rejects(answering(async () => { throw new TypeError("Failed to fetch"); }).get("/jobs"), new ServerError(unreachable()));
  await assert.rejects(answering(async () => new Response("<html>", { status: 200 })).get("/jobs"), ServerError);
});

test("only what changes something carries our header, and a tag spares an answer", async () => {
  const asked = [];
  const server = answering(async (path, options) => {
    asked.push([path, options.method ?? "GET", options.headers?.["X-Sora2Pro"], options.headers?.["If-None-Match"]]);
    return options.headers?.["If-None-Match"] ? new Response(null, { status: 304, headers: { ETag: "t" } }) : Response.json({ a: 1 });
  });
  await server.get("/jobs");
  await server.change("DELETE", "/token");
  assert.deepEqual(await server.getChanged("/jobs", "t"), { document: null, tag: "t" });
  assert.deepEqual(asked, [
    ["/sora2pro/jobs", "GET", undefined, undefined],
    ["/sora2pro/token", "DELETE", "1", undefined],
    ["/sora2pro/jobs", "GET", undefined, "t"],
  ]);
});

test("a token is described by its place and its end", () => {
  const token = { origin: "saved", variable: null, hint: "1234", has_saved: true, problem: "" };
  assert.equal(tokenSentence(token), "The token ends in …1234. It is saved on this server.");
  assert.match(tokenSentence({ ...token, origin: "environment", variable: "RUNCOMFY_TOKEN" }), /RUNCOMFY_TOKEN; change it there\. The token saved here is not used\./);
  assert.match(tokenSentence({ ...token, origin: "client", has_saved: false }), /command-line client/);
  assert.match(tokenSentence({ ...token, hint: "" }), /^The token is set\./);
  assert.equal(tokenSentence({ ...token, origin: "none", problem: "No RunComfy token is set." }), "No RunComfy token is set.");
  assert.match(sourceSentence({ value: 3, source: "environment", variable: "RUNCOMFY_MAX_PARALLEL" }), /RUNCOMFY_MAX_PARALLEL/);
});

test("where the journal and the archive are is said with how to change it", () => {
  const place = { address: "s3://bucket/clips", source: "environment", variable: "RUNCOMFY_ARCHIVE_URL" };
  assert.equal(placeSentence("archive", place),
    "Set by the environment variable RUNCOMFY_ARCHIVE_URL. To use another, change it there and restart ComfyUI.");
  assert.match(placeSentence("archive", { ...place, source: "file" }), /'archive_url' in settings\.json.*Change it there\./);
  const none = { address: "", source: "default", variable: "RUNCOMFY_JOURNAL_URL" };
  assert.match(placeSentence("journal", none), /in the state folder.*set RUNCOMFY_JOURNAL_URL before ComfyUI starts\./);
  assert.match(placeSentence("archive", { ...place, address: "", source: "default" }),
    /output folder alone.*set RUNCOMFY_ARCHIVE_URL before ComfyUI starts\./);
});

test("the address of a clip changes with the file, and its version cannot break out of it", () => {
  assert.equal(fileOf(job({ clip_version: "a1" }), "clip"), "/jobs/7/clip?v=a1");
  assert.notEqual(fileOf(job({ clip_version: "b2" }), "thumbnail"), fileOf(job({ clip_version: "a1" }), "thumbnail"));
  assert.equal(fileOf(job({ clip_version: "&x=/#" }), "clip"), "/jobs/7/clip?v=%26x%3D%2F%23");
});

test("an amount that is not a number is said to be unknown and breaks nothing", () => {
  assert.equal(facts(job({ cost_usd: null, expected_usd: null }), 0).join().includes("$"), false);
  assert.equal(spending({ today_usd: null, all_time_usd: null, job_count: 1, max_usd_per_day: null }).today, "price unknown");
});

test("a new node covers no other one and is seen, as long as there is room for it", () => {
  const seen = [0, 0, 2000, 1000];
  const touches = ([x, y], [width, height], box) => x < box[0] + box[2] && box[0] < x + width && y < box[1] + box[3] && box[1] < y + height;
  assert.deepEqual(freePlace([300, 400], seen, []), [850, 300]);
  const nodes = [[700, 200, 600, 600], [0, 0, 350, 1000]];
  const size = [300, 400];
  const place = freePlace(size, seen, nodes);
  assert.ok(nodes.every((box) => !touches(place, size, box)));
  assert.ok(place[0] >= 0 && place[0] + 300 <= 2000 && place[1] >= 0 && place[1] + 400 <= 1000);
  assert.ok(freePlace(size, seen, [[-100, -100, 3000, 2000]])[0] > 2900, "right of everything where nothing is free");
  assert.ok(freePlace([5000, 4000], seen, [[0, 0, 10, 10]]).every(Number.isFinite));
});

test("what a node says of an input is taken from ComfyUI's refusal of the graph, and nothing else is", () => {
  const errors = {
    "12:5": { errors: [{ type: "custom_validation_failed", details: "prompt - The prompt is empty. Nothing was sent." }] },
    6: { errors: [{ type: "value_not_in_list", details: "size: '1x1' not in list" }] },
    7: { errors: [] }, 8: null,
  };
  assert.deepEqual([...refusalsOf(errors)], [["12:5", "The prompt is empty. Nothing was sent."]]);
  for (const none of [undefined, null, {}, []]) assert.equal(refusalsOf(none).size, 0);
});

// What litegraph gives every node; the ones that stand for a subgraph have it for their outputs.
globalThis.LGraphNode = class {
  getInputLink(slot) {
    return this.links?.[slot] ?? null;
  }
};

test("a promoted widget is read from the node that stands for the subgraph, and two values of it are none", () => {
  const outer = (value, isLinked = false) => ({
    subgraph: null, widgets: [{ name: "seconds", value }], inputs: [{ name: "seconds" }], isInputConnected: () => isLinked,
    links: [{ origin_id: 4, origin_slot: 0 }], getInputLink: () => { throw new TypeError("there is no such output"); },
  });
  const given = (...outers) => {
    const subgraph = { inputs: [{ name: "image" }, { name: "seconds" }], rootGraph: { nodes: outers }, nodes: [] };
    for (const one of outers) one.subgraph = subgraph;
    const inner = {
      graph: subgraph, widgets: [{ name: "seconds", value: 4 }], inputs: [{ name: "seconds" }], isInputConnected: () => true,
      getInputLink: () => ({ origin_id: -10, origin_slot: 1 }),
    };
    return givenValue(inner, "seconds");
  };
  assert.equal(given(outer(8)), 8);
  assert.equal(given(outer(8), outer(8)), 8);
  assert.equal(given(outer(8), outer(12)), null);
  assert.equal(given(outer(8, true)), null);
});

test("inside of a subgraph, what a node is set to is known from outside, and not where two uses of it differ", () => {
  const input = { required: { prompt: ["STRING", {}], seconds: [["4"], {}] }, optional: { image: ["IMAGE", {}] } };
  const loader = (file) => ({ comfyClass: "LoadImage", mode: 0, inputs: [], widgets: [{ name: "image", value: file }] });
  const outer = (seconds, source) => ({
    widgets: [{ name: "seconds", value: seconds }], inputs: [{ name: "picture" }, { name: "seconds" }],
    isInputConnected: (slot) => slot === 0, graph: { getNodeById: () => source }, links: [{ origin_id: 1, origin_slot: 0 }],
    getInputLink: () => { throw new TypeError("there is no such output"); },
  });
  const known = (...outers) => {
    const subgraph = { inputs: [{ name: "picture" }, { name: "seconds" }], rootGraph: { nodes: outers }, nodes: [] };
    for (const one of outers) one.subgraph = subgraph;
    return inputsOf({
      comfyClass: "Sora2ProImageToVideo", mode: 0, constructor: { nodeData: { input } }, graph: subgraph,
      widgets: [{ name: "prompt", value: "A fox." }, { name: "seconds", value: 4 }], inputs: [{ name: "image" }, { name: "seconds" }],
      isInputConnected: () => true, getInputLink: (slot) => ({ origin_id: -10, origin_slot: slot }),
    });
  };
  const set = { node: "Sora2ProImageToVideo", values: { prompt: "A fox.", seconds: 8 }, files: { image: "fox.png" } };
  assert.deepEqual(known(outer(8, loader("fox.png"))), set);
  for (const unknown of [
    [outer(8, loader("fox.png")), outer(8, loader("gull.png"))], [outer(8, loader("fox.png")), outer(12, loader("fox.png"))],
    [outer(8, null)], [outer(8, { comfyClass: "EmptyImage", mode: 0, inputs: [], widgets: [] })],
  ]) assert.equal(known(...unknown), null);
});

test("a subgraph says what the clip nodes in it cost, and how far they are", () => {
  assert.equal(pricesLabel([]), "");
  assert.equal(pricesLabel(["$1.20"]), "$1.20");
  assert.equal(pricesLabel(["$1.20", "$1.20"]), "2 clip nodes, each $1.20");
  assert.equal(pricesLabel(["$1.20", "free rehearsal"]), "$1.20 + free rehearsal");
  const clip = { kind: "rendering", text: "Rendering… 3 s so far", fraction: 0.5, request_id: "r1" };
  assert.equal(stateLabel([state({ phase: "done" }), state({ clips: [clip] })]), "Rendering… 3 s so far");
  assert.equal(stateLabel([state({ phase: "failed" })]), "Failed");
  assert.equal(stateLabel([state({ phase: "done" })]), "");
});

test("a row that is gone while the list is shown keeps nothing else from being shown", async () => {
  const said = [];
  const panel = Object.assign(Object.create(JobsPanel.prototype), {
    _isClosed: false, _asked: 0, element: { isConnected: true }, _question: () => ({}), _say: (text) => said.push(text), _draw: () => {}, _again: () => {},
    _jobs: [...Array.from({ length: 50 }, (_, index) => job({ id: 100 - index })), job({ id: 3, activity: "Downloading" })],
    _server: { getChanged: async () => ({ tag: "t", document: null }), get: async () => { throw new Error("There is no such job."); } },
  });
  globalThis.document = { hidden: false };
  await panel._load();
  await panel._load();
  delete globalThis.document;
  assert.equal(said.at(-1), "");
});

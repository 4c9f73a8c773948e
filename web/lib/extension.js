// @ts-check
/** The extension as one value: what ComfyUI calls, and when. */

import { Cards } from "./cards.js";
import { Models } from "./models.js";
import { Notices } from "./notices.js";
import { Outlooks } from "./outlook.js";
import { JobsPanel } from "./panel.js";
import { Questions } from "./questions.js";
import { Prices } from "./prices.js";
import { watchRefusals } from "./refusals.js";
import { Runs } from "./runs.js";
import { keepSeed } from "./seed.js";
import { Server } from "./server.js";
import { settings } from "./settings.js";
import { States } from "./states.js";
import { Subgraphs } from "./subgraphs.js";
import { say } from "./words.js";

const IMAGE_TO_VIDEO = "Sora2ProImageToVideo";
const ANY_MODEL = "RunComfyImageToVideo";
export const STATUS = "Sora2ProStatus";
const EVENT = "sora2pro.progress";
const TAB = "sora2pro.jobs";

/**
 * @param {any} app ComfyUI's application.
 * @param {any} api ComfyUI's connection to its server.
 */
export function extension(app, api) {
  const server = new Server(api);
  const questions = new Questions(app, server);
  const cards = new Cards(app, api, server, questions);
  const notices = new Notices(app);
  const models = new Models(app, server);
  const runs = new Runs(app, api);
  const outlooks = new Outlooks(server);
  const prices = new Prices(app, server, outlooks, runs);
  const subgraphs = new Subgraphs(cards, prices);
  // What events have brought. The cards may know a state before, from the server's memory, which tells it to every page.
  const events = new States();

  return {
    name: "RunComfy.Sora2Pro",

    settings: settings(server),

    commands: [
      {
        id: "Sora2Pro.ShowJobs",
        label: say("Show RunComfy clips"),
        icon: "pi pi-video",
        function: () => app.extensionManager.sidebarTab?.toggleSidebarTab?.(TAB),
      },
    ],

    async setup() {
      addStyles();
      runs.watch();
      watchRefusals(api, (refusals) => cards.refuse(refusals));
      app.extensionManager.registerSidebarTab(tab(app, api, server));
      api.addEventListener(EVENT, (/** @type {CustomEvent} */ event) => {
        cards.take(event.detail);
        if (!events.take(event.detail)) return;
        notices.take(event.detail);
        questions.take(event.detail);
        runs.take(event.detail);
      });
      api.addEventListener("reconnected", () => {
        outlooks.forget();
        cards.load();
      });
      // The queue has moved, so that something may have been bought or collected, and a model described anew.
      api.addEventListener("status", () => {
        outlooks.forget();
        models.forget();
      });
      await cards.load();
    },

    /** @param {any} node */
    nodeCreated(node) {
      const kind = node.comfyClass ?? node.constructor?.comfyClass;
      if (node.subgraph) subgraphs.attach(node);
      if (kind === ANY_MODEL) models.attach(node);
      const card = [IMAGE_TO_VIDEO, ANY_MODEL, STATUS].includes(kind) ? cards.attach(node) : null;
      if (kind === IMAGE_TO_VIDEO || kind === ANY_MODEL) {
        keepSeed(node);
        for (const one of [prices, runs, outlooks]) one.attach(node, /** @type {import("./card.js").Card} */ (card));
      }
    },

    afterConfigureGraph() {
      cards.refresh();
    },
  };
}

/** @param {any} app @param {any} api @param {Server} server */
function tab(app, api, server) {
  /** @type {JobsPanel | null} */
  let panel = null;
  return {
    id: TAB,
    icon: "pi pi-video",
    title: say("RunComfy clips"),
    tooltip: say("RunComfy clips: jobs and spending"),
    type: "custom",
    /** @param {HTMLElement} element */
    render(element) {
      panel?.close();
      panel = new JobsPanel(app, api, server);
      element.replaceChildren(panel.element);
      panel.open();
    },
    destroy() {
      panel?.close();
      panel = null;
    },
  };
}

function addStyles() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../sora2pro.css", import.meta.url).href;
  document.head.append(link);
}

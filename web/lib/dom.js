// @ts-check
/** Elements in one line. */

import { say } from "./words.js";

/**
 * @param {string} tag `div.some-class`
 * @param {Record<string, any>} [properties] Attributes; `on…` is a listener, null leaves one out.
 * @param {...(Node | string | false | null | undefined)} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

/**
 * Change a text only where it differs: a screen reader reads every change, and a selection survives.
 *
 * @param {Element} element @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const COPIED_MS = 1500;
const ARMED_MS = 5000;

/** @param {string} label @param {() => string} text */
export function copyButton(label, text) {
  const button = h("button.s2p-copy", { type: "button", title: label, "aria-label": label }, h("i.pi.pi-copy"));
  button.addEventListener("click", async () => {
    const done = await copy(text());
    button.firstElementChild.className = done ? "pi pi-check" : "pi pi-times";
    button.title = done ? say("Copied") : say("The browser blocked copying");
    setTimeout(() => {
      button.firstElementChild.className = "pi pi-copy";
      button.title = label;
    }, COPIED_MS);
  });
  return button;
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no clipboard on plain http beyond this machine, but there is the old way.
    const area = h("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    // A dialog takes the focus back from what is outside of it.
    (focused?.closest("[role=dialog]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}

/**
 * A button that must be pressed twice.
 *
 * @param {string} label @param {string} question @param {() => void} act
 * @param {string} [subject] What it is about.
 */
export function confirmButton(label, question, act, subject = "") {
  const button = h("button.s2p-button", { type: "button" });
  let isArmed = false;
  let timer = 0;
  const show = (/** @type {string} */ text) => {
    setText(button, text);
    if (subject) button.setAttribute("aria-label", named(text, subject));
  };
  const disarm = () => {
    clearTimeout(timer);
    isArmed = false;
    button.classList.remove("s2p-armed");
    show(label);
  };
  show(label);
  button.addEventListener("click", () => {
    if (isArmed) {
      disarm();
      act();
      return;
    }
    isArmed = true;
    // Not every browser gives a button that is clicked the focus, which it could lose.
    timer = window.setTimeout(disarm, ARMED_MS);
    button.classList.add("s2p-armed");
    show(question);
  });
  button.addEventListener("blur", disarm);
  return button;
}

/**
 * The name of a button, for those who hear it and do not see where it stands.
 *
 * @param {string} action @param {string} subject
 */
export function named(action, subject) {
  return say("{action} {subject}", { action, subject });
}

const KEPT_KEYS = new Set(["Delete", "Backspace", " ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);

/**
 * Keep keys that are pressed in an element from the canvas: ComfyUI deletes the selected node on Delete, and moves it with the
 * arrows, wherever the focus is.
 *
 * @param {HTMLElement} element
 */
export function keepKeys(element) {
  element.addEventListener("keydown", (event) => {
    if (KEPT_KEYS.has(event.key) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
}

/**
 * Make controls one tab stop: arrows, Home and End go from one to the next, and Tab returns to the last one. See the toolbar
 * pattern of the ARIA Authoring Practices, https://www.w3.org/WAI/ARIA/apg/patterns/toolbar/.
 *
 * @param {HTMLElement} element Around them.
 * @param {HTMLElement[]} controls
 */
export function oneTabStop(element, controls) {
  const stopAt = (/** @type {HTMLElement | undefined} */ stop) => {
    for (const control of controls) control.tabIndex = control === stop ? 0 : -1;
  };
  stopAt(controls[0]);
  element.addEventListener("focusin", (event) => {
    const control = controls.find((one) => one === event.target);
    if (control) stopAt(control);
  });
  element.addEventListener("keydown", (event) => {
    const at = controls.findIndex((one) => one === event.target);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: controls.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    controls[(to + controls.length) % controls.length].focus();
  });
}

// @ts-check
/** The one file of the web extension that does something when it is imported: it registers. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { extension } from "./lib/extension.js";
import { useLocale } from "./lib/words.js";

// Nothing is drawn before: ComfyUI waits for the modules of all extensions, and has read its settings by then.
await useLocale(app.extensionManager?.setting?.get?.("Comfy.Locale") ?? app.ui?.settings?.getSettingValue?.("Comfy.Locale"));
app.registerExtension(extension(app, api));

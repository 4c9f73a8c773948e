// @ts-check
/** The one file of the web extension that does something when it is imported: it registers. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { extension } from "./lib/extension.js";

app.registerExtension(extension(app, api));

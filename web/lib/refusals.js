// @ts-check
/** Why ComfyUI does not run a node of ours: it says that itself only behind an icon, and the card says it where one looks. */

/**
 * @param {any} api ComfyUI's connection to its server.
 * @param {(refusals: Map<string, string>) => void} tell Hears of every attempt to run a graph: sentences by the ids of nodes.
 */
export function watchRefusals(api, tell) {
  const queuePrompt = api.queuePrompt;
  api.queuePrompt = async function (/** @type {any[]} */ ...values) {
    try {
      const answer = await queuePrompt.apply(this, values);
      tell(refusalsOf(answer?.node_errors));
      return answer;
    } catch (error) {
      tell(refusalsOf(/** @type {any} */ (error)?.response?.node_errors));
      throw error;
    }
  };
}

/**
 * What our nodes say of their inputs, in the form of ComfyUI's answer to a graph: `prompt - The prompt is empty.`
 *
 * @param {any} nodeErrors
 * @returns {Map<string, string>}
 */
export function refusalsOf(nodeErrors) {
  const found = new Map();
  for (const [id, node] of Object.entries(nodeErrors ?? {})) {
    const own = (/** @type {any} */ (node)?.errors ?? []).find((/** @type {any} */ one) => one?.type === "custom_validation_failed");
    const sentence = String(own?.details ?? "").replace(/^\w+ - /, "");
    if (sentence) found.set(id, sentence);
  }
  return found;
}

/** @import { Api } from "./api.js" */
/** @import { DaemonEvent } from "./types.ts" */

/** The daemon sends something every 15 s. After three such times of silence it is gone. */
const SILENCE_MS = 45_000;

/**
 * Reads the daemon's events until the connection ends. It uses fetch, because an EventSource cannot
 * send a token.
 *
 * @param {Api} api
 * @param {AbortSignal} stop
 * @param {() => void} onOpen
 * @param {(event: DaemonEvent) => void} onEvent
 */
export async function followEvents(api, stop, onOpen, onEvent) {
  const silence = new AbortController();
  const signal = AbortSignal.any([stop, silence.signal]);
  const headers = { accept: "text/event-stream" };
  const response = await api.send("GET", "/v1/events", { headers, signal });
  onOpen();
  const texts = response.body?.pipeThrough(new TextDecoderStream());
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  let rest = "";
  try {
    for await (const text of texts ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined) onEvent(JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

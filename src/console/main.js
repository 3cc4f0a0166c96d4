/** @import { Panel } from "./views.ts" */
import { Api, Refused, Unreachable } from "./api.js";
import { settlingBoard } from "./board.js";
import { Live } from "./live.js";
import { scopePage } from "./scope_page.js";
import { shell } from "./shell.js";
import { tickAll } from "./ticking.js";
import { forgetToken, storeToken, takeToken } from "./token.js";
import { tokenPage } from "./token_page.js";

const BOARD = { href: "#/", title: "Settling board" };
const TICK_MS = 1000;

const frame = shell([BOARD], () => {
  forgetToken();
  requestToken(undefined);
});
/** @type {Live | undefined} */
let live;
/** @type {Panel | undefined} */
let panel;

/** @param {string | undefined} refusal */
function requestToken(refusal) {
  panel?.stop();
  live?.stop();
  panel = undefined;
  live = undefined;
  frame.tokenKnown(false);
  frame.show(
    tokenPage(refusal, (token) => {
      storeToken(token);
      open(token);
    }),
    "Token",
  );
}

/** @param {string} token */
function open(token) {
  const api = new Api(token);
  const connected = new Live(
    api,
    (connection) => {
      frame.connected(connection);
      if (connection.state === "refused") requestToken(connection.why);
    },
    (scope) => panel?.changed(scope),
  );
  live = connected;
  frame.tokenKnown(true);
  frame.connected(connected.connection);
  route(api, connected);
  connected.start();
}

/** @param {unknown} error */
function refused(error) {
  // The connection shows when the daemon is away, and comes back by itself.
  if (error instanceof Unreachable || live === undefined) return;
  if (error instanceof Refused && error.status !== 401 && error.status !== 403) return;
  requestToken(error instanceof Error ? error.message : String(error));
}

/**
 * @param {Api} api
 * @param {Live} connected
 */
function route(api, connected) {
  panel?.stop();
  const scope = /^#\/scopes\/([a-z0-9][a-z0-9._-]{0,63})$/.exec(location.hash)?.[1];
  panel = scope === undefined
    ? settlingBoard(api, connected, refused)
    : scopePage(api, connected, refused, scope);
  frame.show(panel.element, panel.title, scope === undefined ? BOARD.href : undefined);
}

addEventListener("hashchange", () => {
  const token = takeToken();
  if (token === undefined) return requestToken(undefined);
  if (live?.api.token !== token) {
    live?.stop();
    return open(token);
  }
  route(live.api, live);
  frame.main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
setInterval(tickAll, TICK_MS);

const token = takeToken();
if (token === undefined) requestToken(undefined);
else open(token);

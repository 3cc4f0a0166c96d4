/** @import { Connection } from "./types.ts" */
import { el, setText } from "./dom.js";
import { stateMark } from "./marks.js";

/**
 * The frame around every panel: where the reader is and can go, and whether the panel is up to date.
 *
 * @param {readonly { href: string, title: string }[]} panels
 * @param {() => void} onForget Called when the reader wants the token forgotten
 */
export function shell(panels, onForget) {
  const main = el("main", { id: "main", tabindex: "-1" });
  const links = panels.map(({ href, title }) => el("a", { href }, title));
  const connection = stateMark();
  const status = el("div", { class: "connection", role: "status" }, connection.element);
  const forget = el("button", { type: "button", class: "quiet", click: onForget }, "Forget token");
  const banner = el("div", { class: "banner", role: "alert" });
  banner.hidden = true;
  const nav = el("nav", { "aria-label": "Panels" }, ...links, el("a", { href: "/docs" }, "API"));
  const header = el("header", { class: "shell" }, brand(), nav, status, forget);
  const footer = el(
    "footer",
    {},
    "In the curl lines ",
    el("code", {}, "$INNKEEPER_TOKEN"),
    " is the first line of the daemon's token file.",
  );
  document.body.append(skipLink(main), header, main, footer, banner);
  let isKnown = false;
  forget.hidden = true;
  return {
    main,
    /**
     * @param {HTMLElement} element
     * @param {string} title
     * @param {string} [href] The panel's own link
     */
    show(element, title, href) {
      main.replaceChildren(element);
      document.title = `${title} – Innkeeper`;
      for (const link of links) {
        if (link.getAttribute("href") === href) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
    /** @param {boolean} known */
    tokenKnown(known) {
      isKnown = known;
      forget.hidden = !known;
      status.hidden = !known;
      footer.hidden = !known;
      if (!known) banner.hidden = true;
    },
    /** @param {Connection} to */
    connected(to) {
      if (!isKnown) return;
      connection.update(CONNECTIONS[to.state]);
      banner.hidden = to.state !== "lost";
      main.toggleAttribute("data-stale", to.state === "lost");
      if (to.state === "lost") {
        setText(
          banner,
          "The daemon does not answer. What is shown may be old; the page goes on by itself.",
        );
      }
    },
  };
}

function brand() {
  return el(
    "a",
    { class: "brand", href: "#/" },
    el("img", { src: "/console/icon.svg", alt: "" }),
    el("b", {}, "Innkeeper"),
    el("span", {}, location.host),
  );
}

/** @param {HTMLElement} main */
function skipLink(main) {
  const skip = (/** @type {Event} */ event) => {
    event.preventDefault();
    main.focus();
  };
  return el("a", { class: "skip", href: "#main", click: skip }, "Skip to content");
}

/** @type {Readonly<Record<Connection["state"], import("./labels.js").State>>} */
const CONNECTIONS = {
  connecting: { mark: "wait", word: "Connecting" },
  live: { mark: "ok", word: "Live" },
  slow: { mark: "wait", word: "Every 2 s" },
  lost: { mark: "lost", word: "No connection" },
  refused: { mark: "bad", word: "Refused" },
};

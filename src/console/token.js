const KEY = "innkeeper-token";

/**
 * The token of this tab. One in the address is moved to the session's storage, because in the
 * address it would stay in the history and be copied along.
 *
 * @returns {string | undefined}
 */
export function takeToken() {
  const inAddress = /^#token=([^&]+)/.exec(location.hash)?.[1];
  if (inAddress !== undefined) {
    storeToken(decoded(inAddress));
    history.replaceState(null, "", `${location.pathname}#/`);
  }
  return sessionStorage.getItem(KEY) ?? undefined;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} token */
export function storeToken(token) {
  sessionStorage.setItem(KEY, token);
}

/** Forgets the token of this tab. */
export function forgetToken() {
  sessionStorage.removeItem(KEY);
}

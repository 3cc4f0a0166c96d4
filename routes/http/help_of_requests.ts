/** What the problems of requests come from, and what to do: cause and advice of each code. */
export const HELP_OF_REQUESTS = {
  "malformed-request": [
    "The path, the query, a header or the body cannot be read: something is missing, unknown " +
    "or of the wrong type.",
    "Read `detail` and `issues`: they name the place and what would be right there. " +
    "`/openapi.json` describes every request.",
  ],
  "wrong-length": [
    "The body does not have as many bytes as the range, or as a generation has.",
    "Send exactly as many bytes as `detail` names.",
  ],
  "bad-name": [
    "Names have 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.",
    "Choose a name of these characters, such as `vm-7`.",
  ],
  "value-not-allowed": [
    "The request can be read, but a value in it is out of bounds or none of those that are known.",
    "Read `detail` and `issues`: they name the value and what is allowed.",
  ],
  "token-missing": [
    "A request over TCP has to say who calls, and this one did not.",
    "Send `Authorization: Bearer TOKEN` with a token of the token file, or call over the " +
    "unix socket.",
  ],
  "token-unknown": [
    "The token is not in the token file: it is mistyped, or was removed since.",
    "Get a token from whoever operates the host; the file is read anew on SIGHUP.",
  ],
  "not-permitted": [
    "The caller is known, and may not do this, or not to what has this name.",
    "Use a token that has the permission that `detail` names, or ask the operator for it.",
  ],
  "host-not-allowed": [
    "The Host header names another machine, as it does when a page of the web was led to " +
    "this address.",
    "Call by a name of this host, or start the daemon with `--allow-host NAME`.",
  ],
  "origin-not-allowed": [
    "A page of another origin made the request. Other pages may not call, so that none can " +
    "act for its visitor.",
    "Call from a page that this daemon serves, or from a program.",
  ],
  "no-such-path": [
    "Nothing is at this path.",
    "Look the path up in `/openapi.json` or at `/docs`.",
  ],
  "method-not-allowed": [
    "The path exists, but not for this method.",
    "Use a method that the header `Allow` names.",
  ],
  "body-too-large": [
    "The body has more bytes than this operation takes.",
    "Send it in parts, such as several ranges or fewer items; `detail` names the limit.",
  ],
  "wrong-media-type": [
    "The body is of another type than the operation reads.",
    "Send the Content-Type that `/openapi.json` names for the operation, mostly " +
    "`application/json`.",
  ],
  "ticket-unknown": [
    "A ticket is good once, for some seconds, and for the origin that asked for it.",
    "Get a new ticket by `POST /v1/tickets` and open the WebSocket with it at once.",
  ],
  "listener-not-found": [
    "No socket of this name was made at run time, or it was deleted.",
    "Make it with `PUT /v1/listeners/NAME`; `GET /v1/listeners` shows which there are.",
  ],
  "listeners-exhausted": [
    "Too many sockets were made at run time.",
    "Delete those that nobody needs with `DELETE /v1/listeners/NAME`.",
  ],
  "path-taken": [
    "Something is at the path already. It is never replaced.",
    "Remove it, if nobody needs it, or choose another path.",
  ],
  "path-unusable": [
    "A socket cannot be placed at the path: its folder is missing or closed to the daemon, or it is " +
    "on another file system than the run folder.",
    "Read `detail`. Make the folder, or start the daemon with `--run` on the file system of the path.",
  ],
  "tickets-exhausted": [
    "Too many tickets were asked for and not used yet.",
    "Use the tickets or let them expire, which takes some seconds, and ask again.",
  ],
  "key-reused": [
    "The Idempotency-Key came with another request before.",
    "Use a new key for a new request. To repeat a request, send exactly the same one.",
  ],
  "answer-not-kept": [
    "The request was carried out when the key came first, and its answer has made room for " +
    "later ones.",
    "Do not repeat it. Look at what it was to change.",
  ],
  "connections-exhausted": [
    "The daemon, or this caller, has as many connections open as its file descriptors allow.",
    "Close connections that are not used, try again, or raise `ulimit -n` of the daemon.",
  ],
  "keys-exhausted": [
    "All room for Idempotency-Keys is taken by requests that were made within the last " +
    "minutes. Nothing was done.",
    "Try again with the same key after the seconds of `Retry-After`.",
  ],
  "followers-exhausted": [
    "Too many streams of events are open.",
    "Close a stream, or read events in pages with `Accept: application/json`.",
  ],
  "range-not-satisfiable": [
    "The range begins behind the end of the content, or has no byte.",
    "Ask for a range below the size that `Content-Range` names.",
  ],
  "internal-error": [
    "Innkeeper made a mistake. The log of the daemon has it under the `X-Request-Id` of this " +
    "answer.",
    "Tell the operator, with that id. Look whether the change was made before it is tried again.",
  ],
  "shutting-down": [
    "The daemon is stopping or has not started yet. What was waited for is not proved by " +
    "this answer.",
    "Try again after the seconds of `Retry-After`: it comes back after a restart.",
  ],
  "state-unavailable": [
    "The daemon cannot write its state, so it refuses whatever it could not remember. Mostly " +
    "its disk is full or failing.",
    "Free space for the state folder or mend its disk, then try again.",
  ],
} as const;

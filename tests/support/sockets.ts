/** For commands that are to open no WebSocket. */
export function noSocket(): never {
  throw new Error("this command opens no WebSocket");
}

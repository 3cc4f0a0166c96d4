/** One request after the other over one connection, with as little as possible around them. */

const HEADERS_END = "\r\n\r\n";

/** The text of a request. */
export function requestText(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): Uint8Array<ArrayBuffer> {
  const lines = Object.entries({ ...headers, "content-length": String(body.length) });
  const head = lines.map(([name, value]) => `${name}: ${value}`).join("\r\n");
  return new TextEncoder().encode(
    `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${head}${HEADERS_END}${body}`,
  );
}

/** Sends the same request again and again, each after the answer to the one before. */
export async function repeat(
  port: number,
  request: Uint8Array<ArrayBuffer>,
  untilMs: number,
): Promise<number> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const buffer = new Uint8Array(16 * 1024);
  const decoder = new TextDecoder();
  let answered = 0;
  while (performance.now() < untilMs) {
    await connection.write(request);
    let text = "";
    while (!isWhole(text)) {
      const count = await connection.read(buffer);
      if (count === null) throw new Error("the server closed the connection");
      text += decoder.decode(buffer.subarray(0, count));
    }
    if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
    answered++;
  }
  return answered;
}

function isWhole(text: string): boolean {
  const end = text.indexOf(HEADERS_END);
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  return text.length >= end + HEADERS_END.length + Number(length ?? 0);
}

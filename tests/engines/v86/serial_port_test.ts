import { assert, assertEquals } from "@std/assert";
import { SERIAL_BACKLOG_BYTES } from "../../../src/core/limits.ts";
import { SerialPort } from "../../../src/engines/v86/serial_port.ts";

class FakeUart {
  readonly input: number[] = [];
  fifo_control = 1;

  data_received(byte: number): void {
    this.input.push(byte);
  }
}

function port() {
  const uart = new FakeUart();
  const reported: Uint8Array[] = [];
  return { uart, reported, port: new SerialPort(uart, (bytes) => reported.push(bytes)) };
}

Deno.test("SerialPort.flush() reports nothing more before its last report was heard", () => {
  const { reported, port: line } = port();
  line.wrote(1);
  line.flush();
  line.wrote(2);
  line.wrote(3);
  line.flush();
  assertEquals(reported.map((bytes) => [...bytes]), [[1]]);
  line.heard();
  line.flush();
  assertEquals(reported.map((bytes) => [...bytes]), [[1], [2, 3]]);
  line.heard();
  line.flush();
  assertEquals(reported.length, 2);
});

Deno.test("SerialPort.isFull holds the guest at half of the backlog, until it is heard", () => {
  const { reported, port: line } = port();
  line.wrote(0);
  line.flush();
  for (let i = 0; i < SERIAL_BACKLOG_BYTES / 2; i++) line.wrote(i);
  assert(!line.isFull);
  line.wrote(0);
  assert(line.isFull);
  line.flush();
  assert(line.isFull);
  line.heard();
  line.flush();
  assert(!line.isFull);
  assertEquals(reported.at(-1)?.length, SERIAL_BACKLOG_BYTES / 2 + 1);
});

Deno.test("SerialPort.feed() gives a FIFO 16 bytes, none one, and waits until they are taken", async () => {
  const { uart, port: line } = port();
  const sent: string[] = [];
  const all = [
    line.send(Uint8Array.from({ length: 20 }, (_, i) => i)).then(() => sent.push("first")),
    line.send(Uint8Array.of(90, 91)).then(() => sent.push("second")),
  ];
  line.feed();
  assertEquals(uart.input.length, 16);
  line.feed();
  assertEquals(uart.input.length, 16);
  uart.input.length = 0;
  uart.fifo_control = 0;
  line.feed();
  assertEquals(uart.input, [16]);
  uart.input.length = 0;
  uart.fifo_control = 1;
  line.feed();
  assertEquals(uart.input, [17, 18, 19, 90, 91]);
  await Promise.all(all);
  assertEquals(sent, ["first", "second"]);
});

Deno.test("SerialPort.held is what the UART holds, and goes into another one", () => {
  const from = port();
  void from.port.send(Uint8Array.of(1, 2));
  from.port.feed();
  const to = port();
  to.port.held = from.port.held;
  assertEquals(to.uart.input, [1, 2]);
});

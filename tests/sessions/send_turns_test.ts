import { assertEquals } from "@std/assert";
import { ANSWERS_PER_TURN, CHANGES_PER_TURN } from "../../src/core/limits.ts";
import { SendTurns } from "../../src/sessions/send_turns.ts";

function bench() {
  const scheduled: (() => void)[] = [];
  const turns = new SendTurns((turn) => scheduled.push(turn));
  const sent: string[] = [];
  const sender = (name: string) => ({ flush: () => sent.push(name) });
  return { turns, scheduled, sent, sender, turn: () => scheduled.shift()?.() };
}

Deno.test("SendTurns lets changes go before answers, and answers before news", () => {
  const { turns, sent, sender, turn } = bench();
  turns.add(sender("news"), "news");
  turns.add(sender("answer"), "answer");
  turns.add(sender("change"), "change");
  turn();
  assertEquals(sent, ["change", "answer", "news"]);
});

Deno.test("SendTurns gives a sender one turn, at its most urgent", () => {
  const { turns, sent, sender, turn } = bench();
  const [a, b] = [sender("a"), sender("b")];
  turns.add(a, "news");
  turns.add(b, "answer");
  turns.add(a, "change");
  turns.add(a, "answer");
  turn();
  assertEquals(sent, ["a", "b"]);
});

Deno.test("SendTurns lets input in after each portion", () => {
  const { turns, sent, sender, turn, scheduled } = bench();
  for (let n = 0; n < CHANGES_PER_TURN * 2 + 1; n++) turns.add(sender(`s${n}`), "change");
  const portions: number[] = [];
  while (scheduled.length > 0) {
    turn();
    portions.push(sent.length);
  }
  assertEquals(portions, [CHANGES_PER_TURN, CHANGES_PER_TURN * 2, CHANGES_PER_TURN * 2 + 1]);
});

Deno.test("SendTurns forgets a sender that is gone", () => {
  const { turns, sent, sender, turn } = bench();
  const gone = sender("gone");
  turns.add(gone, "change");
  turns.delete(gone);
  turn();
  assertEquals(sent, []);
});

Deno.test("SendTurns answers only a few at a time, so that confirmations come first", () => {
  const { turns, sent, sender, turn, scheduled } = bench();
  for (let n = 0; n < ANSWERS_PER_TURN + 1; n++) turns.add(sender(`s${n}`), "answer");
  turn();
  assertEquals([sent.length, scheduled.length], [ANSWERS_PER_TURN, 1]);
});

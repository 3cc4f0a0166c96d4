import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { Owner } from "../../../src/guests/guest/owner.ts";

Deno.test("Owner.require() knows the owner's token only (case 26)", () => {
  const owner = new Owner("g", "a");
  owner.require("a");
  for (const token of ["b", "", "aa", undefined]) {
    assertEquals(assertThrows(() => owner.require(token), Fault).code, "not-owner");
  }
});

Deno.test("Owner.change() takes the guest from its owner", () => {
  const owner = new Owner("g", "a");
  owner.change("b");
  assertEquals([owner.matches("a"), owner.matches("b")], [false, true]);
});

Deno.test("Owner.onChange() says when somebody else becomes the owner, until it is no longer wanted", () => {
  const owner = new Owner("g", "one");
  let changes = 0;
  const stop = owner.onChange(() => {
    changes++;
    assertEquals([owner.matches("one"), owner.matches("two")], [false, true]);
  });
  owner.change("two");
  stop();
  owner.change("three");
  assertEquals(changes, 1);
});

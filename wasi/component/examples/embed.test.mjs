// The example, over what `jco transpile` has made of the component. GOCACHE_TRANSPILED is its folder.

import assert from "node:assert/strict";
import test from "node:test";

import { Cache } from "./embed.mjs";

const { engine } = await import(`${process.env.GOCACHE_TRANSPILED}/gocache_component.js`);

const loads = [];
let gate = Promise.resolve();
const cache = new Cache(engine, { name: "scores", budget: 1 << 20, deadline: 50 }, async (key) => {
  loads.push(key);
  await gate;
  if (key === "broken") throw new Error("the database is down");
  if (key === "hanging") await new Promise(() => {});
  return key === "Ann" ? undefined : new TextEncoder().encode(`score of ${key}`);
});
const get = async (key) => new TextDecoder().decode(await cache.get(key));

test("a value is loaded once", async () => {
  assert.equal(await get("Tom"), "score of Tom");
  assert.equal(await get("Tom"), "score of Tom");
  assert.deepEqual(loads.splice(0), ["Tom"]);
});

test("a hundred who ask at once make one load", async () => {
  let open;
  gate = new Promise((resolve) => (open = resolve));
  const all = Array.from({ length: 100 }, () => get("Jack"));
  open();
  assert.deepEqual(new Set(await Promise.all(all)), new Set(["score of Jack"]));
  assert.deepEqual(loads.splice(0), ["Jack"]);
  assert.equal(cache.stats().waits, 99n);
});

test("several are asked for in one call", async () => {
  loads.splice(0);
  const before = cache.stats().hits;
  const keys = ["Tom", "Sam", "", "Jörg", "Sam", "Ann", "k".repeat(8_193)];
  const all = await Promise.allSettled(cache.getAll(keys));
  const said = all.map(({ value, reason }) => reason?.message ?? new TextDecoder().decode(value));
  const score = (key) => `score of ${key}`;
  assert.deepEqual(said.slice(0, 5), ["Tom", "Sam", "", "Jörg", "Sam"].map(score));
  assert.deepEqual(said.slice(5), ["not-found", "key-too-long"]);
  assert.deepEqual(loads.splice(0), ["Sam", "", "Jörg", "Ann"]);
  assert.equal(cache.stats().hits - before, 1n);
  assert.deepEqual(cache.getAll([]), []);
});

test("what has no value says why, and is asked for anew", async () => {
  await assert.rejects(get("Ann"), { message: "not-found" });
  await assert.rejects(get("broken"), { message: "failed" });
  await assert.rejects(get("k".repeat(8_193)), { message: "key-too-long" });
  await assert.rejects(get("Ann"), { message: "not-found" });
  assert.deepEqual(loads.splice(0), ["Ann", "broken", "Ann"]);
});

test("a load that hangs is given up at its deadline", async () => {
  const ticks = setInterval(() => cache.tick(), 10);
  await assert.rejects(get("hanging"), { message: "timed-out" });
  clearInterval(ticks);
});

test("what was removed is loaded anew", async () => {
  loads.splice(0);
  assert.equal(cache.remove("Tom"), true);
  assert.equal(cache.remove("Tom"), false);
  assert.equal(await get("Tom"), "score of Tom");
  assert.deepEqual(loads, ["Tom"]);
});

test("a host that breaks the protocol is told so", () => {
  assert.throws(() => new Cache(engine, { name: "large", budget: 2 ** 40 }, () => {}));
});

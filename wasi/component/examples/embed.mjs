// A read-through cache in a JavaScript program: the component's own world (../wit/node.wit), which
// imports nothing, so that what jco makes of it runs without any shim.
//
//     cargo build --release -p gocache-component --target wasm32-wasip2
//     npx @bytecodealliance/jco transpile target/wasm32-wasip2/release/gocache_component.wasm -o gocache
//
//     import { engine } from "./gocache/gocache_component.js";
//     const scores = new Cache(engine, { name: "scores", budget: 64 << 20 }, async (key) => ...);
//     const tom = await scores.get("Tom");

const bytes = (text) => new TextEncoder().encode(text);
const now = () => BigInt(Math.trunc(performance.now()));

export class Cache {
  #engine;
  #load;
  #waiting = new Map();
  #next = 0n;

  /**
   * One group. `load` brings the bytes of a key, or undefined where there is no such key. Times are in
   * milliseconds; without a lifetime values do not age.
   */
  constructor(engine, { name, budget, lifetime, deadline = 5_000 }, load) {
    const group = {
      name: bytes(name),
      budget: BigInt(budget),
      eviction: "s3-fifo",
      lifetime: lifetime && BigInt(lifetime),
      jitter: 0,
      keyBytes: 8_192n,
      flights: 1_024n,
      waiters: 16_384n,
      loadDeadline: BigInt(deadline),
    };
    const [seed] = crypto.getRandomValues(new BigUint64Array(1));
    engine.configure([group], undefined, seed);
    this.#engine = engine;
    this.#load = load;
  }

  /** The bytes of a key; of all who ask for one that is not cached, one loads it. */
  async get(key) {
    const waiter = this.#next++;
    return this.#answer(key, waiter, this.#engine.get(0, bytes(key), "client", waiter, now()));
  }

  /** The same of several keys, in one call: a promise of each, in their order. */
  getAll(keys) {
    const all = keys.map((key) => ({ key, bytes: bytes(key), waiter: this.#next++ }));
    const asks = all.map((it) => ({ group: 0, keyBytes: it.bytes.length, asker: "client", waiter: it.waiter }));
    const joined = Uint8Array.from(all.flatMap((it) => [...it.bytes]));
    const got = this.#engine.getBatch(asks, joined, now());
    // What is missing at the end had no memory, and was not asked for.
    const missing = { tag: "err", val: { tag: "out-of-memory" } };
    return all.map(({ key, waiter }, at) => this.#answer(key, waiter, got[at] ?? missing));
  }

  async #answer(key, waiter, got) {
    if (got.tag === "err") throw new Error(got.val.tag);
    const answer = got.val;
    if (answer.tag === "hit") return answer.val.value;
    const told = new Promise((resolve, reject) => this.#waiting.set(waiter, { resolve, reject }));
    if (answer.tag === "fetch") this.#fetch(key, answer.val);
    return told;
  }

  /** Gives up loads that are over their deadline. To be called every few tens of milliseconds. */
  tick() {
    for (let done; (done = this.#engine.overdue(now())); ) this.#tell(done);
  }

  remove(key) {
    return this.#engine.remove(0, bytes(key), now());
  }

  stats() {
    return this.#engine.stats()[0];
  }

  async #fetch(key, fetch) {
    let outcome, value;
    try {
      value = await this.#load(key);
      outcome = value
        ? { tag: "ok", val: { value, age: 0n, lifetime: undefined } }
        : { tag: "err", val: "not-found" };
    } catch {
      outcome = { tag: "err", val: "failed" };
    }
    // Alone, without a ring, a load that has landed is done.
    this.#tell(this.#engine.land(fetch, outcome, now()).val, value);
  }

  #tell({ outcome, waiters }, value) {
    for (const waiter of waiters) {
      const { resolve, reject } = this.#waiting.get(waiter);
      this.#waiting.delete(waiter);
      if (outcome.tag === "ok") resolve(value);
      else reject(new Error(outcome.val.tag));
    }
  }
}

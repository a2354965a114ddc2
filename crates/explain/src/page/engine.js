// The engine: the library itself, as WebAssembly. It takes a request as JSON and gives the reply.

/** An engine that has started. */
class Engine {
  /** Starts one from the text of a compressed module. */
  static async from(text) {
    const module = await WebAssembly.compile(await unpacked(text, "gzip"));
    return new Engine(module, await WebAssembly.instantiate(module, {}));
  }

  constructor(module, instance) {
    this.module = module;
    this.exports = instance.exports;
  }

  /** The reply to a request. What the engine refuses is thrown, with its reason. */
  ask(request) {
    const reply = JSON.parse(this.exchange(JSON.stringify(request)));
    if (reply.error) throw new Error(reply.error);
    return reply;
  }

  exchange(text) {
    const { exports } = this;
    try {
      const bytes = new TextEncoder().encode(text);
      const place = exports.request(bytes.length);
      new Uint8Array(exports.memory.buffer, place, bytes.length).set(bytes);
      const length = exports.reply();
      return new TextDecoder().decode(new Uint8Array(exports.memory.buffer, exports.reply_at(), length));
    } catch (error) {
      // A module that stopped is in no state to go on: a new one answers what comes next.
      this.exports = new WebAssembly.Instance(this.module, {}).exports;
      throw new Error(`the engine stopped: ${error.message}`);
    }
  }
}

// What a page has compressed: its program, its data, its engine.

/** The bytes that a text in base 85 has compressed, by gzip or as zlib has it: deflate. */
async function unpacked(text, format) {
  const bytes = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream(format));
  return new Response(bytes).arrayBuffer();
}

/** The digits of base 85. */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

/** The bytes of a text in base 85: five letters are four bytes, and fewer at the end one less than they are. */
function bytesOf(text) {
  const digit = new Uint8Array(128);
  [...DIGITS].forEach((letter, at) => { digit[letter.charCodeAt(0)] = at; });
  const whole = text.padEnd(Math.ceil(text.length / 5) * 5, DIGITS.at(-1));
  const bytes = new DataView(new ArrayBuffer((whole.length / 5) * 4));
  for (let at = 0; at < whole.length; at += 5) {
    let word = 0;
    for (let k = at; k < at + 5; k += 1) word = word * 85 + digit[whole.charCodeAt(k)];
    bytes.setUint32((at / 5) * 4, word);
  }
  return new Uint8Array(bytes.buffer, 0, bytes.byteLength - (whole.length - text.length));
}

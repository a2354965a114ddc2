// Numbers as people have them: JSON, CSV, or what NumPy and PyTorch print.

/**
 * Reads pasted text: `{"logits": [[1, 2]]}` gives tensors by name; anything else one tensor, which
 * goes to `name`. Throws an error that says what is wrong.
 */
function pasted(text, name) {
  const trimmed = text.trim();
  if (trimmed === "") throw new Error("there are no numbers");
  if (trimmed.startsWith("{")) {
    return Object.fromEntries(Object.entries(fromObject(trimmed)).map(([name, value]) => [name, nested(value, name)]));
  }
  return { [name]: trimmed.includes("[") ? nested(fromBrackets(trimmed), name) : fromLines(trimmed, name) };
}

/** Refuses a text with a number beyond those that there are: it would become infinite, and nobody be told. */
function within(text) {
  const beyond = text.replace(/"[^"]*"/g, "").match(/\d[\d.]*(?:e[+-]?\d+)?/gi)?.find((digits) => Number(digits) === Infinity);
  if (beyond) throw new RangeError(`${beyond} is beyond the range of numbers, which ends at 1.8e308: infinity is written "Infinity"`);
  return text;
}

/** JSON whose numbers there are. */
function parsed(text) {
  return JSON.parse(within(text));
}

/** An object of JSON. NaN and Infinity, as Python writes them, are words. */
function fromObject(text) {
  const words = text.replace(/"[^"]*"|-?\b(?:NaN|Infinity)\b/g, (part) => (part.startsWith('"') ? part : `"${part}"`));
  try {
    return parsed(words);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new Error('braces, names or numbers do not fit together: expected {"logits": [[1, 2], [3, 4]]}');
  }
}

/** Brackets of JSON, or of NumPy: `array([[1., 2.], [3., 4.]])`, `[[1. 2.]\n [3. 4.]]`. */
function fromBrackets(text) {
  const inner = text.slice(text.indexOf("["), text.lastIndexOf("]") + 1);
  const numbers = inner.replaceAll("−", "-").replace(/\b(nan|inf|infinity)\b/gi, (word) => `"${/nan/i.test(word) ? "NaN" : "Infinity"}"`)
    .replaceAll(/-\s*"Infinity"/g, '"-Infinity"')
    // 1. and .5 are numbers elsewhere; blanks separate where there is no comma.
    .replace(/(\d)\.(?=[\s,\]eE])/g, "$1.0").replace(/(^|[\s,[\-+])\.(\d)/g, "$10.$2").replace(/(^|[\s,[])\+(?=\d)/g, "$1")
    .replace(/([\d"\]])\s+(?=[-\d"[])/g, "$1,").replace(/,\s*\]/g, "]");
  try {
    return parsed(numbers);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new Error("brackets or numbers do not fit together: expected [[1, 2], [3, 4]]");
  }
}

/** Lines of numbers with commas, semicolons, tabs or blanks between them; a first line of words is a header. */
function fromLines(text, name) {
  const rows = within(text).split(/\r?\n/).filter((line) => line.trim() !== "").map((line) => line.trim().split(/\s*[,;\t]\s*|\s+/));
  if (rows.length > 1 && rows[0].every((word) => Number.isNaN(numberOf(word)))) rows.shift();
  const numbers = rows.map((row, i) => row.map((word, j) => {
    const x = numberOf(word);
    if (Number.isNaN(x) && !/^nan$/i.test(word)) throw new Error(`${name}: line ${i + 1}, number ${j + 1}: “${word}” is no number`);
    return exactly(x);
  }));
  return nested(numbers.length === 1 ? numbers[0] : numbers.every((row) => row.length === 1) ? numbers.flat() : numbers, name);
}

function numberOf(word) {
  const plain = word.replaceAll("−", "-").replace("∞", "inf");
  const infinite = /^([+-]?)inf(inity)?$/i.exec(plain);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  return plain === "" ? NaN : Number(plain);
}

/** Checks that lists are rectangular; gives them back. */
function nested(value, name) {
  shapeOf(value, name);
  return value;
}

/** The shape of nested lists. */
function shapeOf(value, name) {
  if (!Array.isArray(value)) {
    if (typeof value !== "number" && !["NaN", "Infinity", "-Infinity"].includes(value)) throw new Error(`${name}: ${JSON.stringify(value)} is no number`);
    return [];
  }
  if (value.length === 0) throw new Error(`${name} is empty`);
  const shapes = value.map((row, i) => shapeOf(row, `${name}[${i}]`));
  const other = shapes.findIndex((shape) => shape.join() !== shapes[0].join());
  if (other > 0) throw new Error(`${name}[${other}] has shape [${shapes[other].join(", ")}], and ${name}[0] has [${shapes[0].join(", ")}]`);
  return [value.length, ...shapes[0]];
}

/** A number as a request has it: what JSON has no number for is a word. */
function exactly(x) {
  return Number.isFinite(x) ? x : String(x);
}

/** Nested lists with one element, counted in row-major order, replaced. */
function replaced(value, shape, element, x) {
  if (shape.length === 0) return exactly(x);
  const inner = numel(shape.slice(1));
  return value.map((row, i) => (i === Math.floor(element / inner) ? replaced(row, shape.slice(1), element % inner, x) : row));
}

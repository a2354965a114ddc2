// Numbers as text, and elements of the document.

/** Four significant digits, without trailing zeros: as in the listing. */
function number(value) {
  const x = Number(value);
  if (x === 0) return "0";
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const digits = 3 - Math.floor(Math.log10(Math.abs(x)));
  const text = digits < -2 || digits > 8 ? x.toExponential(3) : x.toFixed(Math.max(digits, 0));
  const short = text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
  return short.replaceAll("-", "−");
}

/** How many there are of something: `1 step`, `2 steps`. */
function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${Number(count) === 1 ? one : many}`;
}

/** The number of elements of a shape. */
function numel(shape) {
  return shape.reduce((product, len) => product * len, 1);
}

/** The index of an element that is counted in row-major order: `[1, 2]`; empty for a scalar. */
function indexText(shape, element) {
  if (shape.length === 0) return "";
  const index = [];
  let rest = element;
  for (const len of [...shape].reverse()) {
    index.unshift(rest % len);
    rest = Math.floor(rest / len);
  }
  return `[${index.join(", ")}]`;
}

/**
 * A formula that may go over several lines: an operator stays with what follows it, and what is long
 * breaks after a bracket or a comma, so that no number is broken.
 */
function formula(text) {
  return text.split(/(?<!(?:^|\s)[·+−×/=→]) /).flatMap((part, at) => {
    const whole = part.length <= 24 ? html("span", { class: "whole" }, part)
      : part.split(/(?<=[([,])/).flatMap((piece, k) => (k > 0 ? [html("wbr"), piece] : [piece]));
    return at > 0 ? [" ", whole] : [whole];
  });
}

/** An element of HTML; a child is an element or text. */
function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of SVG. An attribute that is no number is left out, and the element marked: see `drawable`. */
function svg(tag, attributes = {}, ...children) {
  const isLost = ([name, value]) => !name.startsWith("aria-") && (typeof value === "number" ? !Number.isFinite(value) : typeof value === "string" && /NaN|Infinity/.test(value));
  const lost = Object.entries(attributes).filter(isLost).map(([name]) => [name, null]);
  const known = lost.length > 0 ? { ...attributes, ...Object.fromEntries(lost), "data-lost": "" } : attributes;
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), known, children);
}

/** A drawing; where something of it lies nowhere, since a number is not finite or too large, a sentence that says so. */
function drawable(drawing, what) {
  return drawing?.querySelector("[data-lost]") ? html("p", { class: "hint" }, `No drawing: ${what} holds numbers that are not finite, or too large.`) : drawing;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === ""));
  return element;
}

/** A button with a click handler. Where its text is a sign and no word, the label is its name. */
function button(text, label, onclick, attributes = {}) {
  const name = /\p{L}/u.test(text) ? null : label;
  return html("button", { type: "button", "aria-label": name, title: label, onclick, ...attributes }, text);
}

/** Replaces the children of an element. If a control had the focus, its replacement has it. */
function replaceChildren(element, ...children) {
  const controls = () => [...element.querySelectorAll("button, summary")];
  const focused = controls().indexOf(document.activeElement);
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  controls()[focused]?.focus({ preventScroll: true });
}

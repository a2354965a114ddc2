// Numbers as text, and elements of the document.

/** Four significant digits, without zeros that say nothing: as the listing has them. */
function number(given) {
  const x = Number(given);
  if (x === 0) return "0";
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const digits = 3 - Math.floor(Math.log10(Math.abs(x)));
  const text = digits < -2 || digits > 8 ? x.toExponential(3) : x.toFixed(Math.max(digits, 0));
  const short = text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
  return short.replaceAll("-", "−");
}

/** The place of an element, counted in the order of rows: `[1, 2]`; nothing for a single number. */
function place(shape, element) {
  if (shape.length === 0) return "";
  const at = [];
  let left = element;
  for (const len of [...shape].reverse()) {
    at.unshift(left % len);
    left = Math.floor(left / len);
  }
  return `[${at.join(", ")}]`;
}

/** An element of HTML; a child is an element or text. */
function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === ""));
  return element;
}

/** A button that does something. */
function button(text, label, press, attributes = {}) {
  return html("button", { type: "button", "aria-label": label, title: label, onclick: press, ...attributes }, text);
}

/** Puts other children into an element. If a control had the focus, the one in its place has it. */
function refilled(element, ...children) {
  const controls = () => [...element.querySelectorAll("button, summary")];
  const focused = controls().indexOf(document.activeElement);
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  controls()[focused]?.focus({ preventScroll: true });
}

// Tensors: a grid of numbers for a small one, a heat map and a histogram for a large one.

/** The color of a number in a heat map: its size relative to the largest. */
function shade(value, most) {
  const x = Number(value);
  if (!Number.isFinite(x)) return "--shade: 1; --ink: var(--alarm); color: var(--ground)";
  const part = most > 0 ? Math.min(Math.abs(x) / most, 1) : 0;
  return `--shade: ${(0.5 * part).toFixed(3)}; --ink: var(${x < 0 ? "--minus" : "--plus"})`;
}

function largest(numbers) {
  return numbers.map(Number).filter(Number.isFinite).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/**
 * A tensor with a caption. `choose(element)` is called when an element is clicked; `chosen` is the
 * selected one.
 */
function tensor(caption, shown, { choose = null, chosen = null, can = () => true } = {}) {
  const shape = shown.shape.length ? `[${shown.shape.join(", ")}]` : "one number";
  const head = html("figcaption", {}, html("b", {}, caption), ` ${shape}`);
  const body = shown.numbers ? grid(caption, shown, choose, chosen, can) : summary(shown);
  return html("figure", { class: "tensor" }, head, body);
}

function grid(caption, { shape, numbers }, choose, chosen, can) {
  const most = largest(numbers);
  const columns = shape.length ? shape[shape.length - 1] : 1;
  const wide = columns > 8 ? 8 : Math.max(columns, 1);
  const cells = numbers.map((x, element) => {
    const index = indexText(shape, element);
    const attributes = { class: "cell", style: shade(x, most), title: `${index} ${x}`, "data-element": element };
    if (!choose || !can(element)) return html("span", attributes, number(x));
    const label = `${number(x)}, ${caption} ${index}: show its paths`;
    const pressed = String(element === chosen);
    return html("button", { ...attributes, type: "button", "aria-label": label, "aria-pressed": pressed,
      onclick: () => choose(element) }, number(x));
  });
  return html("div", { class: "grid", style: `--columns: ${wide}` }, byMatrix(shape, cells));
}

/** The cells of a tensor, with the index of each matrix over its rows where there are several. */
function byMatrix(shape, cells) {
  const size = (shape.at(-1) ?? 1) * (shape.at(-2) ?? 1);
  if (shape.length < 3 || size === 0) return cells;
  const title = (at) => html("span", { class: "matrix" }, indexText(shape.slice(0, -2), at / size).replace("]", ", ·, ·]"));
  return cells.flatMap((cell, at) => (at % size === 0 ? [title(at), cell] : [cell]));
}

function summary(shown) {
  // Cells are hundredths of the largest mean.
  const cells = shown.heat.flat().map((x) => html("i", { style: shade(x, 100), title: number((x / 100) * shown.most) }));
  const heat = html("div", { class: "heat", style: `--columns: ${shown.heat[0].length}; --rows: ${shown.heat.length}`, role: "img",
    "aria-label": "heat map of means" }, cells);
  const height = Math.max(...shown.bars, 1);
  const bars = shown.bars.map((bar) => html("i", { style: `height: ${(100 * bar) / height}%`, title: String(bar) }));
  const nonFinite = shown.nonFinite ? `, ${shown.nonFinite} not finite` : "";
  const statistics = `mean ${number(shown.mean)}, ${counted(shown.zeros, "zero")}${nonFinite}`;
  return html("div", { class: "summary" }, heat,
    html("div", { class: "distribution" },
      html("div", { class: "bars", role: "img", "aria-label": "histogram" }, bars),
      html("div", { class: "ends" }, html("span", {}, number(shown.low)), html("span", {}, number(shown.high))),
      html("div", {}, statistics)));
}

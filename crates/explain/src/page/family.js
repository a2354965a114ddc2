// What a loss is about, drawn: by its own row, or by its family as boxes and points, which can be
// dragged, as ranked lists, or as pictures.

/**
 * The view of a family, or null. `gradient(name)` gives the gradient of an input as far as it is known;
 * `change(inputs)` is called when something is dragged.
 */
function familyView(live, gradient, change) {
  if (live.figure) return figureCard(live.figure);
  const found = FAMILY_VIEWS.find(({ fits }) => fits(live));
  if (!found) return null;
  const drawing = drawable(found.draw(live, { gradient, change }), "an input");
  return drawing && html("section", { class: "card family", "aria-label": found.title }, html("h2", {}, found.title), drawing,
    html("p", { class: "hint" }, found.hint));
}

/** The figure of a loss, which the engine draws. */
function figureCard({ title, about, panels }) {
  const drawing = (caption) => ({ title: name, width, height, body }) => {
    const chart = svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${name}, ${caption}` });
    chart.innerHTML = body;
    return chart;
  };
  return html("section", { class: "card family figure", "aria-label": title }, html("h2", {}, title), html("p", { class: "hint" }, about),
    panels.map(({ caption, charts }) => html("figure", { class: "tensor" }, html("figcaption", {}, caption), html("div", { class: "charts" }, charts.map(drawing(caption))))));
}

const FAMILY_VIEWS = [
  { title: "The probabilities", hint: "The softmax of each row: the probability of each class. Bold: the label's; −ln of it is the row's loss. The arrow says whether descent lifts a score.",
    fits: ({ softmaxNll, inputs }) => softmaxNll && inputs.find(({ name }) => name === softmaxNll.scores).shape.length === 2, draw: drawProbabilities },
  { title: "The boxes", hint: "Solid: the prediction; dashed: the target. Drag a corner. Arrows: where a step of descent would move it.",
    fits: ({ family, inputs }) => family === "detection" && inputs.slice(0, 2).every(({ shape }) => shape.at(-1) === 4), draw: drawBoxes },
  { title: "The ranked list", hint: "By score, best first; bars are the relevance. The arrow says whether descent lifts an item.",
    fits: ({ family, inputs }) => family === "ranking" && inputs.length > 1 && inputs[0].shape.length <= 2, draw: drawLists },
  { title: "The pictures", hint: "The first channel of the first picture; of the gradient, blue is where more raises the loss, orange where it lowers it.",
    fits: ({ family, inputs }) => family === "pictures" && inputs[0].shape.length === 4, draw: drawPictures },
  { title: "The triplets", hint: "Each in the plane through its three points, so distances are true. Drag a point. Arrows: where a step of descent would move it. The circle is as far from the anchor a as the positive p and the margin: a negative n inside of it costs.",
    fits: ({ inputs, options }) => TRIPLET.every((name) => inputs.some((each) => each.name === name && each.shape.length === 2 && each.shape[1] > 1))
      && options.every(({ name, value }) => name !== "p" || Number(value) === 2), draw: drawTriplets },
  { title: "The points", hint: "The first two features: where there are more, distances are longer than those seen. Drag a point. Arrows: where a step of descent would move it.",
    fits: ({ family, inputs }) => ["embedding", "self_supervised"].includes(family) && inputs[0].moves && inputs[0].shape.length === 2 && inputs[0].shape[1] > 1, draw: drawPoints },
];

const FAMILY_COLORS = ["var(--plus)", "var(--minus)", "var(--both)", "var(--leaf-line)", "#1a936f", "#b0578d"];

/** The numbers of an input as rows of its last axis. */
function rowsOf(live, name) {
  const input = live.inputs.find((each) => each.name === name);
  const width = input.shape.at(-1) ?? 1;
  const numbers = flat(live.numbers[name]).map(Number);
  return Array.from({ length: numbers.length / width }, (_, i) => numbers.slice(i * width, (i + 1) * width));
}

/** A plane in which points of some coordinates have places, with y up or down. */
function plane(xs, ys, { down = false, size: [width, height] = [380, 270], space = 26 } = {}) {
  const range = (values) => { const [low, high] = [Math.min(...values), Math.max(...values)]; return high > low ? [low, high] : [low - 1, high + 1]; };
  const [[x0, x1], [y0, y1]] = [range(xs), range(ys)];
  const scale = Math.min((width - 2 * space) / (x1 - x0), (height - 2 * space) / (y1 - y0));
  const x = (value) => width / 2 + (value - (x0 + x1) / 2) * scale;
  const y = (value) => height / 2 + (value - (y0 + y1) / 2) * scale * (down ? 1 : -1);
  return { width, height, scale, x, y, up: down ? 1 : -1 };
}

/** A handle that is dragged in units of a plane. */
function handle(drawing, at, { scale, up }, attributes, moved) {
  const dot = svg("circle", { cx: at[0], cy: at[1], r: 6, class: "handle", ...attributes });
  dot.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    let before = [event.clientX, event.clientY];
    const zoom = drawing().getScreenCTM().a;
    const move = (next) => {
      const by = [(next.clientX - before[0]) / zoom / scale, ((next.clientY - before[1]) / zoom / scale) * up];
      before = [next.clientX, next.clientY];
      moved(by);
    };
    // The view is drawn anew with each move, so that the window has to listen.
    addEventListener("pointermove", move);
    addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
  });
  return dot;
}

/** An arrow from a point along minus a gradient; how long the longest of a view is. */
function downhill([x, y], [dx, dy], most, up, longest = 40) {
  const long = Math.hypot(dx, dy);
  if (!(long > 0) || !Number.isFinite(long) || most === 0) return null;
  const [tx, ty] = [x - (longest * dx) / most, y - ((longest * dy) / most) * up];
  return svg("path", { class: "downhill", d: `M${x} ${y}L${tx.toFixed(1)} ${ty.toFixed(1)}`, "marker-end": "url(#arrow)" });
}

function drawBoxes(live, { gradient, change }) {
  const [prediction, target] = live.inputs;
  const [ours, theirs] = [prediction, target].map(({ name }) => rowsOf(live, name));
  const all = [...ours, ...theirs];
  const space = plane(all.flatMap(([a, , c]) => [a, c]), all.flatMap(([, b, , d]) => [b, d]), { down: true });
  const rect = ([a, b, c, d], attributes) => svg("rect", { x: space.x(Math.min(a, c)), y: space.y(Math.min(b, d)), width: Math.abs(c - a) * space.scale, height: Math.abs(d - b) * space.scale, ...attributes });
  const slopes = gradient(prediction.name);
  const most = largest(slopes ?? []);
  let drawing = null;
  const corner = (box, i, at, color) => {
    const [x, y] = [space.x(box[at]), space.y(box[at + 1])];
    return [slopes && downhill([x, y], [slopes[4 * i + at], slopes[4 * i + at + 1]], most, 1),
      handle(() => drawing, [x, y], space, { style: `fill: ${color}` }, ([dx, dy]) => {
        box[at] += dx;
        box[at + 1] += dy;
        let numbers = live.numbers[prediction.name];
        [0, 1].forEach((k) => { numbers = replaced(numbers, prediction.shape, 4 * i + at + k, rounded(box[at + k])); });
        live.numbers[prediction.name] = numbers;
        change({ [prediction.name]: numbers });
      })];
  };
  drawing = svg("svg", { class: "plot scene", viewBox: `0 0 ${space.width} ${space.height}`, role: "img", "aria-label": `${counted(ours.length, "predicted box", "predicted boxes")} and their targets` },
    ours.map((box, i) => {
      const color = FAMILY_COLORS[i % FAMILY_COLORS.length];
      return [rect(box, { fill: color, "fill-opacity": 0.18, stroke: color, "stroke-width": 2 }),
        theirs[i] && rect(theirs[i], { fill: "none", stroke: color, "stroke-width": 2, "stroke-dasharray": "6 4" })];
    }), ours.map((box, i) => [0, 2].map((at) => corner(box, i, at, FAMILY_COLORS[i % FAMILY_COLORS.length]))));
  return drawing;
}

function drawProbabilities(live, { gradient }) {
  const { scores, labels } = live.softmaxNll;
  const truth = flat(live.numbers[labels]).map(Number);
  const slopes = gradient(scores);
  const list = (row, i) => {
    // Shifted by the maximum, as the loss does it: so that no power overflows.
    const shifted = row.map((score) => score - Math.max(...row));
    const sum = shifted.map(Math.exp).reduce((total, power) => total + power, 0);
    const classes = html("ol", { class: "ranked classes" }, shifted.map((score, c) => {
      const p = Math.exp(score) / sum;
      return html("li", { class: c === truth[i] ? "true" : null }, html("span", { class: "item" }, `${c}`),
        html("span", { class: "bar plus" }, html("i", { style: `width: ${100 * p}%` })),
        html("span", { class: "contribution" }, `${number(p)} ${uphill(slopes?.[i * row.length + c])}`));
    }));
    const label = shifted[truth[i]];
    const caption = label === undefined ? `${i}` : `${i}: −ln ${number(Math.exp(label) / sum)} = ${number(Math.log(sum) - label)}`;
    return html("figure", { class: "tensor" }, html("figcaption", {}, caption), classes);
  };
  return html("div", { class: "lists" }, rowsOf(live, scores).slice(0, 8).map(list));
}

/** Whether descent lifts a score, as a sign; none before its slope is computed. */
function uphill(slope) {
  return slope === undefined ? "" : slope < 0 ? "▲" : slope > 0 ? "▼" : "·";
}

function drawLists(live, { gradient }) {
  const [scores, relevance] = live.inputs;
  const [s, t] = [rowsOf(live, scores.name), rowsOf(live, relevance.name)];
  const keep = live.inputs.some(({ name }) => name === "keep") ? rowsOf(live, "keep") : null;
  // Padding is in no list.
  const isItem = (i) => ({ score, item }) => !(scores.padded && score === -Infinity) && keep?.[i][item] !== 0;
  const slopes = gradient(scores.name);
  const most = Math.max(...t.flat().map(Math.abs), 1e-9);
  const list = (row, i) => html("ol", { class: "ranked" }, row.map((score, item) => ({ score, item })).filter(isItem(i)).sort((a, b) => b.score - a.score).map(({ score, item }) => {
    return html("li", {}, html("span", { class: "item" }, `${item}`), html("span", { class: "bar plus" }, html("i", { style: `width: ${(100 * Math.abs(t[i]?.[item] ?? 0)) / most}%` })),
      html("span", { class: "contribution" }, `${number(score)} ${uphill(slopes?.[i * row.length + item])}`));
  }));
  return html("div", { class: "lists" }, s.slice(0, 4).map(list));
}

function drawPictures(live, { gradient }) {
  const shown = live.inputs.filter(({ shape }) => shape.length === 4);
  const image = (title, numbers, [, , height, width], style) => html("figure", { class: "tensor" }, html("figcaption", {}, title),
    html("div", { class: "heat", style: `--columns: ${width}; --rows: ${height}`, role: "img", "aria-label": title }, numbers.slice(0, height * width).map((x) => html("i", { style: style(x), title: number(x) }))));
  const gray = (x) => `background: rgb(${[0, 0, 0].map(() => Math.round(255 * Math.max(0, Math.min(1, x)))).join(" ")})`;
  const slopes = gradient(shown[0].name);
  const most = slopes ? largest(slopes) : 0;
  return html("div", { class: "tensors" }, shown.map(({ name, shape }) => image(name, flat(live.numbers[name]).map(Number), shape, gray)),
    slopes && image(`gradient in ${shown[0].name}`, slopes, shown[0].shape, (x) => shade(x, most)));
}

// One element of an input: the paths whose contributions add up to its gradient, and the curve of the loss.

/** The card of an element; `mark(edges)` highlights a path in the drawing. */
function elementCard(data, input, element, marked, mark) {
  const node = data.nodes[input.node];
  const at = input.elements.indexOf(element);
  const name = `${node.name}${indexText(node.value.shape, element)}`;
  const gradient = node.gradient.numbers?.[element];
  const found = input.curves[at];
  const contributions = (input.paths ?? []).map((path) => ({ path, contribution: Number(path.contributions[at]) }))
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  const rest = input.rest ? Number(input.rest[at]) : null;
  const total = contributions.reduce((sum, { contribution }) => sum + contribution, 0) + (rest ?? 0);
  const most = largest([...contributions.map(({ contribution }) => contribution), rest ?? 0]);
  const zero = contributions.filter(({ contribution }) => contribution === 0);
  const nonzero = contributions.filter(({ contribution }) => contribution !== 0);
  const rows = nonzero.map(({ path, contribution }) => pathRow(data, path, contribution, most, marked, mark));
  if (zero.length > 0) {
    rows.push(html("li", { class: "path rest" }, html("span", { class: "contribution" }, "0"), bar(0, most),
      html("span", { class: "ops" }, zero.length === 1 ? "one more path, which contributes 0" : `${zero.length} more paths, which contribute 0`)));
  }
  if (rest !== null) {
    rows.push(html("li", { class: "path rest" }, html("span", { class: "contribution" }, number(rest)), bar(rest, most),
      html("span", { class: "ops" }, `the other ${counted(input.count - contributions.length, "path")} together`)));
  }
  const unfollowed = data.live ? "paths that the engine follows, which is still starting," : "paths that the page has no room for,";
  const how = input.count === 1 ? "one path" : input.paths ? counted(input.count, "path") : unfollowed;
  return html("section", { class: "card element", "aria-label": `the gradient in ${name}` },
    html("h3", {}, `∂L/∂${name} = `, html("b", { class: "sum", "data-sum": total }, number(gradient ?? input.gradients?.[at] ?? total)),
      html("small", {}, ` along ${how} from ${node.name} to the loss`)),
    html("ol", { class: "paths" }, rows),
    found && curve(name, found));
}

/** Buttons for the elements of a large input with the largest gradients. */
function largestOf(node, input, chosen, choose) {
  const sums = input.elements.map((element, at) => ({ element, sum: Number(input.gradients[at]) }));
  const most = sums.sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, 12);
  return html("div", { class: "largest" }, most.map(({ element, sum }) => button(
    `${indexText(node.value.shape, element)} ${number(sum)}`, "show the paths of this element", () => choose(element),
    { class: "cell", "data-element": element, "aria-pressed": String(element === chosen),
      "aria-label": null, style: shade(sum, Math.abs(most[0].sum)) })));
}

function pathRow(data, path, contribution, most, marked, mark) {
  const ops = [...path.edges].reverse().map(([node]) => data.nodes[node]);
  const passesOn = ({ inputs, value }) => inputs.length === 1 && value.numbers !== undefined
    && String(value.numbers) === String(data.nodes[inputs[0].node].value.numbers);
  const all = ops.filter((node) => !node.transparent && !passesOn(node)).map(({ op }) => op);
  const names = (all.length > 10 ? [...all.slice(0, 4), "…", ...all.slice(-4)] : all).join(" → ");
  const is = marked === path.edges;
  return html("li", { class: "path" }, html("button", { type: "button", "aria-pressed": String(is),
    title: ops.map(({ name, formula }) => `${name} = ${formula}`).join("\n"),
    onclick: () => mark(is ? [] : path.edges) },
    html("span", { class: "contribution", "data-contribution": contribution }, number(contribution)), bar(contribution, most),
    html("span", { class: "ops" }, formula(names || "the loss itself"))));
}

function bar(contribution, most) {
  const part = most > 0 ? Math.abs(contribution) / most : 0;
  return html("span", { class: `bar ${contribution < 0 ? "minus" : "plus"}` }, html("i", { style: `width: ${(100 * part).toFixed(1)}%` }));
}

/** Loss and slope over an element; the dot is where it is now, rings are kinks. Or why there is none. */
function curve(name, { why, current, values, slopes, pieces, kinks }) {
  if (why) return html("p", { class: "hint" }, why);
  const now = current.map(Number);
  return html("div", { class: "curves" }, plot(`loss over ${name}`, pieces, kinks, now, values, 1, "loss"), plot("its slope", pieces, kinks, now, slopes, 2, "slope"));
}

function plot(title, pieces, kinks, now, shown, row, kind) {
  const [width, height, left, top, bottom] = [380, 100, 8, 5, 20];
  const xs = pieces.flat().map(([x]) => x);
  const ys = [...shown, ...(Number.isFinite(now[row]) ? [now[row]] : [])];
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [low, high] = [Math.min(...ys), Math.max(...ys)];
  if (high - low < 1e-12 * Math.max(1, Math.abs(high))) [low, high] = [low - 1, high + 1];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - 2 * left);
  // Halves, so that the span of huge numbers does not overflow.
  const y = (value) => top + 4 + ((high / 2 - value / 2) / (high / 2 - low / 2)) * (height - top - bottom - 8);
  const line = (piece) => piece.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[row]).toFixed(1)}`).join("");
  const rings = kinks.flat().map((point) => svg("circle", { class: "kink", cx: x(point[0]), cy: y(point[row]), r: 3.5 }));
  const zero = low < 0 && high > 0 ? svg("line", { class: "axis", x1: left, x2: width - left, y1: y(0), y2: y(0) }) : null;
  const text = (at, anchor, said) => svg("text", { x: at, y: height - 5, "text-anchor": anchor }, said);
  const caption = html("p", { class: "hint" }, html("b", {}, `${title}: ${number(now[row])}`), ` from ${number(low)} to ${number(high)}`);
  return [caption, svg("svg", { class: `plot ${kind}`, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${title}: ${number(now[row])} where it is now; from ${number(low)} to ${number(high)}` },
    zero, svg("line", { class: "axis", x1: left, x2: width - left, y1: height - bottom, y2: height - bottom }),
    svg("line", { class: "now", x1: x(now[0]), x2: x(now[0]), y1: top, y2: height - bottom }),
    // What lies outside of this frame is clipped: near a pole, most of the curve.
    svg("svg", { y: top - 4, width, height: height - top - bottom + 6, viewBox: `0 ${top - 4} ${width} ${height - top - bottom + 6}` },
      svg("path", { class: "curve", d: pieces.map(line).join("") }), rings),
    Number.isFinite(now[row]) ? svg("circle", { cx: x(now[0]), cy: y(now[row]), r: 4.5 }) : null,
    text(left, "start", number(x0)), text(width - left, "end", number(x1)),
    x(now[0]) > 70 && x(now[0]) < width - 70 ? text(x(now[0]), "middle", number(now[0])) : null)];
}

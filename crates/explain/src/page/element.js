// One element of an input: the paths that its gradient is the sum of, and the curve of the loss.

/** The card of an element; `mark(edges)` shows a path in the drawing. */
function elementCard(data, input, element, marked, mark) {
  const node = data.nodes[input.node];
  const at = input.elements.indexOf(element);
  const name = `${node.name}${place(node.value.shape, element)}`;
  const gradient = node.gradient.numbers?.[element];
  const shares = input.paths.map((path) => ({ path, share: Number(path.shares[at]) }))
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  const rest = input.rest ? Number(input.rest[at]) : null;
  const total = shares.reduce((sum, { share }) => sum + share, 0) + (rest ?? 0);
  const most = largest([...shares.map(({ share }) => share), rest ?? 0]);
  const [silent, heard] = [shares.filter(({ share }) => share === 0), shares.filter(({ share }) => share !== 0)];
  const rows = heard.map(({ path, share }) => pathRow(data, path, share, most, marked, mark));
  if (silent.length > 0) {
    rows.push(html("li", { class: "path rest" }, html("span", { class: "share" }, "0"), bar(0, most),
      html("span", { class: "way" }, silent.length === 1 ? "one more path, which brings nothing" : `${silent.length} more paths, which bring nothing`)));
  }
  if (rest !== null) {
    rows.push(html("li", { class: "path rest" }, html("span", { class: "share" }, number(rest)), bar(rest, most),
      html("span", { class: "way" }, `the other ${number(input.count - shares.length)} paths together`)));
  }
  const how = input.count === 1 ? "one path" : `${number(input.count)} paths`;
  return html("section", { class: "card element", "aria-label": `the gradient in ${name}` },
    html("h3", {}, `∂L/∂${name} = `, html("b", { class: "sum", "data-sum": total }, number(gradient ?? total)),
      html("small", {}, ` along ${how} from ${node.name} to the loss`)),
    html("ol", { class: "paths" }, rows),
    input.curves[at] ? curve(name, input.curves[at]) : null);
}

/** The elements of a large input with the largest gradients, to be chosen from. */
function largestOf(node, input, chosen, choose) {
  const sums = input.elements.map((element, at) => ({ element,
    sum: [...input.paths.map(({ shares }) => shares), input.rest ?? []].reduce((sum, shares) => sum + Number(shares[at] ?? 0), 0) }));
  const most = sums.sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, 12);
  return html("div", { class: "largest" }, most.map(({ element, sum }) => button(
    `${place(node.value.shape, element)} ${number(sum)}`, "show the paths of this element", () => choose(element),
    { class: "cell", "data-element": element, "aria-pressed": String(element === chosen),
      "aria-label": null, style: shade(sum, Math.abs(most[0].sum)) })));
}

function pathRow(data, path, share, most, marked, mark) {
  const ops = [...path.edges].reverse().map(([node]) => data.nodes[node]);
  const all = ops.map(({ op }) => op).filter((op) => !["reshape", "expand"].includes(op));
  const way = (all.length > 10 ? [...all.slice(0, 4), "…", ...all.slice(-4)] : all).join(" → ");
  const is = marked === path.edges;
  return html("li", { class: "path" }, html("button", { type: "button", "aria-pressed": String(is),
    title: ops.map(({ name, formula }) => `${name} = ${formula}`).join("\n"),
    onclick: () => mark(is ? [] : path.edges) },
    html("span", { class: "share", "data-share": share }, number(share)), bar(share, most),
    html("span", { class: "way" }, way || "the loss itself")));
}

function bar(share, most) {
  const part = most > 0 ? Math.abs(share) / most : 0;
  return html("span", { class: `bar ${share < 0 ? "minus" : "plus"}` }, html("i", { style: `width: ${(100 * part).toFixed(1)}%` }));
}

/** Loss and slope over an element; the dot is where it is now, rings are kinks. */
function curve(name, { now, values, slopes, pieces, kinks }) {
  if (pieces.flat().length < 2) return null;
  const here = now.map(Number);
  return html("div", { class: "curves" }, plot(`loss over ${name}`, pieces, kinks, here, values, 1, "loss"),
    plot(`its slope`, pieces, kinks, here, slopes, 2, "slope"));
}

function plot(title, pieces, kinks, now, shown, row, kind) {
  const [width, height, left, bottom] = [380, 110, 8, 18];
  const xs = pieces.flat().map(([x]) => x);
  const ys = [...shown, ...(Number.isFinite(now[row]) ? [now[row]] : [])];
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [low, high] = [Math.min(...ys), Math.max(...ys)];
  if (high - low < 1e-12 * Math.max(1, Math.abs(high))) [low, high] = [low - 1, high + 1];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - 2 * left);
  const y = (value) => 20 + ((high - value) / (high - low)) * (height - 20 - bottom - 4);
  const line = (piece) => piece.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[row]).toFixed(1)}`).join("");
  const rings = kinks.flat().map((point) => svg("circle", { class: "kink", cx: x(point[0]), cy: y(point[row]), r: 3.5 }));
  const zero = low < 0 && high > 0 ? svg("line", { class: "axis", x1: left, x2: width - left, y1: y(0), y2: y(0) }) : null;
  const text = (at, top, anchor, said, name = "") => svg("text", { x: at, y: top, "text-anchor": anchor, class: name }, said);
  return svg("svg", { class: `plot ${kind}`, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${title}: ${number(now[row])} where it is now; from ${number(low)} to ${number(high)}` },
    zero, svg("line", { class: "axis", x1: left, x2: width - left, y1: height - bottom, y2: height - bottom }),
    svg("line", { class: "now", x1: x(now[0]), x2: x(now[0]), y1: 18, y2: height - bottom }),
    // What lies outside of this frame is cut off: near a pole, most of the curve.
    svg("svg", { y: 15, width, height: height - 12 - bottom, viewBox: `0 15 ${width} ${height - 12 - bottom}` },
      svg("path", { class: "curve", d: pieces.map(line).join("") }), rings),
    Number.isFinite(now[row]) ? svg("circle", { cx: x(now[0]), cy: y(now[row]), r: 4.5 }) : null,
    text(left, 12, "start", `${title} = ${number(now[row])}`, "title"),
    text(width - left, 12, "end", `${number(low)} … ${number(high)}`),
    text(left, height - 5, "start", number(x0)), text(width - left, height - 5, "end", number(x1)),
    x(now[0]) > 60 && x(now[0]) < width - 60 ? text(x(now[0]), height - 5, "middle", number(now[0])) : null);
}

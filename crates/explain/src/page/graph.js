// The drawing of a level: boxes, and edges with what flows back along them.

/** The room around a drawing, and that which a box's name takes above it. */
const MARGIN = 18;

/** What flows back through some reads together: its largest size and its signs. */
function flowOf(nodes, reads) {
  const flows = reads.map(([node, slot]) => nodes[node].inputs[slot].flow).filter(Boolean);
  const least = Math.min(0, ...flows.map((flow) => Number(flow.least) || 0));
  const most = Math.max(0, ...flows.map((flow) => Number(flow.most) || 0));
  const strange = flows.some((flow) => flow.strange);
  const size = Math.max(-least, most);
  const sign = flows.length === 0 ? "none" : strange ? "strange" : size === 0 ? "zero"
    : least < 0 && most > 0 ? "both" : least < 0 ? "minus" : "plus";
  return { size, sign };
}

/** The width of a band: by order of magnitude, from one of a thousandth of the largest on. */
function band(size, largestSize) {
  if (size === 0 || largestSize === 0) return 3;
  return 3 + 3 * Math.max(0, 3 + Math.log10(size / largestSize));
}

/**
 * Draws a level. `view` says what is done, current and marked, and is told what is clicked:
 * `open(group)`, `select(node)`, `follow(edge)`.
 */
function drawn(data, level, view) {
  const sizes = data.nodes.flatMap(({ inputs }, node) => inputs.map((_, slot) => flowOf(data.nodes, [[node, slot]]).size));
  const scene = { data, view, largest: Math.max(0, ...sizes) };
  const [width, height] = [level.width + 2 * MARGIN, level.height + 2 * MARGIN];
  const picture = svg("svg", { viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}`, class: "drawing",
    role: "group", "aria-label": "the graph of the loss" }, arrow(), inside(scene, level));
  picture.dataset.width = width;
  picture.dataset.height = height;
  return picture;
}

function arrow() {
  return svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8,
    markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { class: "head", d: "M0 0L8 4L0 8Z" })));
}

function inside(scene, level) {
  return [level.edges.map((edge) => edgeOf(scene, level, edge)), level.boxes.map((box) => boxOf(scene, box))];
}

function edgeOf({ data, view, largest: most }, level, edge) {
  const { size, sign } = flowOf(data.nodes, edge.reads);
  const has = ([node, slot]) => (list) => list.some(([n, s]) => n === node && s === slot);
  const flowed = edge.reads.some((read) => view.flowed(...read));
  const current = edge.reads.some((read) => view.isCurrent(...read));
  const marked = edge.reads.some((read) => has(read)(view.path));
  const selected = edge.reads.some((read) => has(read)(view.edge));
  const [from, to] = [level.boxes[edge.from], level.boxes[edge.to]];
  const ends = to.inside || to.kind === "leaves";
  const classes = ["edge", sign, flowed && "flowed", current && "current", marked && "marked", selected && "selected"];
  const rules = edge.reads.map(([node, slot]) => data.nodes[node].inputs[slot].flow?.rule).filter(Boolean);
  const told = `${data.nodes[edge.node].name} into ${to.title}: ` + (rules.length
    ? `${rules.join("  and  ")} flows back, at most ${number(size)}` : "nothing flows back");
  return svg("g", { class: classes.filter(Boolean).join(" "), onclick: () => edge.reads.length && view.follow(edge.reads) },
    svg("title", {}, told),
    svg("path", { class: "reach", d: edge.path }),
    svg("path", { class: "band", d: edge.path, "stroke-width": band(size, most).toFixed(1) }),
    svg("path", { class: "way", d: edge.path, "marker-end": ends || from.kind === "leaves" ? null : "url(#arrow)" }));
}

function boxOf(scene, box) {
  const { data, view } = scene;
  const node = box.node ?? box.nodes[box.nodes.length - 1];
  const members = box.nodes ?? [box.node];
  const done = members.every((member) => view.hasValue(member));
  const frame = box.inside !== null;
  const group = box.kind === "group";
  const leaf = !group && data.nodes[node].inputs.length === 0;
  const port = box.kind === "enters" || box.kind === "leaves";
  if (port && box.width === 0) return null;
  const current = members.some((member) => view.isCurrent(member));
  const selected = !group && view.node === node;
  const warned = members.some((member) => (data.nodes[member].hazards ?? []).length > 0);
  const classes = ["box", box.kind, frame && "frame", leaf && "leaf", done && "done", current && "current",
    selected && "selected"];
  const act = group ? () => view.open(box.group) : () => view.select(node);
  const [value, gradient] = box.lines;
  const label = [group ? `${box.title}, a group of ${members.length} ops: opens` : `${data.nodes[node].name}, ${box.title}`,
    box.shape, done && value, view.hasGradient(node) && gradient].filter(Boolean).join(", ");
  const line = (text, at, name, shown) => text && svg("text", { class: `${name}${shown ? "" : " waits"}`, x: 8, y: 30 + 15 * at }, text);
  const name = !group && data.nodes[node].op !== "fill" && data.nodes[node].name !== box.title ? data.nodes[node].name : null;
  return svg("g", { class: classes.filter(Boolean).join(" "), transform: `translate(${box.x} ${box.y})`,
    "data-node": group ? null : node, "data-group": group ? box.group : null },
    frame && inside(scene, box.inside),
    svg("g", { class: "face", tabindex: 0, role: "button", "aria-label": label,
      onclick: (event) => { event.stopPropagation(); act(); },
      onkeydown: (event) => { if (event.key === "Enter") { event.stopPropagation(); act(); } } },
      frame || group || port ? svg("title", {}, label) : svg("title", {}, `${data.nodes[node].name} = ${data.nodes[node].formula}`),
      svg("rect", { width: box.width, height: frame ? 22 : box.height, rx: 6 }),
      svg("text", { class: "title", x: 8, y: 15 }, box.title),
      !frame && svg("text", { class: "shape", x: box.width - 8, y: 15, "text-anchor": "end" }, box.shape),
      !frame && line(value, 0, "value", done),
      !frame && line(gradient, 1, "gradient", view.hasGradient(node))),
    frame && svg("rect", { class: "outline", width: box.width, height: box.height, rx: 8 }),
    !frame && name && badge(name, "name", 0),
    !frame && warned && badge("!", "warning", box.width));
}

/** A name on the upper edge of a box. */
function badge(text, kind, x) {
  const width = 8 + 7 * [...text].length;
  return svg("g", { class: `badge ${kind}`, transform: `translate(${x - width / 2} -8)`, "aria-hidden": "true" },
    svg("rect", { width, height: 15, rx: 7 }), svg("text", { x: width / 2, y: 11.5, "text-anchor": "middle" }, text));
}

// The drawing of a level: boxes, and edges with the cotangents that flow back along them.

/** The space around a drawing, in which the name above a box fits as well. */
const MARGIN = 18;

/** The cotangents of some reads together: their largest size and their signs. */
function flowOf(nodes, reads) {
  const flows = reads.map(([node, slot]) => nodes[node].inputs[slot].flow).filter(Boolean);
  const least = Math.min(0, ...flows.map((flow) => Number(flow.least) || 0));
  const most = Math.max(0, ...flows.map((flow) => Number(flow.most) || 0));
  const nonFinite = flows.some((flow) => flow.nonFinite);
  const size = Math.max(-least, most);
  const sign = flows.length === 0 ? "none" : nonFinite ? "non-finite" : size === 0 ? "zero"
    : least < 0 && most > 0 ? "both" : least < 0 ? "minus" : "plus";
  return { size, sign };
}

/** The width of a band: by order of magnitude, down to a thousandth of the largest. */
function band(size, largestSize) {
  if (size === 0 || largestSize === 0) return 3;
  return 3 + 3 * Math.max(0, 3 + Math.log10(size / largestSize));
}

/**
 * Draws a level, once. `act` has the click handlers: `open(group)`, `select(node)`, `find(node)`,
 * `follow(edge)`.
 * `picture.refresh(view)` updates what is done, current and selected.
 */
function drawn(data, level, act) {
  const sizes = data.nodes.flatMap(({ inputs }, node) => inputs.map((_, slot) => flowOf(data.nodes, [[node, slot]]).size));
  const scene = { data, act, largest: Math.max(0, ...sizes), refresh: [] };
  const [width, height] = [level.width + 2 * MARGIN, level.height + 2 * MARGIN];
  const picture = svg("svg", { viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}`, class: "drawing",
    role: "group", "aria-label": "the graph of the loss" }, arrow(), inside(scene, level));
  Object.assign(picture.dataset, { width, height });
  picture.refresh = (view) => scene.refresh.forEach((refresh) => refresh(view));
  return picture;
}

function arrow() {
  return svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8,
    markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { class: "head", d: "M0 0L8 4L0 8Z" })));
}

function inside(scene, level) {
  return [level.edges.map((edge) => edgeOf(scene, level, edge)), level.boxes.map((box) => boxOf(scene, box))];
}

/** Sets an attribute if it has changed. */
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function edgeOf({ data, act, largest: most, refresh }, level, edge) {
  const { size, sign } = flowOf(data.nodes, edge.reads);
  const [from, to] = [level.boxes[edge.from], level.boxes[edge.to]];
  const ends = to.inside || to.kind === "output-port" || from.kind === "output-port";
  const rules = edge.reads.map(([node, slot]) => data.nodes[node].inputs[slot].flow?.rule).filter(Boolean);
  const title = `${data.nodes[edge.node].name} into ${to.title}: ` + (rules.length
    ? `${rules.join("  and  ")} flows back, at most ${number(size)}` : "nothing flows back");
  const element = svg("g", { onclick: () => edge.reads.length && act.follow(edge.reads) },
    svg("title", {}, title),
    svg("path", { class: "reach", d: edge.path }),
    svg("path", { class: "band", d: edge.path, "stroke-width": band(size, most).toFixed(1) }),
    svg("path", { class: "course", d: edge.path, "marker-end": ends ? null : "url(#arrow)" }));
  refresh.push((view) => {
    const some = (list) => list.length > 0 && edge.reads.some(([node, slot]) => list.some(([n, s]) => n === node && s === slot));
    const classes = ["edge", sign, edge.reads.some((read) => view.flowed(...read)) && "flowed",
      edge.reads.some((read) => view.isCurrent(...read)) && "current", some(view.path) && "marked", some(view.edge) && "selected"];
    set(element, "class", classes.filter(Boolean).join(" "));
  });
  return element;
}

function boxOf({ data, act, largest: most, refresh }, box) {
  const members = box.nodes ?? [box.node];
  const node = members[members.length - 1];
  const [frame, group] = [box.inside !== null, box.kind === "group"];
  const port = box.kind === "input-port" || box.kind === "output-port";
  if (port && box.width === 0) return null;
  const { name, constant, formula, inputs } = data.nodes[node];
  const warned = members.some((member) => data.nodes[member].hazards.length > 0);
  const reference = box.kind === "reference";
  const click = group ? () => act.open(box.group) : reference ? () => act.find(node) : () => act.select(node);
  const line = (text, at, kind) => text && svg("text", { class: kind, x: 8, y: 30 + 15 * at }, text);
  const [value, gradient] = frame ? [] : [line(box.lines[0], 0, "value"), line(box.lines[1], 1, "gradient")];
  const face = svg("g", { class: "face", tabindex: 0, role: "button",
    onclick: (event) => { event.stopPropagation(); click(); },
    onkeydown: (event) => { if (event.key === "Enter") { event.stopPropagation(); click(); } } },
    svg("title", {}, group ? `${box.title}: opens` : reference ? `${name}, drawn again here: shows its own box` : `${name} = ${formula}`),
    svg("rect", { width: box.width, height: frame ? 22 : box.height, rx: 6 }),
    svg("text", { class: "title", x: 8, y: 15 }, box.title),
    !frame && svg("text", { class: "shape", x: box.width - 8, y: 15, "text-anchor": "end" }, box.shape), value, gradient);
  const named = !group && !constant && name !== box.title;
  const element = svg("g", { transform: `translate(${box.x} ${box.y})`, "data-node": group || reference ? null : node, "data-reference": reference ? node : null,
    "data-group": group ? box.group : null },
    frame && inside({ data, act, largest: most, refresh }, box.inside), face,
    frame && svg("rect", { class: "outline", width: box.width, height: box.height, rx: 8 }),
    named && badge(name, "name", 0), !frame && !reference && warned && badge("!", "warning", box.width));
  refresh.push((view) => {
    const done = members.every((member) => view.hasValue(member));
    const back = Boolean(view.hasGradient(node));
    const classes = ["box", box.kind, frame && "frame", !group && inputs.length === 0 && "leaf", done && "done",
      members.some((member) => view.isCurrent(member)) && "current", !group && view.node === node && "selected"];
    set(element, "class", classes.filter(Boolean).join(" "));
    if (value) set(value, "class", done ? "value" : "value pending");
    if (gradient) set(gradient, "class", back ? "gradient" : "gradient pending");
    const what = group ? `${box.title}, a group of ${members.length} ops: opens` : reference ? `${name}, drawn again: shows its own box` : `${name}, ${box.title}`;
    set(face, "aria-label", [what, box.shape, done && box.lines[0], back && box.lines[1]].filter(Boolean).join(", "));
  });
  return element;
}

/** A name on the upper edge of a box. */
function badge(text, kind, x) {
  const width = 8 + 7 * [...text].length;
  return svg("g", { class: `badge ${kind}`, transform: `translate(${x - width / 2} -8)`, "aria-hidden": "true" },
    svg("rect", { width, height: 15, rx: 7 }), svg("text", { x: width / 2, y: 11.5, "text-anchor": "middle" }, text));
}

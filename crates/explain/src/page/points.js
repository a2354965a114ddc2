// Embeddings: points that can be dragged, and triplets of them.

/** What a triplet is made of. */
const TRIPLET = ["anchor", "positive", "negative"];

function drawPoints(live, { gradient, change }) {
  const inputs = live.inputs.filter(({ moves, shape }) => moves && shape.length === 2 && shape[1] === live.inputs[0].shape[1]);
  const labels = live.inputs.find(({ name, shape }) => name === "labels" && shape[0] === inputs[0].shape[0]);
  const classes = labels ? flat(live.numbers[labels.name]).map(Number) : null;
  const points = inputs.flatMap(({ name, shape }, kind) => rowsOf(live, name).map((at, row) => ({ name, shape, kind, row, at,
    color: FAMILY_COLORS[(classes && kind === 0 ? classes[row] : kind) % FAMILY_COLORS.length] })));
  const space = plane(points.map(({ at }) => at[0]), points.map(({ at }) => at[1]));
  const place = ({ at }) => [space.x(at[0]), space.y(at[1])];
  const slopes = Object.fromEntries(inputs.map(({ name }) => [name, gradient(name)]));
  const width = inputs[0].shape[1];
  const slope = ({ name, row }) => (slopes[name] ? [slopes[name][row * width], slopes[name][row * width + 1]] : [0, 0]);
  const most = largest(points.map((point) => Math.hypot(...slope(point))));
  const texts = beside(points.map((point) => [...place(point), inputs.length > 1 ? `${point.name[0]}${point.row}` : String(point.row)]), space);
  let drawing = null;
  drawing = svg("svg", { class: "plot scene", viewBox: `0 0 ${space.width} ${space.height}`, role: "img", "aria-label": counted(points.length, "point") },
    points.map((point) => downhill(place(point), slope(point), most, -1)),
    points.map((point) => handle(() => drawing, place(point), space, { style: `fill: ${point.color}` }, ([dx, dy]) => {
      point.at[0] += dx;
      point.at[1] += dy;
      let numbers = live.numbers[point.name];
      [0, 1].forEach((k) => { numbers = replaced(numbers, point.shape, point.row * width + k, rounded(point.at[k])); });
      live.numbers[point.name] = numbers;
      change({ [point.name]: numbers });
    })),
    texts.map(([x, y, text]) => svg("text", { x, y }, text)));
  return drawing;
}

/** The triplets, each in a plane of its own. */
function drawTriplets(live, { gradient, change }) {
  const inputs = TRIPLET.map((name) => live.inputs.find((each) => each.name === name));
  const points = TRIPLET.map((name) => rowsOf(live, name));
  const slopes = TRIPLET.map((name) => gradient(name));
  const margin = Number(live.options.find(({ name }) => name === "margin")?.value ?? 0);
  const width = inputs[0].shape[1];
  const slope = (kind, row) => slopes[kind]?.slice(row * width, (row + 1) * width) ?? [];
  const most = largest(points.flatMap((rows, kind) => rows.map((_, row) => Math.hypot(...slope(kind, row)))));
  const moved = (kind, row, by) => {
    points[kind][row] = points[kind][row].map((x, at) => x + by[at]);
    let numbers = live.numbers[TRIPLET[kind]];
    points[kind][row].forEach((x, at) => { numbers = replaced(numbers, inputs[kind].shape, row * width + at, rounded(x)); });
    live.numbers[TRIPLET[kind]] = numbers;
    change({ [TRIPLET[kind]]: numbers });
  };
  const count = Math.min(...points.map(({ length }) => length), 6);
  return html("div", { class: "triplets" }, Array.from({ length: count }, (_, row) => drawTriplet(points.map((rows) => rows[row]), {
    row, margin, most, slopes: TRIPLET.map((_, kind) => slope(kind, row)), moved: (kind, by) => moved(kind, row, by) })));
}

function drawTriplet(points, { row, margin, most, slopes, moved }) {
  const [u, v] = planeThrough(points);
  const seen = points.map((point) => [dot(point, u), dot(point, v)]);
  const [anchor, positive, negative] = seen;
  const [near, far] = [positive, negative].map(([x, y]) => Math.hypot(x - anchor[0], y - anchor[1]));
  const reach = Math.max(near + margin, 0);
  const space = plane([...seen.map(([x]) => x), anchor[0] - reach, anchor[0] + reach], [...seen.map(([, y]) => y), anchor[1] - reach, anchor[1] + reach], { size: [200, 160], space: 16 });
  const place = ([x, y]) => [space.x(x), space.y(y)];
  const texts = beside(seen.map((at, kind) => [...place(at), TRIPLET[kind][0]]), space);
  const line = (to, kind) => svg("path", { class: `pair ${kind}`, d: `M${place(anchor)}L${place(to)}` });
  const said = `${TRIPLET[0][0]} to p ${number(near)}, with the margin ${number(near + margin)}; to n ${number(far)}`;
  let drawing = null;
  drawing = svg("svg", { class: "plot scene", viewBox: `0 0 ${space.width} ${space.height}`, role: "img", "aria-label": `triplet ${row}: ${said}` },
    svg("circle", { class: "margin", cx: place(anchor)[0], cy: place(anchor)[1], r: reach * space.scale }), line(positive, "near"), line(negative, "far"),
    seen.map((at, kind) => downhill(place(at), [dot(slopes[kind], u), dot(slopes[kind], v)], most, -1, 28)),
    seen.map((at, kind) => handle(() => drawing, place(at), space, { style: `fill: ${FAMILY_COLORS[kind]}` }, ([dx, dy]) => moved(kind, u.map((x, i) => dx * x + dy * v[i])))),
    texts.map(([x, y, text]) => svg("text", { x, y }, text)));
  return html("figure", { class: "tensor" }, drawing, html("figcaption", {}, said));
}

function dot(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}

/**
 * The plane through three points: two directions of length 1. The first lies as the first feature does
 * and the second as the second one, as far as the plane lets them, so that a drag turns nothing.
 */
function planeThrough([a, b, c]) {
  const axis = (k) => a.map((_, i) => (i === k ? 1 : 0));
  const minus = (x, y, times = 1) => x.map((each, i) => each - times * y[i]);
  const directions = [];
  // Points on a line, or all in one, leave room for axes.
  for (const wanted of [minus(b, a), minus(c, a), ...a.map((_, k) => axis(k))]) {
    const rest = directions.reduce((left, each) => minus(left, each, dot(left, each)), wanted);
    const long = Math.hypot(...rest);
    if (directions.length < 2 && long > 1e-9 * Math.max(1, Math.hypot(...wanted))) directions.push(rest.map((x) => x / long));
  }
  const [p, q] = directions;
  const [along, across] = Math.hypot(p[0], q[0]) > 1e-9 ? [p[0], q[0]] : [1, 0];
  const long = Math.hypot(along, across);
  const u = p.map((x, i) => (along * x + across * q[i]) / long);
  const v = p.map((x, i) => (along * q[i] - across * x) / long);
  return [u, v[1] < 0 ? v.map((x) => -x) : v];
}

/** Places for texts beside points, where they cover neither points nor one another. */
function beside(points, { width, height }) {
  const taken = points.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
  const common = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  return points.map(([x, y, text]) => {
    const long = 6.5 * text.length;
    const offsets = [[8, -5], [8, 13], [-8 - long, -5], [-8 - long, 13], [-long / 2, -10], [-long / 2, 19], [11, 4], [-11 - long, 4]];
    const boxes = offsets.map(([dx, dy]) => [x + dx, y + dy - 9, x + dx + long, y + dy + 2]);
    const cost = (box) => taken.reduce((sum, other) => sum + common(box, other), 11 * long - common(box, [0, 0, width, height]));
    const best = boxes.reduce((least, box) => (cost(box) < cost(least) - 1e-9 ? box : least));
    taken.push(best);
    return [best[0], best[3] - 2, text];
  });
}

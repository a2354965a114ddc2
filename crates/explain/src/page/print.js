// What goes onto paper: each level by itself, as large as it can be read, and all steps.

/** The space of a page of A4 or Letter, upright and on its side, in pixels. */
const [UPRIGHT, SIDEWAYS] = [{ width: 690, height: 800 }, { width: 940, height: 580 }];
/** The scale at which the text of a drawing can still be read on paper: 6.5 points. */
const LEAST_ON_PAPER = 0.78;
const MOST_ON_PAPER = 1.1;
/** On more pages than these, nobody finds their way in a drawing. */
const MOST_PARTS = 6;

Object.assign(Side.prototype, {
  /** Puts all levels of the loss onto paper: the whole loss, and the inside of each group that does something. */
  layOut() {
    const { tree } = this.act.engine && this.changes ? { tree: this.act.engine.ask({ page: this.case(), curves: [], steps: [] }).views[this.view] } : this;
    // What is one op with its views says nothing that its box does not.
    const ops = (group) => tree.within.filter((within, node) => within === group && this.data.nodes[node].inputs.length > 0 && !this.data.nodes[node].transparent).length;
    const says = ({ idle, level }, group) => level && !idle && (ops(group) > 1 || tree.groups.some(({ parent }) => parent === group));
    const inner = tree.groups.filter(says).map(({ name, level }) => [name, level]);
    this.paper = html("section", { class: "levels" }, [["the whole loss", tree.top], ...inner].map(([name, level]) => this.onPaper(name, level)));
    this.root.querySelector(".work").before(this.paper);
  },

  /** A level on as many pages as it needs. */
  onPaper(name, level) {
    const [width, height] = [level.width + 2 * MARGIN, level.height + 2 * MARGIN];
    const page = width * LEAST_ON_PAPER <= UPRIGHT.width ? UPRIGHT : SIDEWAYS;
    const scale = Math.min(MOST_ON_PAPER, Math.max(LEAST_ON_PAPER, Math.min(page.width / width, page.height / height)));
    const drawing = drawn(this.data, level, this.symbols, {});
    drawing.refresh({ node: null, edge: [], path: [], hasValue: () => true, hasGradient: (node) => this.data.nodes[node].gradient !== null, flowed: () => true, isCurrent: () => false });
    const columns = cuts(level.boxes.map(({ x, width: across }) => [x, x + across]), width, page.width / scale);
    const rows = cuts(level.boxes.map(({ y, height: down }) => [y, y + down]), height, page.height / scale);
    const meets = ([from, to], at, long) => at + MARGIN < to && at + MARGIN + long > from;
    const parts = rows.flatMap((row) => columns.map((column) => [column, row]))
      .filter(([column, row]) => level.boxes.some((box) => meets(column, box.x, box.width) && meets(row, box.y, box.height)));
    if (parts.length > MOST_PARTS) {
      return html("figure", {}, html("figcaption", {}, name), html("p", {}, `Its ${counted(level.boxes.length, "box", "boxes")} would take ${counted(parts.length, "page")}: the text below has all of them.`));
    }
    return parts.map(([[left, right], [top, bottom]], at) => {
      const part = drawing.cloneNode(true);
      part.setAttribute("viewBox", `${left - MARGIN} ${top - MARGIN} ${right - left} ${bottom - top}`);
      part.setAttribute("width", Math.floor((right - left) * scale));
      part.setAttribute("height", Math.floor((bottom - top) * scale));
      return html("figure", { class: page === SIDEWAYS ? "sideways" : null }, html("figcaption", {}, name, parts.length > 1 ? `, part ${at + 1} of ${parts.length}` : ""), part);
    });
  },

  /** Prints all steps, one after the other, below the levels. */
  handout() {
    this.writeOutAll();
    const steps = this.steps.map((_, at) => html("li", {}, description(this.data.nodes, this.steps, at + 1)));
    const sheet = html("section", { class: "handout" }, html("h2", {}, "All steps"), html("ol", {}, steps));
    this.root.append(sheet);
    document.body.classList.add("printing-steps");
    print();
    document.body.classList.remove("printing-steps");
    sheet.remove();
  },
});

/** Where to cut a length into pieces of a page each, so that no box is cut that fits between two cuts. */
function cuts(boxes, length, page) {
  const pieces = [];
  for (let start = 0; start < length;) {
    let end = start + page;
    for (let crossing = [true]; end < length && crossing.length > 0;) {
      crossing = boxes.filter(([from, to]) => from + MARGIN < end && end < to + MARGIN);
      if (crossing.length > 0) end = Math.min(...crossing.map(([from]) => from + MARGIN)) - 6;
    }
    if (end < start + page / 4) end = start + page;
    pieces.push([start, Math.min(end, length)]);
    start = end;
  }
  return pieces;
}

// On paper, all steps are done.
let saved = [];
addEventListener("beforeprint", () => {
  saved = sides.map(({ done }) => done);
  sides.forEach((side) => {
    side.done = side.steps.length;
    side.root.querySelector("details.text").open = true;
    side.show();
    side.layOut();
  });
});
addEventListener("afterprint", () => sides.forEach((side, at) => {
  side.paper.remove();
  side.done = saved[at];
  side.show();
}));

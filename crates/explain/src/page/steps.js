// The steps of the forward and the backward pass, and the description of each.

/** What a view shows of what was found: the teaching view has no gradients into what is made of constants. */
function shownOf(found, view) {
  if (view === "ops") return found;
  const { nodes } = found;
  const shown = (input) => (nodes[input.node].passive ? { ...input, flow: null } : input);
  return { ...found, inputs: found.inputs.filter(({ node }) => !nodes[node].passive),
    nodes: nodes.map((node) => ({ ...node, gradient: node.passive ? null : node.gradient, inputs: node.inputs.map(shown) })) };
}

/** All steps of a loss: each op in the forward pass, then each edge in the backward pass. */
function stepsOf(nodes) {
  const forward = nodes.flatMap(({ inputs }, node) => (inputs.length ? [{ kind: "forward", node }] : []));
  const backward = nodes.flatMap(({ inputs }, node) =>
    [inputs.flatMap((input, slot) => (input.flow ? [{ kind: "backward", node, slot, into: input.node }] : []))]);
  return [...forward, { kind: "seed", node: nodes.length - 1 }, ...backward.reverse().flat()];
}

/**
 * The state after some steps: for each node whether its value is computed, and how many
 * contributions to its gradient have been accumulated.
 */
function progress(nodes, steps, done) {
  const value = nodes.map(({ inputs }) => inputs.length === 0);
  const parts = nodes.map(() => 0);
  const total = nodes.map(() => 0);
  steps.forEach((step, at) => {
    const now = at < done;
    if (step.kind === "forward") value[step.node] = now;
    else {
      const into = step.kind === "seed" ? step.node : step.into;
      total[into] += 1;
      parts[into] += now ? 1 : 0;
    }
  });
  const seeded = done > steps.findIndex((step) => step.kind === "seed");
  const gradient = nodes.map((node, at) => node.gradient && seeded && parts[at] === total[at]);
  return { value, gradient, parts, total };
}

/** The description of a step: its formula, its arithmetic, and what it is accumulated into. */
function description(nodes, steps, done) {
  if (done === 0) {
    return html("div", {}, html("p", { class: "formula" }, "The inputs are known; nothing is computed yet."),
      html("p", { class: "hint" }, "→ takes the first step. ▶ plays all of them."));
  }
  const step = steps[done - 1];
  const node = nodes[step.node];
  if (step.kind === "seed") {
    return html("div", {}, html("p", { class: "formula" }, `∂L/∂${node.name} = 1`),
      html("p", {}, "The backward pass begins: the derivative of the loss with respect to itself is 1."));
  }
  if (step.kind === "forward") {
    const written = node.forward ?? [];
    const lines = written.map(({ at, text, is }) =>
      line(at, `${node.name}${indexText(node.value.shape, at)}`, "=", text, is));
    return html("div", {}, html("p", { class: "formula" }, formula(`${node.name} = ${node.formula}`)),
      few(lines), node.forward && more(written, node.value));
  }
  const { flow } = node.inputs[step.slot];
  const into = nodes[step.into];
  const { parts, total } = progress(nodes, steps, done);
  const [part, all] = [parts[step.into], total[step.into]];
  const sign = all > 1 ? "+=" : "=";
  const written = flow.lines ?? [];
  const lines = written.map(({ at, text, is, before }) =>
    line(at, `∂L/∂${into.name}${indexText(into.value.shape, at)}`, sign, text, is, part > 1 ? before : null));
  const fan = all > 1 ? html("p", { class: "fan" },
    `${into.name} has ${all} readers, so its gradient is a sum. This is contribution ${part} of ${all}.`) : null;
  return html("div", {}, html("p", { class: "formula" }, formula(`∂L/∂${into.name} ${sign} ${flow.rule}`)), fan,
    few(lines), flow.lines && more(written, into.value));
}

/** The arithmetic of one element, and the sum so far where it is accumulated. */
function line(element, left, sign, text, is, before = null) {
  const arithmetic = text && text !== number(is) ? `${text} = ` : "";
  const brackets = Number(is) < 0 ? `(${number(is)})` : number(is);
  const sum = Number(before) + Number(is);
  return html("p", { class: "line", "data-element": element }, html("span", { class: "left" }, left),
    " ", formula(`${sign} ${arithmetic}`), html("b", { class: "whole", "data-is": Number(is) }, number(is)),
    before === null ? null : html("span", { class: "total" }, formula(`so far ${number(before)} + ${brackets} = `),
      html("b", { "data-sum": sum }, number(sum))));
}

/** Some lines, with those beyond the first ones collapsed. */
function few(lines) {
  const shown = 4;
  if (lines.length <= shown + 1) return lines;
  return [lines.slice(0, shown), html("details", {}, html("summary", { class: "hint" },
    counted(lines.length - shown, "more element")), lines.slice(shown))];
}

/** The number of elements that are not written out. */
function more(lines, { shape }) {
  const left = numel(shape) - lines.length;
  return left > 0 ? html("p", { class: "hint" }, `and ${counted(left, "more element")} in the same way`) : null;
}

// The symbols of the formula and the boxes of the graph: the same colors, and each lights the other.

const GREEK = { alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ϵε", kappa: "κ", lambda: "λ", mu: "μ", nu: "ν", sigma: "σ", tau: "τ", theta: "θ", rho: "ρ", phi: "φϕ", varepsilon: "εϵ", omega: "ω", ell: "ℓ" };

/** The inputs and options that the formula has symbols for: name, letter, and a color each. */
function symbolsOf(live) {
  const all = [...live.inputs, ...live.options].filter(({ symbol }) => symbol);
  return all.map(({ name, symbol }, at) => ({ name, letters: symbol.startsWith("\\") ? GREEK[symbol.slice(1)] ?? "" : symbol, color: `var(--symbol-${at % 6})` }));
}

/** Colors the symbols of a formula, and gives the key: z = logits, and what other letters stand for. */
function keyOf(formula, symbols, others) {
  for (const { name, letters, color } of symbols) {
    const written = [...formula.querySelectorAll("mi")].filter((each) => letters !== "" && letters.includes(each.textContent));
    written.forEach((each) => { each.dataset.symbol = name; each.style.color = color; });
  }
  return html("p", { class: "key" }, symbols.filter(({ letters }) => letters !== "").map(({ name, letters, color }) =>
    html("span", { "data-symbol": name, style: `color: ${color}` }, html("i", {}, letters[0]), ` = ${name}`)),
    others.map(([letters, meaning]) => html("span", {}, html("i", {}, letters), `: ${meaning}`)));
}

/** Lights all that belongs to a name while the pointer is over one of it. */
function lightSymbols(root) {
  const light = (event, on) => {
    const name = event.target.closest?.("[data-symbol]")?.dataset.symbol;
    if (name) root.querySelectorAll(`[data-symbol="${CSS.escape(name)}"]`).forEach((each) => each.classList.toggle("lit", on));
  };
  root.addEventListener("pointerover", (event) => light(event, true));
  root.addEventListener("pointerout", (event) => light(event, false));
}

// The symbols of the formula and the boxes of the graph: the same colors, and each lights the other.

const GREEK = { alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ϵε", kappa: "κ", lambda: "λ", mu: "μ", nu: "ν", sigma: "σ", tau: "τ", theta: "θ", rho: "ρ", phi: "φϕ", varepsilon: "εϵ", omega: "ω", ell: "ℓ" };

/** The inputs and options that the formula has symbols for: name, letter, and a color each. */
function symbolsOf(live) {
  const all = [...live.inputs, ...live.options].filter(({ symbol }) => symbol);
  return all.map(({ name, symbol, about }, at) => ({ name, about, letters: symbol.startsWith("\\") ? GREEK[symbol.slice(1)] ?? "" : symbol, color: `var(--symbol-${at % 6})` }));
}

/** Colors the symbols of a formula, though not the upright letters of a word, and gives the key: z = logits, and what other letters stand for. */
function keyOf(formula, symbols, others) {
  for (const { name, letters, color } of symbols) {
    const written = [...formula.querySelectorAll("mi:not([mathvariant=normal])")].filter((each) => letters !== "" && letters.includes(each.textContent));
    written.forEach((each) => { each.dataset.symbol = name; each.style.color = color; });
  }
  // What is called by its letter, such as a margin m, is said by what it does.
  const meaning = ({ name, letters, about }) => (letters[0] === name && about ? `: ${about}` : ` = ${name}`);
  return html("p", { class: "key" }, symbols.filter(({ letters }) => letters !== "").map((symbol) =>
    html("span", { "data-symbol": symbol.name, style: `color: ${symbol.color}` }, html("i", {}, symbol.letters[0]), meaning(symbol))),
    others.map(([letters, said]) => html("span", {}, html("i", {}, letters), `: ${said}`)));
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

// What can be passed on: a link to this state, the inputs, a picture, a handout.

/** The parameters behind `#`: those of the first loss by their names, those of others with its number. */
function readState() {
  return new URLSearchParams(location.hash.slice(1));
}

/** The state of all losses as the part of a link behind `#`. */
function stateText(sides) {
  const text = sides.flatMap((side, at) => Object.entries(side.state()).map(([name, value]) =>
    `${at > 0 ? `${at + 1}.` : ""}${encodeURIComponent(name)}=${encodeURIComponent(value)}`)).join("&")
    .replaceAll("%5B", "[").replaceAll("%5D", "]").replaceAll("%2C", ",").replaceAll("%2F", "/");
  return readState().has("embed") ? `${text}&embed` : text;
}

/** The parameters of one of the losses, as they stand in the link. Those of one that is not there are nonsense that the first one says. */
function stateOf(at, losses) {
  const owner = (name) => { const number = Number(/^(\d+)\./.exec(name)?.[1] ?? 1); return number > 1 && number <= losses ? number - 1 : 0; };
  const prefix = at > 0 ? `${at + 1}.` : "";
  return [...readState()].flatMap(([name, value]) => (owner(name) === at ? [[name.slice(prefix.length), value]] : []));
}

/** The bar with what can be passed on. */
function shareBar(side) {
  const said = html("output", {});
  const copy = async (what, text) => {
    await copyText(text);
    said.textContent = `${what} is copied`;
    setTimeout(() => { said.textContent = ""; }, 2000);
  };
  return html("div", { class: "share", role: "group", "aria-label": "pass on" },
    button("Link", "copy a link to this state", () => { side.act.remember(); copy("the link", location.href); }, { class: "copy-link" }),
    button("JSON", "copy the inputs as JSON", () => copy("the JSON of the inputs", JSON.stringify(side.numbers())), { class: "copy-json" }),
    button("SVG", "save the drawing as SVG", () => save(new Blob([picture(side.frame.drawing)], { type: "image/svg+xml" }), `${side.data.title}.svg`), { class: "save-svg" }),
    button("PNG", "save the drawing as PNG", async () => save(await pixels(side.frame.drawing), `${side.data.title}.png`), { class: "save-png" }),
    button("Handout", "print all steps", () => side.handout(), { class: "print-steps" }), said);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without leave to use the clipboard, an old way.
    const area = html("textarea", { class: "offscreen", "aria-hidden": "true" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function save(blob, name) {
  const link = html("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** What of the page's style a drawing needs where that is not at hand. */
const STYLED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "font-family", "font-size", "font-weight", "font-style", "visibility"];

/** A drawing as SVG that stands alone. */
function picture(drawing) {
  const copy = drawing.cloneNode(true);
  const [from, to] = [drawing, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((element, at) => {
    const style = getComputedStyle(element);
    to[at].setAttribute("style", STYLED.map((name) => `${name}: ${style.getPropertyValue(name)}`).join("; "));
  });
  const [x, y, width, height] = drawing.getAttribute("viewBox").split(" ");
  copy.prepend(svg("rect", { x, y, width, height, fill: getComputedStyle(document.body).backgroundColor }));
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  return new XMLSerializer().serializeToString(copy);
}

/** A drawing as PNG, in twice its size. */
async function pixels(drawing) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([picture(drawing)], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = html("canvas", { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
}

// Starts the program of a page that carries it compressed.

unpacked(document.getElementById("program").textContent, "deflate").then((bytes) => {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(bytes);
  document.body.append(script);
}, (error) => { document.getElementById("sides").textContent = `This browser cannot unpack the page: ${error.message}`; });

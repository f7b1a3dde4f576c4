// The gallery: styles as pictures, one of them chosen.
const { el } = window.impasto;
const grid = element.querySelector(".picker-grid");
let drawn = "";
// What the visitor chose last: an answer of the server that was on its way meanwhile does not undo it.
let chosen = props.value?.chosen;

function choose(id) {
  chosen = id;
  props.value = { ...props.value, chosen: id };
  if (window.impasto.busy && document.querySelector(".easel[data-state=full]")) window.impasto.busy(true);
  trigger("select");
}

function card(style) {
  const input = el("input", { type: "radio", name: "style", value: style.id, className: "unseen" });
  input.addEventListener("change", () => choose(style.id));
  const label = el("label", { className: "swatch", title: style.by ? `${style.title} – ${style.by}` : style.title });
  label.append(input, el("img", { alt: "", loading: "lazy" }), el("span", {}, style.title));
  return label;
}

// Scrolls the gallery alone, not the page.
function reveal(label) {
  if (!label) return;
  const one = label.getBoundingClientRect(), all = grid.getBoundingClientRect();
  if (one.left < all.left || one.right > all.right) grid.scrollLeft += one.left - all.left - 4;
  if (one.top < all.top || one.bottom > all.bottom) grid.scrollTop += one.top - all.top - 4;
}

function show() {
  const { styles = [], ...told } = props.value ?? {};
  if (told.force || !styles.some((style) => style.id === chosen)) chosen = told.chosen;
  if (told.force || told.chosen !== chosen) props.value = { styles, chosen };
  let moved = false;
  const ids = JSON.stringify(styles.map((style) => [style.id, style.title]));
  if (ids !== drawn) {
    grid.replaceChildren(...styles.map(card));
    drawn = ids;
    moved = true;
  }
  styles.forEach((style, number) => {
    const label = grid.children[number];
    const image = label.querySelector("img");
    if (style.picture && image.getAttribute("src") !== style.picture) image.src = style.picture;
    label.querySelector("input").checked = style.id === chosen;
  });
  if (moved || told.force) reveal(grid.querySelector("label:has(:checked)"));
}
watch("value", show);
show();
